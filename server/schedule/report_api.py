"""JSON of the conflict report and of explanations."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Blueprint
from flask_babel import gettext
from msgspec import Meta, Struct
from spectree import Response

from protocol.documents import RegionCode
from protocol.times import Timestamp, from_ms, to_text
from server import clock
from server.config import Config
from server.identity.rules import Action
from server.readplane import metadata_folder
from server.regions import service as regions
from server.schedule import check as checks
from server.schedule.conflicts import Finding
from server.schedule.explain import Candidate, Explanation
from server.schedule.explaining import explain_at
from server.schedule.lines import ASSUMED_BPS
from server.schedule.served import ReadPlane
from server.schedule.times import read_time
from server.web import Problem, caller, config, permit, reading, spec, writing

blueprint = Blueprint("schedule_report_api", __name__)
MOST_STATIONS = 60_000


def published(settings: Config) -> checks.Published:
    """What the read plane serves now: releases by edition, and when its newest publication was made."""
    plane = ReadPlane(settings.read)
    frame = plane.documents("13").frame
    if plane.publication is None or frame is None:
        return checks.Published()
    snapshot = metadata_folder(settings.read) / f"{plane.publication}.snapshot.json"
    made_at = datetime.fromtimestamp(snapshot.stat().st_mtime, UTC)
    return checks.Published({entry.edition: entry.release for entry in frame.library}, made_at)


# --- check ------------------------------------------------------------------------------------------------------------
class CheckQuery(Struct, kw_only=True):
    """``stations``: of each item, name at most so many stations that cannot have it."""

    region: RegionCode = "13"
    days: Annotated[int, Meta(ge=1, le=checks.MOST_DAYS)] = 7
    stations: Annotated[int, Meta(ge=0, le=MOST_STATIONS)] = 500


class FindingView(Struct, kw_only=True):
    code: str
    severity: str
    text: str
    region: str
    place: str
    channel: str
    at: Timestamp | None
    rule: str
    other: str
    regions: list[str]
    stations: int


class ProspectView(Struct, kw_only=True):
    """Of ``stations`` that are to have an item, how many ``have`` it, ``can`` have it in time and ``cannot``; ``why`` says
    for each of the listed stations (by id): slow, cap, silent or no_hours."""

    item: str
    title: str
    starts_at: Timestamp
    stations: int
    have: int
    can: int
    cannot: int
    why: dict[str, str]


class AssumptionView(Struct, kw_only=True):
    """``unmeasured`` stations count at ``assumed_bps``; ``silent`` ones were not heard for a week; ``clipped`` ones lack
    more than a report can name."""

    assumed_bps: int
    unmeasured: int
    silent: int
    clipped: int


class CheckAnswer(Struct, kw_only=True):
    region: str
    begin: Timestamp
    end: Timestamp
    clean: bool
    errors: int
    warnings: int
    findings: list[FindingView]
    feasibility: list[ProspectView]
    assumptions: AssumptionView


def finding_text(found: Finding) -> str:
    """A finding in the reader's language."""
    params = {k: gettext(v) if k == "state" and v else v for k, v in found.params.items()}
    return gettext(found.message) % params


def check_answer(report: checks.Report, most_stations: int) -> CheckAnswer:
    reckoned = report.feasibility
    return CheckAnswer(
        region=report.region,
        begin=to_text(report.begin),
        end=to_text(report.end),
        clean=report.is_clean,
        errors=report.count(checks.Severity.ERROR),
        warnings=report.count(checks.Severity.WARNING),
        findings=[_finding_view(found, report) for found in report.findings],
        feasibility=[_prospect_view(item, report, most_stations) for item in reckoned.prospects],
        assumptions=AssumptionView(
            assumed_bps=ASSUMED_BPS,
            unmeasured=reckoned.unmeasured,
            silent=reckoned.silent,
            clipped=reckoned.clipped,
        ),
    )


def _finding_view(found: Finding, report: checks.Report) -> FindingView:
    return FindingView(
        code=found.code,
        severity=found.severity.value,
        text=finding_text(found),
        region=found.region,
        place=report.places.get(found.region, found.region),
        channel=found.channel,
        at=to_text(found.at) if found.at else None,
        rule=found.rule,
        other=found.other,
        regions=list(found.regions),
        stations=len(found.stations),
    )


def _prospect_view(item: str, report: checks.Report, most: int) -> ProspectView:
    prospect, placed = report.feasibility.prospects[item], report.items[item]
    return ProspectView(
        item=item,
        title=placed.release.title,
        starts_at=to_text(placed.start),
        stations=prospect.stations,
        have=prospect.have,
        can=prospect.can,
        cannot=len(prospect.cannot),
        why={station: cause.value for station, cause in list(prospect.cannot.items())[:most]},
    )


@blueprint.get("/api/v1/schedule/check")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=CheckAnswer, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def check(query: CheckQuery) -> Any:
    """The conflict report of the coming days, today included, before anything is published."""
    with reading() as session:
        report = checks.check(
            session, region=query.region, days=query.days, published=published(config()), now=clock.now()
        )
    return check_answer(report, query.stations)


