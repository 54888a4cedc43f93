"""A county's edit reaches its village by itself; what must wait waits for a second person; and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from protocol.documents import Frame, LocalDocument, decode
from protocol.times import SHANGHAI
from tests.flow.province import Province, wait_until
from tests.flow.test_journey import publish_programme

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]

COUNTY = "130123"


def served(province: Province, role: str, target: str) -> bytes | None:
    """A document's bytes as the read plane serves them now, found as a terminal finds them."""
    metadata = province.data / "read" / "r" / "metadata"
    timestamp = json.loads((metadata / "timestamp.json").read_bytes())
    number = timestamp["signed"]["meta"]["snapshot.json"]["version"]
    snapshot = json.loads((metadata / f"{number}.snapshot.json").read_bytes())
    version = snapshot["signed"]["meta"][f"{role}.json"]["version"]
    named = json.loads((metadata / f"{version}.{role}.json").read_bytes())["signed"]["targets"].get(target)
    if named is None:
        return None
    folder, _, name = target.rpartition("/")
    path = province.data / "read" / "r" / "targets" / folder / f"{named['hashes']['sha256']}.{name}"
    return path.read_bytes()


def county_items(province: Province) -> list[str]:
    data = served(province, "local-1301", f"local/1301/{COUNTY}.json")
    if data is None:
        return []
    return [item.id for channel in decode(data, LocalDocument).channels for item in channel.items]


def frame_items(province: Province) -> list[str]:
    data = served(province, "frame", "frame/13.json")
    assert data is not None
    return [item.id for channel in decode(data, Frame).channels for item in channel.items]


def put(province: Province, role: str, region: str, at: datetime, programme: str) -> dict[str, Any]:
    return province.command(
        role,
        "schedule",
        "put",
        "--region",
        region,
        "--at",
        at.isoformat(),
        "--programme",
        programme,
        "--json",
    ).json


def test_a_countys_edit_goes_out_by_itself_and_the_provinces_waits_for_a_second_person(
    province: Province,
) -> None:
    programme = publish_programme(province)
    before = frame_items(province)
    tomorrow = datetime.now(UTC).astimezone(SHANGHAI) + timedelta(days=1)

    local = put(
        province,
        "county_editor",
        COUNTY,
        tomorrow.replace(hour=20, minute=10, second=0, microsecond=0),
        programme["id"],
    )
    wait_until(lambda: local["id"] in county_items(province), "the county's edit to be served")

    listed = province.command("county_editor", "publish", "list", "--json").json["items"]
    assert (listed[0]["kind"], listed[0]["state"]) == ("unattended", "done")
    shown = province.command("county_editor", "publish", "show", str(listed[0]["number"]), "--json").json
    [change] = shown["changes"]["documents"]
    assert change["region"] == COUNTY
    assert [line["rule"] for line in change["lines"]] == [f"slot:{local['id']}"]

    framed = put(
        province,
        "province_editor",
        "13",
        tomorrow.replace(hour=15, minute=0, second=0, microsecond=0),
        programme["id"],
    )

    def waiting() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = province.command("province_admin", "publish", "queue", "--json").json[
            "items"
        ]
        return items

    [queued] = wait_until(waiting, "the province's edit to be queued")
    assert [reason["code"] for reason in queued["reasons"]] == ["frame"]
    assert frame_items(province) == before
    own = province.command("province_editor", "publish", "approve", queued["id"])
    assert (own.status, own.err.count("\n")) == (1, 1)
    approved = province.command("province_admin", "publish", "approve", queued["id"], "--json").json
    assert approved["state"] == "approved"
    wait_until(lambda: framed["id"] in frame_items(province), "the approved edit to be served")

    first = listed[0]["number"]
    back = province.command("province_admin", "publish", "rollback", str(first), "--json").json
    assert back["changed"]
    assert frame_items(province) == before
    assert county_items(province) == [local["id"]]
    compared = province.command(
        "province_admin", "publish", "compare", str(first), str(back["number"]), "--json"
    ).json
    assert compared["documents"] == []
    again = province.command("province_admin", "publish", "--json").json
    assert again["changed"]
    assert framed["id"] in frame_items(province)
