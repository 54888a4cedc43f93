"""What stands in the console's menu, in which group, and who sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from server.i18n import N_
from server.identity.rules import Action


class Group(StrEnum):
    """Headings of the menu, in their order; the value is the heading."""

    FIRST = ""
    PROGRAMMES = N_("节目")
    REVIEW = N_("审核")
    SCHEDULE = N_("编排与发布")
    STATIONS = N_("站点与收看")
    SETTINGS = N_("管理")


@dataclass(frozen=True)
class Entry:
    """One entry of the menu; shown to whom the action is allowed somewhere."""

    endpoint: str
    title: str
    icon: str
    action: Action
    group: Group = Group.SETTINGS
    blueprints: tuple[str, ...] = ()
    """Whose pages are its tabs: on them the entry is marked too."""


MENU = (
    Entry("console.home", N_("首页"), "home", Action.HOME_VIEW, Group.FIRST),
    Entry("catalog.programmes", N_("节目库"), "movie", Action.CATALOG_VIEW, Group.PROGRAMMES),
    Entry("collections.listing", N_("课程与专题"), "books", Action.CATALOG_VIEW, Group.PROGRAMMES),
    Entry("contributions.desk", N_("我的节目"), "briefcase", Action.CATALOG_SUBMIT, Group.PROGRAMMES),
    Entry("catalog.upload", N_("上传节目"), "upload", Action.CATALOG_UPLOAD, Group.PROGRAMMES),
    Entry("authorisations.listing", N_("授权书"), "file-certificate", Action.CATALOG_SUBMIT, Group.PROGRAMMES),
    Entry("feeds.sources", N_("共享互通"), "rss", Action.CATALOG_FEEDS, Group.PROGRAMMES),
    Entry("catalog_health.overview", N_("节目库健康"), "heart-rate-monitor", Action.CATALOG_VIEW_UNRELEASED, Group.PROGRAMMES),
    Entry("withdrawn.listing", N_("撤下的节目"), "circle-minus", Action.CATALOG_VIEW_UNRELEASED, Group.PROGRAMMES),
    Entry("review.queue", N_("审核台"), "eye-check", Action.CATALOG_REVIEW, Group.REVIEW),
    Entry("review.roster", N_("加急值班"), "urgent", Action.DUTY_VIEW, Group.REVIEW),
    Entry("board.page", N_("节目编排"), "calendar-week", Action.SCHEDULE_VIEW, Group.SCHEDULE),
    Entry(
        "study_days.rules",
        N_("编排规则"),
        "adjustments",
        Action.NOTICE_APPROVE,
        Group.SCHEDULE,
        ("study_days", "tickers", "pushes", "airtime", "windows", "channel_settings"),
    ),
    Entry("schedule_report.check", N_("编排检查"), "circle-check", Action.SCHEDULE_EDIT, Group.SCHEDULE),
    Entry("weeks.weeks", N_("编排批准"), "calendar-check", Action.PUBLISH_VIEW, Group.SCHEDULE),
    Entry("publish.publications", N_("发布"), "broadcast", Action.PUBLISH_VIEW, Group.SCHEDULE),
    Entry("emergencies.emergencies", N_("应急插播"), "alert-triangle", Action.EMERGENCY_APPROVE, Group.SCHEDULE),
    Entry("stations.stations", N_("站点"), "device-tv", Action.STATIONS_VIEW, Group.STATIONS),
    Entry("lines.rules", N_("线路规则"), "route", Action.LINES_MANAGE, Group.STATIONS),
    Entry("stats.viewing", N_("收看统计"), "chart-bar", Action.STATS_VIEW, Group.STATIONS),
    Entry("transcode.jobs", N_("转码任务"), "cpu", Action.JOBS_VIEW),
    Entry("protection.periods", N_("重要保障期"), "shield-star", Action.PROTECTION_VIEW),
    Entry("catalog_health.shelves", N_("板块与单位"), "layout-grid", Action.CATALOG_SETTINGS),
    Entry("people.accounts", N_("账号"), "users", Action.ACCOUNTS_MANAGE),
    Entry("console.audit_trail", N_("审计记录"), "shield-check", Action.AUDIT_VIEW),
)  # fmt: skip


def grouped(is_shown: Callable[[Entry], bool]) -> Iterator[tuple[Group, list[Entry]]]:
    """The groups that have anything to show, each with its entries."""
    for group in Group:
        entries = [entry for entry in MENU if entry.group is group and is_shown(entry)]
        if entries:
            yield group, entries
