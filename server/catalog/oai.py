"""OAI-PMH 2.0 (openarchives.org, The Open Archives Initiative Protocol for Metadata Harvesting): requests and answers. Pure.

A request becomes an :class:`Asked` or raises :class:`OaiError`; an answer is XML. Deleted records are kept for ever
(``persistent``), times are to the second, a resumption token holds everything that the next page needs, so that the
server remembers nothing and a token never expires.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

from server.catalog.lom import LOM_NAMESPACE, LOM_SCHEMA, LomItem, lom_record

OAI = "http://www.openarchives.org/OAI/2.0/"
OAI_SCHEMA = "http://www.openarchives.org/OAI/2.0/OAI-PMH.xsd"
OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
OAI_DC_SCHEMA = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
DC = "http://purl.org/dc/elements/1.1/"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
FORMATS: dict[str, tuple[str, str]] = {
    "oai_dc": (OAI_DC_SCHEMA, OAI_DC),
    "lom": (LOM_SCHEMA, LOM_NAMESPACE),
}
"""Metadata prefix → (schema, namespace)."""
DCMI_TYPES = {"video": "MovingImage", "audio": "Sound", "courseware": "InteractiveResource"}
IDENTIFIER = "urn:uuid:"
PAGE = 100
LONGEST_TOKEN = 600
_LIST = frozenset({"from", "until", "set", "metadataPrefix"})
ARGUMENTS: dict[str, frozenset[str]] = {
    "Identify": frozenset(),
    "ListMetadataFormats": frozenset({"identifier"}),
    "ListSets": frozenset({"resumptionToken"}),
    "GetRecord": frozenset({"identifier", "metadataPrefix"}),
    "ListIdentifiers": _LIST | {"resumptionToken"},
    "ListRecords": _LIST | {"resumptionToken"},
}

for _prefix, _uri in (("", OAI), ("oai_dc", OAI_DC), ("dc", DC), ("xsi", XSI), ("lom", LOM_NAMESPACE)):
    if _prefix:
        ET.register_namespace(_prefix, _uri)


class OaiError(Exception):
    """An error of the protocol: ``code`` is one of its own."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


@dataclass(frozen=True)
class Place:
    """Where a list goes on: behind this record."""

    stamp: datetime
    programme_id: str
    cursor: int


@dataclass(frozen=True)
class Asked:
    """A legal request. ``since`` is the first moment, ``before`` the first one no longer asked for."""

    verb: str
    identifier: str | None = None
    prefix: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    set_spec: str | None = None
    behind: Place | None = None


@dataclass(frozen=True)
class Record:
    """A programme that was once released; ``item`` is None when it no longer is."""

    programme_id: str
    stamp: datetime
    sets: Sequence[str]
    item: LomItem | None
    creator: str = ""


@dataclass(frozen=True)
class Repository:
    """Who we are. ``url`` is the address of the protocol itself."""

    url: str
    name: str
    email: str
    earliest: datetime


# --- requests -----------------------------------------------------------------------------------------------------------
def read_request(arguments: Sequence[tuple[str, str]]) -> Asked:
    """What is asked. Raises OaiError."""
    given = dict(arguments)
    verb = given.pop("verb", "")
    if verb not in ARGUMENTS or [name for name, _ in arguments].count("verb") > 1:
        raise OaiError("badVerb", "The verb argument is missing, repeated or not one of the protocol's.")
    if len(given) + 1 != len(arguments):
        raise OaiError("badArgument", "An argument is repeated.")
    if wrong := sorted(given.keys() - ARGUMENTS[verb]):
        raise OaiError("badArgument", f"{verb} has no argument {wrong[0][:60]}.")
    if "resumptionToken" in given:
        if len(given) > 1:
            raise OaiError("badArgument", "resumptionToken is an exclusive argument.")
        return _from_token(verb, given["resumptionToken"])
    return _checked(verb, given)


def _checked(verb: str, given: Mapping[str, str]) -> Asked:
    needs = {"GetRecord": ("identifier", "metadataPrefix"), "ListIdentifiers": ("metadataPrefix",)}
    for name in needs.get(verb, ("metadataPrefix",) if verb == "ListRecords" else ()):
        if not given.get(name):
            raise OaiError("badArgument", f"{verb} needs the argument {name}.")
    prefix = given.get("metadataPrefix")
    if prefix is not None and prefix not in FORMATS:
        raise OaiError("cannotDisseminateFormat", f"There is no metadata format {prefix[:60]}.")
    since, before = _span(given.get("from"), given.get("until"))
    return Asked(verb, given.get("identifier"), prefix, since, before, given.get("set"))


