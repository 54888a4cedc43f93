"""Signed documents: one content, one sequence of bytes; hostile bytes are refused with a reason."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import documents as d
from protocol.errors import MalformedDocument

EDITION = "01a20000-0000-7000-8000-000000000001"
RELEASE = "ab" * 32
AT = "2026-12-05T11:00:00.000Z"
WHY = d.Why(rule="slot", level="province", region="13", by="省编")
ITEM = d.Item(id="1", starts_at=AT, duration_ms=60_000, edition=EDITION, release=RELEASE, why=WHY)
FRAME = d.Frame(
    region="13",
    serial=3,
    valid_from=AT,
    valid_until="2026-12-19T11:00:00.000Z",
    channels=[
        d.FrameChannel(
            id="main",
            name="综合频道",
            items=[ITEM],
            windows=[d.Window(id="w", starts_at=AT, ends_at=AT, level="county")],
            fillers=[d.Ref(edition=EDITION, release=RELEASE, duration_ms=1)],
        )
    ],
)
EVERY_KIND = [
    FRAME,
    d.LocalDocument(
        region="130123",
        serial=1,
        valid_from=AT,
        valid_until=AT,
        channels=[d.LocalChannel(id="main", items=[ITEM])],
        notices=[d.Notice(id="n", text="今晚停电", region="130123", starts_at=AT, until=AT)],
    ),
    d.Recall(serial=2, recalled=[d.RecalledRelease(edition=EDITION, release=RELEASE, at=AT, reason="有误")]),
    d.Emergency(
        serial=1, items=[d.EmergencyItem(id="e", starts_at=AT, ends_at=AT, regions=["13"], text="暴雨")]
    ),
    d.Network(
        serial=1,
        endpoints=d.Endpoints(api="http://127.0.0.1:8080/api/v1", read=["http://127.0.0.1:8081"]),
        receipt_keys=[d.ReceiptKey(keyid="0" * 16, public="A" * 44)],
        successions=[d.Succession(merged="130181", into="1301")],
    ),
    d.ReleaseManifest(
        edition=EDITION,
        programme=EDITION,
        number=0,
        title="冬小麦",
        section="nongye",
        duration_ms=1,
        source_sha256=RELEASE,
        recipe_sha256=RELEASE,
        renditions=[],
    ),
]


@pytest.mark.parametrize("document", EVERY_KIND, ids=lambda document: type(document).__name__)
def test_a_document_comes_back_as_it_was(document):
    assert d.decode(d.encode(document), type(document)) == document


@pytest.mark.parametrize("document", EVERY_KIND, ids=lambda document: type(document).__name__)
def test_the_bytes_are_canonical_json(document):
    data = d.encode(document)

    again = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert data == again


def test_the_bytes_of_a_frame_are_pinned():
    """A change here breaks every station in the field: signatures cover these bytes."""
    assert hashlib.sha256(d.encode(FRAME)).hexdigest() == (
        "e00fd313bf1d6aaedba06fcdbd59dfecdc005a9c12d2159a9b4f480de40afab1"
    )


def test_unknown_fields_are_ignored_so_that_fields_can_be_added():
    content = json.loads(d.encode(FRAME))
    content["later"] = {"a": [1]}
    content["channels"][0]["colour"] = "red"

    assert d.decode(json.dumps(content).encode(), d.Frame) == FRAME


def test_a_newer_version_is_refused():
    newer = d.encode(msgspec.structs.replace(FRAME, v=2))

    with pytest.raises(MalformedDocument, match="newer"):
        d.decode(newer, d.Frame)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("region", "1"),
        ("region", "13/../14"),
        ("serial", -1),
        ("serial", "3"),
        ("valid_until", "2026-12-05 11:00"),
        ("valid_until", "2026-12-05T11:00:00Z"),
        ("channels", None),
        ("channels", [{"id": "main"}]),
    ],
)
def test_a_field_out_of_its_range_is_refused(field, value):
    content = json.loads(d.encode(FRAME))
    content[field] = value

    with pytest.raises(MalformedDocument):
        d.decode(json.dumps(content).encode(), d.Frame)


@pytest.mark.parametrize(
    ("field", "value"),
    [("duration_ms", 0), ("release", RELEASE.upper()), ("edition", "1"), ("starts_at", ""), ("why", {})],
)
def test_an_item_out_of_its_range_is_refused(field, value):
    content = json.loads(d.encode(FRAME))
    content["channels"][0]["items"][0][field] = value

    with pytest.raises(MalformedDocument):
        d.decode(json.dumps(content).encode(), d.Frame)


def test_an_emergency_text_has_at_most_200_characters():
    content = json.loads(d.encode(EVERY_KIND[3]))
    content["items"][0]["text"] = "雨" * 201

    with pytest.raises(MalformedDocument):
        d.decode(json.dumps(content).encode(), d.Emergency)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 5_000, b'{"v":1}'])
def test_what_is_no_document_is_refused(data):
    with pytest.raises(MalformedDocument):
        d.decode(data, d.Frame)


@given(st.binary(max_size=300))
def test_no_bytes_do_worse_than_being_refused(data):
    for kind in (d.Frame, d.LocalDocument, d.ReleaseManifest, d.Network):
        with pytest.raises(MalformedDocument):
            d.decode(data, kind)


@given(st.text(max_size=60), st.integers(min_value=0, max_value=2**53))
def test_any_text_survives_the_canonical_form(text, serial):
    recall = d.Recall(
        serial=serial, recalled=[d.RecalledRelease(edition=EDITION, release=RELEASE, at=AT, reason=text)]
    )

    assert d.decode(d.encode(recall), d.Recall) == recall
