"""Places the demonstration's week, uses the county's window, and publishes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from protocol.times import SHANGHAI
from server import clock
from server.client import ApiClient, ApiError
from server.console.demo.errors import DemoFailed
from server.console.demo.week import Place, county, week
from server.i18n import N_
from server.publish.commands import wait_for

if TYPE_CHECKING:
    from server.console.demo import Desk

PUBLISHED_WITHIN_S = 120
RETRY_S = 1.0
TEMPLATE = "标准周"


def fill_week(desk: Desk, released: Mapping[str, str]) -> None:
    """Place what is not there yet. Fillers need no rule: every short released programme is one."""
    places = week(clock.now().astimezone(SHANGHAI).date())
    placed = _place(desk, desk["province_editor"], places, released)
    if placed:
        desk.say(f"✓ 一周节目已编排，{placed} 个时段 / the week is scheduled")
    _keep_week(desk["province_editor"])


def _keep_week(api: ApiClient) -> None:
    """The week is kept as a template, so that the next one is a press away."""
    if any(kept["name"] == TEMPLATE for kept in api.get("/api/v1/schedule/templates", region="13")["items"]):
        return
    today = clock.now().astimezone(SHANGHAI).date()
    monday = today - timedelta(days=today.weekday())
    body = {"region": "13", "name": TEMPLATE, "day": monday.isoformat(), "days": 7}
    api.post("/api/v1/schedule/templates", body)


def use_window(desk: Desk, released: Mapping[str, str]) -> None:
    """正定县 places its own choice in the daily county window."""
    place = county(clock.now().astimezone(SHANGHAI).date())
    if _place(desk, desk["county_editor"], [place], released):
        desk.say(f"✓ 正定县在地方窗口排了《{place.title}》 / the county uses its local window")


def _place(desk: Desk, api: ApiClient, places: list[Place], released: Mapping[str, str]) -> int:
    known = {_key(slot) for slot in api.pages("/api/v1/slots", region=places[0].region)}
    placed = 0
    for place in places:
        desk.go_on()
        programme = released[place.title]
        if (place.region, programme, place.rrule, place.starts_at.time().isoformat()) in known:
            continue
        api.post(
            "/api/v1/slots",
            {
                "region": place.region,
                "at": place.starts_at.isoformat(),
                "programme": programme,
                "rrule": place.rrule,
                "required": place.required,
            },
        )
        placed += 1
    return placed


def _key(slot: dict[str, Any]) -> tuple[str, str, str | None, str]:
    """What makes two series the same whatever week they began in."""
    wall = datetime.fromisoformat(slot["starts_at"]).astimezone(SHANGHAI).time().isoformat()
    return slot["region"], slot["programme"], slot["rrule"], wall


def publish(desk: Desk) -> None:
    """Sign and serve it all. Raises DemoFailed when a signer holds something back."""
    api = desk["province_admin"]
    answer = _patiently(desk, api)
    if answer["held_back"]:
        held = answer["held_back"][0]
        reasons = "；".join(reason["text"] for reason in held["reasons"])
        raise DemoFailed(N_("《%(title)s》没有获准签发：%(reason)s"), title=held["title"], reason=reasons)
    desk.say(f"✓ 已签名发布，第 {answer['number']} 号 / signed and published")


def _patiently(desk: Desk, api: ApiClient) -> dict[str, Any]:
    """Publish; another publication under way is waited for."""
    deadline = time.monotonic() + PUBLISHED_WITHIN_S
    while True:
        desk.go_on()
        try:
            return wait_for(api, "/api/v1/publications", go_on=desk.go_on)
        except ApiError as error:
            if error.status not in (409, 503) or time.monotonic() > deadline:
                raise
        desk.say("… 等待另一次发布结束 / waiting for another publication")
        time.sleep(RETRY_S)