def _span(first: str | None, last: str | None) -> tuple[datetime | None, datetime | None]:
    if first is not None and last is not None and len(first) != len(last):
        raise OaiError("badArgument", "from and until have different granularities.")
    since = _moment(first) if first is not None else None
    until = _moment(last) if last is not None else None
    if since is not None and until is not None and since > until:
        raise OaiError("badArgument", "from is later than until.")
    if until is None or last is None:
        return since, None
    grain = timedelta(days=1) if len(last) == 10 else timedelta(seconds=1)
    try:
        return since, until + grain
    except OverflowError:
        return since, None


def _moment(text: str) -> datetime:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"):
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if len(text) in (10, 20):
            return found
    raise OaiError("badArgument", "A date is written YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ.")


# --- resumption ---------------------------------------------------------------------------------------------------------
def token_of(asked: Asked, place: Place) -> str:
    """Everything that the next page needs."""
    content = [
        asked.prefix,
        asked.set_spec,
        asked.since.timestamp() if asked.since else None,
        asked.before.timestamp() if asked.before else None,
        place.stamp.timestamp(),
        place.programme_id,
        place.cursor,
    ]
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _from_token(verb: str, token: str) -> Asked:
    """Raises OaiError for what we never gave out."""
    bad = OaiError("badResumptionToken", "The resumptionToken is not one of ours.")
    if verb == "ListSets" or not token or len(token) > LONGEST_TOKEN:
        raise bad
    try:
        content = json.loads(base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True))
        prefix, set_spec, since, before, stamp, programme_id, cursor = content
        times = [datetime.fromtimestamp(at, UTC) if at is not None else None for at in (since, before, stamp)]
        is_fine = prefix in FORMATS and isinstance(programme_id, str) and isinstance(cursor, int)
        is_fine = is_fine and (set_spec is None or isinstance(set_spec, str))
    except (ValueError, TypeError, OverflowError, OSError, binascii.Error, RecursionError) as error:
        raise bad from error
    if not is_fine or times[2] is None:
        raise bad
    place = Place(times[2], programme_id, cursor)
    return Asked(verb, None, prefix, times[0], times[1], set_spec, place)


def next_token(asked: Asked, records: Sequence[Record], *, is_more: bool) -> tuple[str | None, int]:
    """The token behind these records (None: the list is whole; empty: this was its last page), and their cursor."""
    cursor = asked.behind.cursor if asked.behind else 0
    if is_more:
        last = records[-1]
        return token_of(asked, Place(last.stamp, last.programme_id, cursor + len(records))), cursor
    return ("" if asked.behind else None), cursor


# --- answers ------------------------------------------------------------------------------------------------------------
def answer(
    repository: Repository, asked: Asked | None, content: Sequence[ET.Element], now: datetime
) -> bytes:
    """A whole answer; ``asked`` None leaves the request's arguments out, as the protocol wants it of bad ones."""
    root = ET.Element(f"{{{OAI}}}OAI-PMH", {f"{{{XSI}}}schemaLocation": f"{OAI} {OAI_SCHEMA}"})
    _sub(root, "responseDate", stamp_text(now))
    request = _sub(root, "request", repository.url)
    if asked is not None:
        for name, value in _said(asked).items():
            request.set(name, value)
    root.extend(content)
    return _written(root)


def error(code: str, text: str) -> ET.Element:
    element = ET.Element(f"{{{OAI}}}error", {"code": code})
    element.text = text
    return element


def _said(asked: Asked) -> dict[str, str]:
    given = {
        "verb": asked.verb,
        "identifier": asked.identifier,
        "metadataPrefix": asked.prefix,
        "set": asked.set_spec,
    }
    return {name: value for name, value in given.items() if value is not None}


