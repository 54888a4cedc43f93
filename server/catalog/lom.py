"""Metadata of learning resources for others: an IEEE 1484.12.1 LOM record, and the same fields flat for spreadsheets. Pure.

CELTS-42 (基础教育教学资源元数据) takes its elements from LOM; we use the elements' names and vocabularies. The binding is
IEEE 1484.12.3 (XML). What LOM has no element for (农时, the place) stands in ``general.coverage``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

LOM_NAMESPACE = "http://ltsc.ieee.org/xsd/LOM"
LOM_SCHEMA = "http://ltsc.ieee.org/xsd/lomv1.0/lom.xsd"
SCHEMAS = ("LOMv1.0", "CELTS-42")
RESOURCE_TYPES = {"video": "lecture", "audio": "lecture", "courseware": "slide"}
"""By kind of programme, from LOMv1.0's vocabulary of learning resource types."""

CELTS_NAMES: dict[str, str] = {
    "general.identifier": "标识符",
    "general.title": "标题",
    "general.language": "语种",
    "general.description": "描述",
    "general.keyword": "关键字",
    "general.coverage": "覆盖范围",
    "general.aggregationLevel": "聚合度",
    "lifeCycle.version": "版本",
    "lifeCycle.status": "状态",
    "lifeCycle.contribute": "贡献者",
    "lifeCycle.date": "日期",
    "technical.format": "格式",
    "technical.size": "大小",
    "technical.location": "位置",
    "technical.duration": "持续时间",
    "educational.learningResourceType": "学习资源类型",
    "educational.intendedEndUserRole": "适用对象",
    "educational.description": "适用对象说明",
    "rights.cost": "费用",
    "rights.copyrightAndOtherRestrictions": "版权和其他限制",
    "rights.description": "权利描述",
    "relation.resource": "关联资源",
    "classification.taxonPath": "分类路径",
}
"""The elements in the order of an export, with the names they have in Chinese."""


@dataclass(frozen=True, kw_only=True)
class LomItem:
    """A programme as others should find it. ``released_on`` is a date (2026-12-05), ``size`` in bytes, ``section`` and
    ``sections`` are (slug, name) pairs, ``location`` the URL of its page or file."""

    identifier: str
    title: str
    summary: str = ""
    language: str = "zh"
    tags: Sequence[str] = ()
    kind: str = "video"
    version: str = "1"
    status: str = "final"
    """LOM's vocabulary: draft, final, revised, unavailable."""
    publisher: str = ""
    released_on: str = ""
    mime: str = "video/mp4"
    size: int | None = None
    location: str = ""
    duration_ms: int | None = None
    section: tuple[str, str] = ("", "")
    sections: Sequence[tuple[str, str]] = ()
    audience: str = ""
    months: Sequence[int] = ()
    place: str = ""
    course: tuple[str, str] | None = None
    """(id, title) of the course it belongs to."""
    rights_source: str = ""
    rights_licence: str = ""
    rights_until: str = ""


def lom_fields(item: LomItem) -> dict[str, str]:
    """The record flat, by LOM path, in the order of :data:`CELTS_NAMES`; several values are joined by ``；``."""
    return {
        "general.identifier": item.identifier,
        "general.title": item.title,
        "general.language": item.language,
        "general.description": item.summary,
        "general.keyword": "；".join(item.tags),
        "general.coverage": "；".join(_coverage(item)),
        "general.aggregationLevel": "2",
        "lifeCycle.version": item.version,
        "lifeCycle.status": item.status,
        "lifeCycle.contribute": item.publisher,
        "lifeCycle.date": item.released_on,
        "technical.format": item.mime,
        "technical.size": "" if item.size is None else str(item.size),
        "technical.location": item.location,
        "technical.duration": iso_duration(item.duration_ms),
        "educational.learningResourceType": RESOURCE_TYPES.get(item.kind, "lecture"),
        "educational.intendedEndUserRole": "learner",
        "educational.description": item.audience,
        "rights.cost": "no",
        "rights.copyrightAndOtherRestrictions": "yes",
        "rights.description": _rights(item),
        "relation.resource": item.course[1] if item.course else "",
        "classification.taxonPath": "；".join(name for _, name in _sections(item)),
    }


def lom_record(item: LomItem) -> ET.Element:
    """The record as IEEE 1484.12.3 binds it: a ``lom`` element in its namespace, its parts in the order of the schema."""
    root = ET.Element(f"{{{LOM_NAMESPACE}}}lom")
    _general(root, item)
    _life_cycle(root, item)
    _meta(root, item)
    _technical(root, item)
    educational = _sub(root, "educational")
    _vocabulary(educational, "learningResourceType", RESOURCE_TYPES.get(item.kind, "lecture"))
    _vocabulary(educational, "intendedEndUserRole", "learner")
    _vocabulary(educational, "context", "training")
    if item.audience:
        _text(educational, "description", item.audience, item.language)
    rights = _sub(root, "rights")
    _vocabulary(rights, "cost", "no")
    _vocabulary(rights, "copyrightAndOtherRestrictions", "yes")
    if _rights(item):
        _text(rights, "description", _rights(item), item.language)
    if item.course:
        _part_of(root, item.course, item.language)
    for slug, name in _sections(item):
        _taxon(root, slug, name, item.language)
    return root


