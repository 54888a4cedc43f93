"""The rules of OAI-PMH.xsd for an answer, said in our own words as RELAX NG."""

from __future__ import annotations

from lxml import etree

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_VERBS = "Identify|ListMetadataFormats|ListSets|GetRecord|ListIdentifiers|ListRecords"
_CODES = (
    "cannotDisseminateFormat idDoesNotExist badArgument badVerb noMetadataFormats noRecordsMatch badResumptionToken "
    "noSetHierarchy"
)


def _pattern(pattern: str) -> str:
    return f'<data type="string"><param name="pattern">{pattern}</param></data>'


def _one(name: str, content: str = "<text/>") -> str:
    return f'<element name="{name}">{content}</element>'


def _many(content: str) -> str:
    return f"<oneOrMore>{content}</oneOrMore>"


_ANY = "<ref name='any'/>"
_HEADER = _one(
    "header",
    '<optional><attribute name="status"><value>deleted</value></attribute></optional>'
    + _one("identifier", '<data type="anyURI"/>')
    + _one("datestamp", _pattern(_TIME))
    + f"<zeroOrMore>{_one('setSpec', _pattern(r'[A-Za-z0-9_.!~*()-]+'))}</zeroOrMore>",
)
_RECORD = _one("record", _HEADER + f"<optional>{_one('metadata', _ANY)}</optional>")
_TOKEN = (
    '<optional><element name="resumptionToken"><optional><attribute name="cursor"><data type="nonNegativeInteger"/>'
    "</attribute></optional><text/></element></optional>"
)
_IDENTIFY = _one(
    "Identify",
    _one("repositoryName") + _one("baseURL", '<data type="anyURI"/>') + _one("protocolVersion", "<value>2.0</value>")
    + _one("adminEmail", _pattern(r"\S+@(\S+\.)+\S+")) + _one("earliestDatestamp", _pattern(_TIME))
    + _one("deletedRecord", "<choice><value>no</value><value>persistent</value><value>transient</value></choice>")
    + _one("granularity", "<value>YYYY-MM-DDThh:mm:ssZ</value>"),
)  # fmt: skip
_FORMAT = _one("metadataFormat", _one("metadataPrefix") + _one("schema") + _one("metadataNamespace"))
_ERROR = (
    '<element name="error"><attribute name="code"><choice>'
    + "".join(f"<value>{code}</value>" for code in _CODES.split())
    + "</choice></attribute><text/></element>"
)
_CONTENT = "<choice>" + "".join(
    [
        _many(_ERROR), _IDENTIFY, _one("ListMetadataFormats", _many(_FORMAT)),
        _one("ListSets", _many(_one("set", _one("setSpec") + _one("setName")))), _one("GetRecord", _RECORD),
        _one("ListIdentifiers", _many(_HEADER) + _TOKEN), _one("ListRecords", _many(_RECORD) + _TOKEN),
    ]
) + "</choice>"  # fmt: skip
_REQUEST = (
    '<element name="request"><optional><attribute name="verb">'
    + _pattern(_VERBS)
    + "</attribute></optional>"
    + "".join(
        f'<optional><attribute name="{name}"><text/></attribute></optional>'
        for name in ("identifier", "metadataPrefix", "set", "from", "until", "resumptionToken")
    )
    + '<data type="anyURI"/></element>'
)
_GRAMMAR = (
    '<grammar xmlns="http://relaxng.org/ns/structure/1.0" ns="http://www.openarchives.org/OAI/2.0/" '
    'datatypeLibrary="http://www.w3.org/2001/XMLSchema-datatypes"><start><element name="OAI-PMH">'
    '<attribute ns="http://www.w3.org/2001/XMLSchema-instance" name="schemaLocation"/>'
    + _one("responseDate", _pattern(_TIME)) + _REQUEST + _CONTENT
    + "</element></start><define name='any'><element><anyName/><zeroOrMore><choice><attribute><anyName/></attribute>"
    "<text/><ref name='any'/></choice></zeroOrMore></element></define></grammar>"
)  # fmt: skip
RULES = etree.RelaxNG(etree.fromstring(_GRAMMAR))


def check(content: bytes) -> etree._Element:
    """The answer as XML. Raises AssertionError where a rule is broken."""
    root = etree.fromstring(content)
    RULES.assertValid(root)
    return root