class LimitsView(Struct, kw_only=True):
    """What counts as too little or too much; shares in per cent of placed time, hours of the evening in Asia/Shanghai."""

    party_sections: list[str]
    party_minimum: int
    most_a_day: int
    most_a_week: int
    gap_minutes: int
    gap_from_hour: int
    gap_to_hour: int


class LimitsChange(Struct, kw_only=True, omit_defaults=True):
    party_sections: list[str] | None = None
    party_minimum: int | None = None
    most_a_day: int | None = None
    most_a_week: int | None = None
    gap_minutes: int | None = None
    gap_from_hour: int | None = None
    gap_to_hour: int | None = None


def _limits_view(found: checks.Limits) -> LimitsView:
    return LimitsView(
        party_sections=list(found.party_sections),
        **{name: getattr(found, name) for name in LimitsView.__struct_fields__ if name != "party_sections"},
    )


@blueprint.get("/api/v1/schedule/limits")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=LimitsView), tags=["schedule"])
def get_limits() -> Any:
    """What the conflict report holds the schedule against."""
    with reading() as session:
        return _limits_view(checks.limits(session))


@blueprint.patch("/api/v1/schedule/limits")
@permit(Action.SCHEDULE_EDIT)
@spec.validate(resp=Response(HTTP_200=LimitsView, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def set_limits(json: LimitsChange) -> Any:
    """Change some of the limits."""
    values = {name: value for name in json.__struct_fields__ if (value := getattr(json, name)) is not None}
    with writing() as session:
        return _limits_view(checks.set_limits(session, caller(), values))


# --- explain ------------------------------------------------------------------------------------------------------------
class ExplainQuery(Struct, kw_only=True):
    """A naive ``at`` is Asia/Shanghai; now by default."""

    region: RegionCode
    at: str | None = None
    channel: str = "main"


class CandidateView(Struct, kw_only=True):
    rule: str
    level: str
    region: str
    place: str
    by: str
    title: str
    starts_at: Timestamp
    ends_at: Timestamp
    verdict: str
    text: str
    series: bool
    beaten_by: str | None


class OpenWindowView(Struct, kw_only=True):
    id: str
    level: str
    starts_at: Timestamp
    ends_at: Timestamp
    admits: list[str]


class ExplainAnswer(Struct, kw_only=True):
    """``source`` and ``text`` say what kind of thing is on; ``winner`` is the rule that put it there (null for fillers and
    slate); ``others`` wanted the same minute and did not get it, with the reason."""

    region: str
    place: str
    channel: str
    at: Timestamp
    item: str
    title: str
    starts_at: Timestamp
    ends_at: Timestamp
    source: str
    text: str
    frame: str
    winner: CandidateView | None
    others: list[CandidateView]
    windows: list[OpenWindowView]


def explain_answer(found: Explanation, places: dict[str, str]) -> ExplainAnswer:
    views = [_candidate_view(candidate, places) for candidate in found.candidates]
    winner = next((view for view in views if view.verdict == "on_air"), None)
    return ExplainAnswer(
        region=found.region,
        place=places.get(found.region, found.region),
        channel=found.channel,
        at=to_text(found.at),
        item=found.shown.id,
        title=found.title,
        starts_at=found.shown.starts_at,
        ends_at=to_text(from_ms(found.shown.ends_ms)),
        source=found.shown.source.value,
        text=gettext(found.source_message),
        frame=found.frame_region,
        winner=winner,
        others=[view for view in views if view is not winner],
        windows=[
            OpenWindowView(
                id=window.id, level=window.level, starts_at=window.starts_at, ends_at=window.ends_at,
                admits=window.admits,
            )
            for _, window in found.windows
        ],
    )  # fmt: skip


def _candidate_view(candidate: Candidate, places: dict[str, str]) -> CandidateView:
    levels = {"province": gettext("省级"), "city": gettext("市级"), "county": gettext("县级")}
    params = {**candidate.params, "level": levels.get(candidate.params["level"], candidate.params["level"])}
    return CandidateView(
        rule=candidate.rule,
        level=candidate.level,
        region=candidate.region,
        place=places.get(candidate.region, candidate.region),
        by=candidate.by,
        title=candidate.title,
        starts_at=to_text(candidate.starts_at),
        ends_at=to_text(candidate.ends_at),
        verdict=candidate.verdict,
        text=gettext(candidate.message) % params,
        series=candidate.is_series,
        beaten_by=candidate.beaten_by,
    )


def explained(region: str, at: datetime, channel: str) -> ExplainAnswer:
    """Raises NotFound."""
    with reading() as session:
        found = explain_at(session, region, at, channel=channel)
        places = regions.names(session, {region, *(candidate.region for candidate in found.candidates)})
    return explain_answer(found, dict(places))


@blueprint.get("/api/v1/listings/explain")
@permit(Action.SCHEDULE_VIEW)
@spec.validate(resp=Response(HTTP_200=ExplainAnswer, HTTP_404=Problem, HTTP_422=Problem), tags=["schedule"])
def explain(query: ExplainQuery) -> Any:
    """What plays in a region at a time, and why: the winning rule, who made it, what it beat."""
    return explained(query.region, read_time(query.at) if query.at else clock.now(), query.channel)
