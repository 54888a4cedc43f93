"""From a film to a released programme, as an editor, a partner and three reviewers would do it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from server.catalog.sending import send_file
from server.client import ApiClient
from server.console import films
from server.console.demo.errors import DemoFailed
from server.i18n import N_

if TYPE_CHECKING:
    from server.console.demo import Desk

CLIP_PATH = Path(__file__).resolve().parents[3] / "tests" / "media" / films.CLIP.file
PARTNERS_FILM = "冬小麦返青管理"
"""Comes from the partner department, everything else from the province's own editor."""

ENCODED_WITHIN_S = 900
POLL_S = 0.5
SAY_NEWS_EVERY_S, SAY_ANYTHING_EVERY_S = 4.0, 15.0

STAGES = (
    ("first_review", "first_reviewer", "first", "内容准确，画面、字幕清楚，同意。"),
    ("second_review", "second_reviewer", "second", "导向正确，同意送终审。"),
    ("final_review", "final_reviewer", "final", "同意发布。"),
)
"""State, who decides, the stage's name, what he says."""


@dataclass
class _Item:
    """One programme on its way."""

    info: films.FilmInfo
    path: Path
    id: str = ""
    seen: str = ""

    @property
    def contributor(self) -> str:
        return "partner" if self.info.title == PARTNERS_FILM else "province_editor"


def release_all(desk: Desk) -> dict[str, str]:
    """Make, upload, review and release every programme; returns their ids by title.

    A film is uploaded as soon as it is drawn, so that it is encoded while the next ones are drawn.

    Raises DemoFailed when a file is refused or encoding does not end, Stopped.
    """
    folder = desk.folder / "films"
    items = [_Item(info, folder / info.file) for info in films.FILMS]
    items.append(_Item(films.CLIP, CLIP_PATH))
    for item in items:
        item.id = _find(desk[item.contributor], item.info.title) or ""
    _hand_in(desk, items[-1])
    if any(not item.id for item in items):
        _draw(desk, items, folder)
    for item in items:
        _hand_in(desk, item)
    _wait(desk, items)
    return {item.info.title: item.id for item in items}


def _draw(desk: Desk, items: list[_Item], folder: Path) -> None:
    by_title = {item.info.title: item for item in items}

    def drawn(title: str, done: int, total: int) -> None:
        desk.say(f"  节目制作 {done}/{total}　《{title}》 / film drawn")
        _hand_in(desk, by_title[title])
        desk.go_on()

    desk.say("… 正在绘制演示节目，约一分钟 / drawing the demonstration films, about a minute")
    films.make_all(folder, drawn, desk.is_stopping)
    desk.go_on()


def _find(api: ApiClient, title: str) -> str | None:
    """The programme of exactly this title, when it is there already."""
    found = [item["id"] for item in api.pages("/api/v1/programmes", q=title) if item["title"] == title]
    return found[0] if found else None


def _hand_in(desk: Desk, item: _Item) -> None:
    """Upload and submit, unless that happened before."""
    desk.go_on()
    api = desk[item.contributor]
    if not item.id:
        item.id = _upload(api, item)
    if _state(api, item)["state"] == "draft":
        api.post(f"/api/v1/editions/{item.id}/submit")
        desk.say(f"✓ 已上传送审《{item.info.title}》 / uploaded, submitted")


def _upload(api: ApiClient, item: _Item) -> str:
    sent = send_file(api, item.path)
    made = api.post(
        "/api/v1/programmes",
        {
            "title": item.info.title,
            "section": item.info.section_slug,
            "department": item.info.department_slug,
            "summary": item.info.summary,
            "upload": sent["upload"],
            "rights": {"source": item.info.rights_source, "licence": item.info.rights_licence},
        },
    )
    return str(made["id"])


def _wait(desk: Desk, items: list[_Item]) -> None:
    """Review what is ready, until everything is released."""
    deadline = time.monotonic() + ENCODED_WITHIN_S
    said, said_at = "", 0.0
    waiting = list(items)
    while waiting:
        desk.go_on()
        views = {item.info.title: _advance(desk, item) for item in waiting}
        released = [item for item in waiting if views[item.info.title]["state"] == "released"]
        for item in released:
            desk.say(f"✓ 已转码并通过三审《{item.info.title}》 / encoded, three reviews passed")
        waiting = [item for item in waiting if item not in released]
        news = _progress(len(items), [views[item.info.title] for item in waiting])
        silent_s = time.monotonic() - said_at
        if waiting and silent_s >= (SAY_NEWS_EVERY_S if news != said else SAY_ANYTHING_EVERY_S):
            desk.say(news)
            said, said_at = news, time.monotonic()
        if time.monotonic() > deadline:
            raise DemoFailed(N_("演示节目转码超时：《%(title)s》"), title=waiting[0].info.title)
        if waiting:
            time.sleep(POLL_S)


def _advance(desk: Desk, item: _Item) -> dict[str, Any]:
    """Take the programme through the stages that are open to it now; its latest view.

    Raises DemoFailed when its file was refused or it left the way to release.
    """
    view = _state(desk[item.contributor], item)
    job = view["job"]
    if job["state"] in ("refused", "failed", "cancelled"):
        reason = (job["error"] or {}).get("text") or job["state"]
        raise DemoFailed(N_("《%(title)s》转码失败：%(reason)s"), title=item.info.title, reason=reason)
    if view["state"] in ("returned", "withdrawn"):
        raise DemoFailed(N_("《%(title)s》没有通过审核"), title=item.info.title)
    for state, role, stage, comment in STAGES:
        if view["state"] != state or (stage == "final" and job["state"] != "done"):
            continue
        desk[role].post(
            f"/api/v1/editions/{view['edition']}/reviews",
            {"stage": stage, "approve": True, "comment": comment},
        )
        view = _state(desk[item.contributor], item)
    return view


def _state(api: ApiClient, item: _Item) -> dict[str, Any]:
    view: dict[str, Any] = api.get(f"/api/v1/programmes/{item.id}")
    return view


def _progress(total: int, waiting: list[dict[str, Any]]) -> str:
    """Which file is being encoded, and how far it is."""
    if not waiting:
        return ""
    furthest = max(waiting, key=lambda view: view["job"]["progress"] or 0)
    percent = furthest["job"]["progress"] or 0
    return f"… 转码 {total - len(waiting)}/{total}　《{furthest['title']}》 {percent} % / encoding"