def identify(repository: Repository) -> ET.Element:
    element = ET.Element(f"{{{OAI}}}Identify")
    for name, value in (
        ("repositoryName", repository.name),
        ("baseURL", repository.url),
        ("protocolVersion", "2.0"),
        ("adminEmail", repository.email),
        ("earliestDatestamp", stamp_text(repository.earliest)),
        ("deletedRecord", "persistent"),
        ("granularity", "YYYY-MM-DDThh:mm:ssZ"),
    ):
        _sub(element, name, value)
    return element


def list_formats() -> ET.Element:
    element = ET.Element(f"{{{OAI}}}ListMetadataFormats")
    for prefix, (schema, namespace) in FORMATS.items():
        one = _sub(element, "metadataFormat")
        _sub(one, "metadataPrefix", prefix)
        _sub(one, "schema", schema)
        _sub(one, "metadataNamespace", namespace)
    return element


def list_sets(sets: Sequence[tuple[str, str]]) -> ET.Element:
    element = ET.Element(f"{{{OAI}}}ListSets")
    for spec, name in sets:
        one = _sub(element, "set")
        _sub(one, "setSpec", spec)
        _sub(one, "setName", name)
    return element


def get_record(record: Record, prefix: str) -> ET.Element:
    element = ET.Element(f"{{{OAI}}}GetRecord")
    element.append(_record(record, prefix))
    return element


def list_records(asked: Asked, records: Sequence[Record], *, is_more: bool) -> ET.Element:
    """A page of ListRecords or ListIdentifiers. Raises OaiError when it is empty."""
    if not records:
        raise OaiError("noRecordsMatch", "No records match.")
    element = ET.Element(f"{{{OAI}}}{asked.verb}")
    for record in records:
        is_short = asked.verb == "ListIdentifiers"
        element.append(_header(record) if is_short else _record(record, asked.prefix or "oai_dc"))
    token, cursor = next_token(asked, records, is_more=is_more)
    if token is not None:
        _sub(element, "resumptionToken", token).set("cursor", str(cursor))
    return element


def _record(record: Record, prefix: str) -> ET.Element:
    element = ET.Element(f"{{{OAI}}}record")
    element.append(_header(record))
    if record.item is not None:
        item = replace(record.item, identifier=identifier_of(record.programme_id))
        _sub(element, "metadata").append(
            lom_record(item) if prefix == "lom" else dublin_core(item, record.creator)
        )
    return element


def _header(record: Record) -> ET.Element:
    header = ET.Element(f"{{{OAI}}}header", {"status": "deleted"} if record.item is None else {})
    _sub(header, "identifier", identifier_of(record.programme_id))
    _sub(header, "datestamp", stamp_text(record.stamp))
    for spec in record.sets:
        _sub(header, "setSpec", spec)
    return header


def dublin_core(item: LomItem, creator: str) -> ET.Element:
    """The fifteen elements of Dublin Core as far as we know them."""
    root = ET.Element(f"{{{OAI_DC}}}dc", {f"{{{XSI}}}schemaLocation": f"{OAI_DC} {OAI_DC_SCHEMA}"})
    subjects = [*item.tags, *(name for _slug, name in (item.section, *item.sections) if name)]
    said: list[tuple[str, str]] = [
        ("title", item.title),
        ("creator", creator),
        *(("subject", subject) for subject in subjects),
        ("description", item.summary),
        ("publisher", item.publisher),
        ("date", item.released_on),
        ("type", DCMI_TYPES.get(item.kind, "MovingImage")),
        ("format", item.mime),
        ("identifier", item.identifier),
        ("identifier", item.location),
        ("source", item.rights_source),
        ("language", item.language),
        ("relation", item.course[1] if item.course else ""),
        ("coverage", item.place),
        ("rights", item.rights_licence),
    ]
    for name, value in said:
        if value:
            ET.SubElement(root, f"{{{DC}}}{name}").text = value
    return root


def identifier_of(programme_id: str) -> str:
    return f"{IDENTIFIER}{programme_id}"


def programme_of(identifier: str) -> str:
    """The programme an identifier names. Raises OaiError."""
    if not identifier.startswith(IDENTIFIER):
        raise OaiError("idDoesNotExist", "There is no such identifier here.")
    return identifier.removeprefix(IDENTIFIER)


def stamp_text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _sub(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, f"{{{OAI}}}{name}")
    child.text = text
    return child


def _written(root: ET.Element) -> bytes:
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="utf-8")
