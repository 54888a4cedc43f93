"""Who may do what, where: the one declared table of role × action × region.

A grant holds in its region and everything below. A route names its action; a route without one fails the tests.
Services that know the region concerned ask :meth:`Caller.require`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from protocol.regions import within
from server.errors import Forbidden
from server.i18n import N_


class Role(StrEnum):
    PROVINCE_ADMIN = "province_admin"
    PROVINCE_EDITOR = "province_editor"
    CITY_EDITOR = "city_editor"
    COUNTY_EDITOR = "county_editor"
    PARTNER = "partner"
    FIRST_REVIEWER = "first_reviewer"
    SECOND_REVIEWER = "second_reviewer"
    FINAL_REVIEWER = "final_reviewer"
    COUNTY_OFFICE = "county_office"
    TOWNSHIP_ADMIN = "township_admin"
    STATION_ADMIN = "station_admin"
    TUTOR = "tutor"
    TECHNICIAN = "technician"
    LEADER = "leader"


ROLE_NAMES: dict[Role, str] = {
    Role.PROVINCE_ADMIN: N_("省级管理员"),
    Role.PROVINCE_EDITOR: N_("省级编辑"),
    Role.CITY_EDITOR: N_("市级编辑"),
    Role.COUNTY_EDITOR: N_("县级编辑"),
    Role.PARTNER: N_("资源单位"),
    Role.FIRST_REVIEWER: N_("初审员"),
    Role.SECOND_REVIEWER: N_("复审员"),
    Role.FINAL_REVIEWER: N_("终审员"),
    Role.COUNTY_OFFICE: N_("县远程办"),
    Role.TOWNSHIP_ADMIN: N_("乡镇管理员"),
    Role.STATION_ADMIN: N_("站点管理员"),
    Role.TUTOR: N_("教学辅导员"),
    Role.TECHNICIAN: N_("技术服务员"),
    Role.LEADER: N_("领导"),
}


class Action(StrEnum):
    """What can be done. Named for the thing and the deed."""

    HOME_VIEW = "home.view"
    REGIONS_VIEW = "regions.view"
    REGIONS_MANAGE = "regions.manage"
    ACCOUNTS_MANAGE = "accounts.manage"
    AUDIT_VIEW = "audit.view"
    CATALOG_VIEW = "catalog.view"
    CATALOG_VIEW_UNRELEASED = "catalog.view_unreleased"
    CATALOG_UPLOAD = "catalog.upload"
    CATALOG_SUBMIT = "catalog.submit"
    CATALOG_WITHDRAW = "catalog.withdraw"
    CATALOG_REVIEW = "catalog.review"
    CATALOG_SETTINGS = "catalog.settings"
    CATALOG_FEEDS = "catalog.feeds"
    REVIEW_FIRST = "review.first"
    REVIEW_SECOND = "review.second"
    REVIEW_FINAL = "review.final"
    REVIEW_URGENT = "review.urgent"
    REVIEW_COUNTERSIGN = "review.countersign"
    REVIEW_PROOFREAD = "review.proofread"
    DUTY_VIEW = "duty.view"
    DUTY_MANAGE = "duty.manage"
    PROTECTION_VIEW = "protection.view"
    PROTECTION_MANAGE = "protection.manage"
    JOBS_VIEW = "jobs.view"
    JOBS_MANAGE = "jobs.manage"
    SCHEDULE_VIEW = "schedule.view"
    SCHEDULE_EDIT = "schedule.edit"
    NOTICE_APPROVE = "notice.approve"
    EMERGENCY_PROPOSE = "emergency.propose"
    EMERGENCY_APPROVE = "emergency.approve"
    SCHEDULE_APPROVE = "schedule.approve"
    PUBLISH_VIEW = "publish.view"
    PUBLISH_RUN = "publish.run"
    PUBLISH_APPROVE = "publish.approve"
    STATIONS_VIEW = "stations.view"
    STATIONS_MANAGE = "stations.manage"
    STATIONS_LOOK = "stations.look"
    LINES_MANAGE = "lines.manage"
    STATS_VIEW = "stats.view"
    EVIDENCE_VIEW = "evidence.view"


_EVERYONE = frozenset(Role)
_EDITORS = frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR, Role.CITY_EDITOR, Role.COUNTY_EDITOR})
_CONTRIBUTORS = _EDITORS | {Role.PARTNER}
_REVIEWERS = frozenset({Role.FIRST_REVIEWER, Role.SECOND_REVIEWER, Role.FINAL_REVIEWER})
_OFFICES = frozenset({Role.PROVINCE_ADMIN, Role.COUNTY_OFFICE, Role.TOWNSHIP_ADMIN})
_PROVINCIAL = frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR})
_ADMIN = frozenset({Role.PROVINCE_ADMIN})
_APPROVERS = _PROVINCIAL | {Role.CITY_EDITOR, Role.COUNTY_OFFICE, Role.LEADER}

TABLE: dict[Action, frozenset[Role]] = {
    Action.HOME_VIEW: _EVERYONE,
    Action.REGIONS_VIEW: _EVERYONE,
    Action.REGIONS_MANAGE: _ADMIN,
    Action.ACCOUNTS_MANAGE: _ADMIN,
    Action.AUDIT_VIEW: _ADMIN,
    Action.CATALOG_VIEW: _EVERYONE,
    Action.CATALOG_VIEW_UNRELEASED: _EDITORS | _REVIEWERS | {Role.LEADER},
    Action.CATALOG_UPLOAD: _CONTRIBUTORS,
    Action.CATALOG_SUBMIT: _CONTRIBUTORS,
    Action.CATALOG_WITHDRAW: _EDITORS,
    Action.CATALOG_SETTINGS: _ADMIN,
    Action.CATALOG_FEEDS: frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR, Role.CITY_EDITOR}),
    Action.CATALOG_REVIEW: _REVIEWERS,
    # That no person holds two stages of one edition, and the contributor none, is a rule of the review itself.
    Action.REVIEW_FIRST: frozenset({Role.FIRST_REVIEWER}),
    Action.REVIEW_SECOND: frozenset({Role.SECOND_REVIEWER}),
    Action.REVIEW_FINAL: frozenset({Role.FINAL_REVIEWER}),
    Action.REVIEW_URGENT: _EDITORS,
    Action.REVIEW_COUNTERSIGN: frozenset({Role.PROVINCE_ADMIN, Role.FINAL_REVIEWER}),
    Action.REVIEW_PROOFREAD: _EDITORS | _REVIEWERS,
    Action.DUTY_VIEW: _EDITORS | _REVIEWERS | {Role.LEADER},
    Action.DUTY_MANAGE: _ADMIN,
    Action.PROTECTION_VIEW: _EDITORS | _REVIEWERS | {Role.LEADER},
    Action.PROTECTION_MANAGE: _ADMIN,
    Action.JOBS_VIEW: _CONTRIBUTORS | {Role.TECHNICIAN},
    Action.JOBS_MANAGE: frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR, Role.TECHNICIAN}),
    Action.SCHEDULE_VIEW: _EVERYONE,
    Action.SCHEDULE_EDIT: _EDITORS,
    # That nobody approves what he wrote himself is a rule of notices and emergencies.
    Action.NOTICE_APPROVE: _EDITORS | _REVIEWERS | {Role.COUNTY_OFFICE},
    Action.EMERGENCY_PROPOSE: _PROVINCIAL,
    Action.EMERGENCY_APPROVE: _PROVINCIAL | {Role.FINAL_REVIEWER},
    # That whoever submits a week does not approve it is a rule of the approval itself.
    Action.SCHEDULE_APPROVE: _APPROVERS,
    Action.PUBLISH_VIEW: _EDITORS | _REVIEWERS | {Role.LEADER, Role.COUNTY_OFFICE},
    Action.PUBLISH_RUN: frozenset({Role.PROVINCE_ADMIN, Role.PROVINCE_EDITOR}),
    # That nobody approves his own change is a rule of the queue itself.
    Action.PUBLISH_APPROVE: _APPROVERS,
    Action.STATIONS_VIEW: _EVERYONE - {Role.PARTNER},
    Action.STATIONS_MANAGE: _OFFICES,
    # A look at a village's screen is asked for by name, and stands in the audit chain.
    Action.STATIONS_LOOK: frozenset({Role.PROVINCE_ADMIN, Role.COUNTY_OFFICE}),
    Action.LINES_MANAGE: frozenset({Role.PROVINCE_ADMIN, Role.COUNTY_OFFICE}),
    Action.STATS_VIEW: _EVERYONE,
    # People are on the photos: only who answers for the stations, and the station's own.
    Action.EVIDENCE_VIEW: _OFFICES | {Role.STATION_ADMIN, Role.LEADER},
}


@dataclass(frozen=True)
class Caller:
    """Who asks: an account with its grants, as (role, region) pairs."""

    id: str
    username: str
    name: str
    grants: tuple[tuple[Role, str], ...]
    department: str | None = None
    locale: str = "zh_CN"
    extra: dict[str, str] = field(default_factory=dict, compare=False)

    def can(self, action: Action, region: str | None = None) -> bool:
        """Whether some grant allows the action: anywhere at all, or in that region."""
        return any(
            role in TABLE[action] and (region is None or within(region, scope)) for role, scope in self.grants
        )

    def require(self, action: Action, region: str | None = None) -> None:
        """Raises Forbidden unless :meth:`can`."""
        if not self.can(action, region):
            raise Forbidden(N_("您的岗位或地区没有这项权限"))

    def scopes(self, action: Action) -> tuple[str, ...]:
        """The regions in which the action is allowed, without those inside others."""
        held = {scope for role, scope in self.grants if role in TABLE[action]}
        return outermost(held)

    def has_role(self, role: Role) -> bool:
        return any(held is role for held, _ in self.grants)


def outermost(codes: Iterable[str]) -> tuple[str, ...]:
    """Region codes without those that lie inside another one of them."""
    unique = sorted(set(codes))
    return tuple(c for c in unique if not any(c != other and within(c, other) for other in unique))
