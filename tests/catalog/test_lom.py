"""Metadata for others: LOM records and their flat form."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from server.catalog.lom import CELTS_NAMES, LOM_NAMESPACE, LomItem, iso_duration, lom_fields, lom_record

ITEM = LomItem(
    identifier="urn:uuid:01a20000-0000-7000-8000-000000000002",
    title="苹果冬剪",
    summary="讲修剪。\n\x00分四步。",
    tags=("苹果", "修剪"),
    publisher="省农林科学院",
    released_on="2026-12-05",
    size=1_000,
    location="https://example.org/p/1",
    duration_ms=1_503_000,
    section=("nongji", "农业科技"),
    sections=(("zhifu", "致富信息"),),
    audience="果农",
    months=(12, 1),
    place="正定县",
    course=("urn:uuid:01a20000-0000-7000-8000-000000000003", "果树四季"),
    rights_licence="全省使用",
)
IN = {"l": LOM_NAMESPACE}


def test_a_record_names_its_parts_in_the_order_of_the_schema() -> None:
    record = ET.fromstring(ET.tostring(lom_record(ITEM)))
    parts = [child.tag.removeprefix(f"{{{LOM_NAMESPACE}}}") for child in record]
    assert parts == [
        *("general", "lifeCycle", "metaMetadata", "technical", "educational", "rights", "relation"),
        *("classification", "classification"),
    ]
    assert record.findtext("l:general/l:title/l:string", None, IN) == "苹果冬剪"
    assert [k.text for k in record.findall("l:general/l:keyword/l:string", IN)] == ["苹果", "修剪"]
    assert record.findtext("l:technical/l:duration/l:duration", None, IN) == "PT25M3S"
    assert [t.text for t in record.findall("l:classification/l:taxonPath/l:taxon/l:id", IN)] == [
        "nongji",
        "zhifu",
    ]


def test_what_xml_cannot_hold_is_left_out() -> None:
    record = ET.fromstring(ET.tostring(lom_record(ITEM)))
    assert record.findtext("l:general/l:description/l:string", None, IN) == "讲修剪。\n分四步。"


def test_a_record_of_almost_nothing_is_still_one() -> None:
    record = lom_record(LomItem(identifier="x", title="标题"))
    assert record.find("l:relation", IN) is None
    assert record.find("l:technical/l:size", IN) is None


def test_every_flat_field_has_a_chinese_name() -> None:
    assert list(lom_fields(ITEM)) == list(CELTS_NAMES)
    assert lom_fields(ITEM)["general.coverage"] == "正定县；12月、1月"


@pytest.mark.parametrize(
    ("ms", "text"), [(None, ""), (0, "PT0S"), (400, "PT0S"), (61_000, "PT1M1S"), (36_000_000, "PT10H")]
)
def test_durations_are_written_as_iso_8601_does(ms: int | None, text: str) -> None:
    assert iso_duration(ms) == text