def iso_duration(duration_ms: int | None) -> str:
    """Milliseconds as ISO 8601 writes them: ``PT1H2M3S``; empty for none."""
    if duration_ms is None:
        return ""
    seconds = round(duration_ms / 1000)
    parts = [(seconds // 3600, "H"), (seconds // 60 % 60, "M"), (seconds % 60, "S")]
    return "PT" + ("".join(f"{count}{unit}" for count, unit in parts if count) or "0S")


# --- parts of the record ----------------------------------------------------------------------------------------------
def _general(root: ET.Element, item: LomItem) -> None:
    general = _sub(root, "general")
    _identifier(general, item.identifier)
    _text(general, "title", item.title, item.language)
    _sub(general, "language", item.language)
    if item.summary:
        _text(general, "description", item.summary, item.language)
    for tag in item.tags:
        _text(general, "keyword", tag, item.language)
    for place in _coverage(item):
        _text(general, "coverage", place, item.language)
    _vocabulary(general, "aggregationLevel", "2")


def _life_cycle(root: ET.Element, item: LomItem) -> None:
    life_cycle = _sub(root, "lifeCycle")
    _text(life_cycle, "version", item.version, item.language)
    _vocabulary(life_cycle, "status", item.status)
    if item.publisher or item.released_on:
        contribute = _sub(life_cycle, "contribute")
        _vocabulary(contribute, "role", "publisher")
        if item.publisher:
            name = item.publisher.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
            _sub(contribute, "entity", f"BEGIN:VCARD\nVERSION:3.0\nFN:{name}\nORG:{name}\nEND:VCARD")
        if item.released_on:
            _sub(_sub(contribute, "date"), "dateTime", item.released_on)


def _meta(root: ET.Element, item: LomItem) -> None:
    meta = _sub(root, "metaMetadata")
    for schema in SCHEMAS:
        _sub(meta, "metadataSchema", schema)
    _sub(meta, "language", item.language)


def _technical(root: ET.Element, item: LomItem) -> None:
    technical = _sub(root, "technical")
    _sub(technical, "format", item.mime)
    if item.size is not None:
        _sub(technical, "size", str(item.size))
    if item.location:
        _sub(technical, "location", item.location)
    if item.duration_ms is not None:
        _sub(_sub(technical, "duration"), "duration", iso_duration(item.duration_ms))


def _part_of(root: ET.Element, course: tuple[str, str], language: str) -> None:
    relation = _sub(root, "relation")
    _vocabulary(relation, "kind", "ispartof")
    resource = _sub(relation, "resource")
    _identifier(resource, course[0])
    _text(resource, "description", course[1], language)


def _taxon(root: ET.Element, slug: str, name: str, language: str) -> None:
    classification = _sub(root, "classification")
    _vocabulary(classification, "purpose", "discipline")
    path = _sub(classification, "taxonPath")
    _text(path, "source", "远程教育板块", language)
    taxon = _sub(path, "taxon")
    _sub(taxon, "id", slug)
    _text(taxon, "entry", name, language)


def _sections(item: LomItem) -> Iterator[tuple[str, str]]:
    yield from (pair for pair in (item.section, *item.sections) if pair[0])


def _coverage(item: LomItem) -> list[str]:
    season = "、".join(f"{month}月" for month in item.months)
    return [text for text in (item.place, season) if text]


def _rights(item: LomItem) -> str:
    until = f"有效至 {item.rights_until}" if item.rights_until else ""
    return "；".join(text for text in (item.rights_source, item.rights_licence, until) if text)


def _identifier(parent: ET.Element, entry: str) -> None:
    identifier = _sub(parent, "identifier")
    _sub(identifier, "catalog", "URI")
    _sub(identifier, "entry", entry)


def _vocabulary(parent: ET.Element, name: str, value: str) -> None:
    element = _sub(parent, name)
    _sub(element, "source", "LOMv1.0")
    _sub(element, "value", value)


def _text(parent: ET.Element, name: str, text: str, language: str) -> None:
    string = _sub(_sub(parent, name), "string", text)
    string.set("language", language)


def _sub(parent: ET.Element, name: str, text: str | None = None) -> ET.Element:
    element = ET.SubElement(parent, f"{{{LOM_NAMESPACE}}}{name}")
    if text is not None:
        element.text = "".join(letter for letter in text if _fits_xml(ord(letter)))
    return element


def _fits_xml(code: int) -> bool:
    """Whether XML 1.0 may hold the character."""
    return code in (0x9, 0xA, 0xD) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
