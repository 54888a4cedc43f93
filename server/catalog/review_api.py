"""JSON of the review desk: queue, remarks, watching, proofreading, urgency, settings, term list, duty, re-review."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Blueprint
from msgspec import Meta, Struct
from spectree import Response

from protocol.times import Timestamp, to_text
from server import clock
from server.catalog import desk, desk_views, duty, policies, rereviews, service, termlists, texts, views
from server.catalog.deadlines import ReviewPolicy
from server.catalog.models import ReReview, Stage
from server.catalog.terms import Term
from server.errors import NotFound
from server.identity.rules import Action
from server.web import Problem, caller, moment, permit, reading, spec, store, writing

blueprint = Blueprint("review_api", __name__)

Text = Annotated[str, Meta(max_length=20_000)]


# --- the queue and the desk -------------------------------------------------------------------------------------------
class QueueList(Struct, kw_only=True):
    items: list[desk_views.WaitingView]
    next: str | None = None


class QueueQuery(Struct, kw_only=True):
    stage: Stage | None = None


@blueprint.get("/api/v1/reviews")
@permit(Action.CATALOG_REVIEW)
@spec.validate(resp=Response(HTTP_200=QueueList), tags=["review"])
def review_queue(query: QueueQuery) -> Any:
    """What waits for the caller's decision: urgent first, then by due time."""
    with reading() as session:
        found = desk_views.queue_view(session, caller(), stage=query.stage, now=clock.now())
    return QueueList(items=found)


@blueprint.get("/api/v1/editions/<edition_id>/review")
@permit(Action.CATALOG_VIEW)
@spec.validate(
    resp=Response(HTTP_200=desk_views.DeskView, HTTP_403=Problem, HTTP_404=Problem), tags=["review"]
)
def review_desk(edition_id: str) -> Any:
    """An edition as its reviewers see it: copy to watch, changes, checklist, remarks, hits of the term list."""
    with reading() as session:
        edition = desk.get_for_desk(session, caller(), edition_id)
        return desk_views.desk_view(session, caller(), edition, texts.reader(store()), now=clock.now())


class CommentRequest(Struct, kw_only=True):
    """``at_ms`` is the time code in the source; left out: a remark on the whole."""

    text: Annotated[str, Meta(min_length=1, max_length=desk.MAX_COMMENT)]
    at_ms: int | None = None


class ResolveRequest(Struct, kw_only=True):
    resolved: bool = True


@blueprint.post("/api/v1/editions/<edition_id>/comments")
@permit(Action.CATALOG_VIEW)
@spec.validate(
    resp=Response(HTTP_201=desk_views.CommentView, HTTP_403=Problem, HTTP_404=Problem, HTTP_422=Problem),
    tags=["review"],
)
def comment(edition_id: str, json: CommentRequest) -> Any:
    """Leave a remark."""
    with writing() as session:
        row = desk.comment(session, caller(), edition_id, text=json.text, at_ms=json.at_ms, now=clock.now())
        return desk_views.comment_view(session, caller(), row), 201


@blueprint.post("/api/v1/comments/<comment_id>/resolve")
@permit(Action.CATALOG_VIEW)
@spec.validate(
    resp=Response(HTTP_200=desk_views.CommentView, HTTP_403=Problem, HTTP_404=Problem), tags=["review"]
)
def resolve_comment(comment_id: str, json: ResolveRequest) -> Any:
    """Tick a remark off, or open it again."""
    with writing() as session:
        row = desk.resolve_comment(session, caller(), comment_id, resolved=json.resolved, now=clock.now())
        return desk_views.comment_view(session, caller(), row)


class WatchedRequest(Struct, kw_only=True):
    """Spans [from, to) in ms of the source that the player showed."""

    spans: Annotated[list[tuple[int, int]], Meta(max_length=500)]


class WatchedView(Struct, kw_only=True):
    """The share of what the cut shows that the caller watched, 0–1."""

    watched: float


@blueprint.post("/api/v1/editions/<edition_id>/watched")
@permit(Action.CATALOG_VIEW)
@spec.validate(resp=Response(HTTP_200=WatchedView, HTTP_403=Problem, HTTP_404=Problem), tags=["review"])
def watched(edition_id: str, json: WatchedRequest) -> Any:
    """A player reports what it showed; more than could be played since the last report is not believed."""
    with writing() as session:
        share = desk.watched(session, caller(), edition_id, json.spans, now=clock.now())
    return WatchedView(watched=share)


class ProofRequest(Struct, kw_only=True):
    """``found`` empty: nothing wrong."""

    found: Text = ""


@blueprint.post("/api/v1/editions/<edition_id>/proofreadings")
@permit(Action.REVIEW_PROOFREAD)
@spec.validate(
    resp=Response(HTTP_201=desk_views.ProofView, HTTP_403=Problem, HTTP_409=Problem), tags=["review"]
)
def proofread(edition_id: str, json: ProofRequest) -> Any:
    """The next of the three proofreadings."""
    who = caller()
    with writing() as session:
        row = desk.proofread(session, who, edition_id, found=json.found, now=clock.now())
        return desk_views.ProofView(
            number=row.number, person=who.name, at=to_text(row.at), found=row.found
        ), 201


class CountersignRequest(Struct, kw_only=True):
    comment: Text = ""


@blueprint.post("/api/v1/editions/<edition_id>/countersign")
@permit(Action.REVIEW_COUNTERSIGN)
@spec.validate(resp=Response("HTTP_204", HTTP_403=Problem, HTTP_409=Problem), tags=["review"])
def countersign(edition_id: str, json: CountersignRequest) -> Any:
    """The second person's yes to a late change in a protected period."""
    with writing() as session:
        desk.countersign(session, caller(), edition_id, comment=json.comment, now=clock.now())
    return "", 204


class HurryRequest(Struct, kw_only=True):
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


@blueprint.post("/api/v1/editions/<edition_id>/urgent")
@permit(Action.REVIEW_URGENT)
@spec.validate(
    resp=Response(HTTP_200=views.EditionView, HTTP_403=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["review"],
)
def hurry(edition_id: str, json: HurryRequest) -> Any:
    """Make the review under way urgent: whoever is on duty is called at once."""
    with writing() as session:
        edition = service.hurry(session, caller(), edition_id, reason=json.reason, now=clock.now())
        return views.edition_view(session, caller(), edition)


# --- settings ---------------------------------------------------------------------------------------------------------
class ChecklistList(Struct, kw_only=True):
    items: list[policies.StageChecklist]
    next: str | None = None


class ChecklistRequest(Struct, kw_only=True):
    items: Annotated[list[policies.Item], Meta(min_length=1, max_length=policies.MOST_ITEMS)]


@blueprint.get("/api/v1/review/checklists")
@permit(Action.CATALOG_VIEW_UNRELEASED)
@spec.validate(resp=Response(HTTP_200=ChecklistList), tags=["review"])
def list_checklists() -> Any:
    """The questions of each stage, in force now."""
    with reading() as session:
        return ChecklistList(items=policies.checklists(session))


@blueprint.put("/api/v1/review/checklists/<stage>")
@permit(Action.CATALOG_SETTINGS)
@spec.validate(
    resp=Response(HTTP_200=policies.StageChecklist, HTTP_404=Problem, HTTP_422=Problem), tags=["review"]
)
def set_checklist(stage: str, json: ChecklistRequest) -> Any:
    """A new version of a stage's questions."""
    with writing() as session:
        return policies.set_checklist(session, caller(), known_stage(stage), json.items, now=clock.now())


@blueprint.get("/api/v1/review/policy")
@permit(Action.CATALOG_VIEW_UNRELEASED)
@spec.validate(resp=Response(HTTP_200=ReviewPolicy), tags=["review"])
def get_policy() -> Any:
    """How long each stage may take, and what an approval needs."""
    with reading() as session:
        return policies.policy(session)


@blueprint.put("/api/v1/review/policy")
@permit(Action.CATALOG_SETTINGS)
@spec.validate(resp=Response(HTTP_200=ReviewPolicy, HTTP_422=Problem), tags=["review"])
def set_policy(json: ReviewPolicy) -> Any:
    """New rules from now on."""
    with writing() as session:
        return policies.set_policy(session, caller(), json, now=clock.now())


class TermsView(Struct, kw_only=True):
    version: int
    items: list[Term]


class TermsRequest(Struct, kw_only=True):
    items: Annotated[list[Term], Meta(max_length=5_000)]
    note: Annotated[str, Meta(max_length=200)] = ""


@blueprint.get("/api/v1/review/terms")
@permit(Action.CATALOG_VIEW_UNRELEASED)
@spec.validate(resp=Response(HTTP_200=TermsView), tags=["review"])
def get_terms() -> Any:
    """The term list in force; version 0 is the built-in one."""
    with reading() as session:
        number, found = termlists.current(session)
    return TermsView(version=number, items=found)


@blueprint.put("/api/v1/review/terms")
@permit(Action.CATALOG_SETTINGS)
@spec.validate(resp=Response(HTTP_200=TermsView, HTTP_422=Problem), tags=["review"])
def set_terms(json: TermsRequest) -> Any:
    """A new version of the term list; released editions in which it finds a new word need a re-review."""
    with writing() as session:
        number, found = termlists.replace(session, caller(), json.items, note=json.note, now=clock.now())
    return TermsView(version=number, items=found)


# --- duty -------------------------------------------------------------------------------------------------------------
class ShiftView(Struct, kw_only=True):
    id: str
    stage: str
    starts_at: Timestamp
    ends_at: Timestamp
    name: str
    deputy: str | None


class ShiftList(Struct, kw_only=True):
    items: list[ShiftView]
    next: str | None = None


class ShiftRequest(Struct, kw_only=True):
    """``username`` and ``deputy`` are reviewers of this stage for the whole province."""

    stage: Stage
    starts_at: Timestamp
    ends_at: Timestamp
    username: str
    deputy: str | None = None


def shift_view(shift: duty.Shift) -> ShiftView:
    return ShiftView(
        id=shift.id,
        stage=shift.stage,
        starts_at=to_text(shift.starts_at),
        ends_at=to_text(shift.ends_at),
        name=shift.name,
        deputy=shift.deputy_name,
    )


@blueprint.get("/api/v1/duty")
@permit(Action.DUTY_VIEW)
@spec.validate(resp=Response(HTTP_200=ShiftList), tags=["review"])
def list_shifts() -> Any:
    """The roster from now on."""
    with reading() as session:
        return ShiftList(items=[shift_view(one) for one in duty.roster(session, since=clock.now())])


@blueprint.post("/api/v1/duty")
@permit(Action.DUTY_MANAGE)
@spec.validate(
    resp=Response(HTTP_201=ShiftView, HTTP_404=Problem, HTTP_409=Problem, HTTP_422=Problem), tags=["review"]
)
def add_shift(json: ShiftRequest) -> Any:
    """Put two people on the roster of a stage."""
    with writing() as session:
        made = duty.set_shift(
            session,
            caller(),
            stage=json.stage,
            starts_at=moment(json.starts_at),
            ends_at=moment(json.ends_at),
            username=json.username,
            deputy=json.deputy,
            now=clock.now(),
        )
    return shift_view(made), 201


@blueprint.delete("/api/v1/duty/<shift_id>")
@permit(Action.DUTY_MANAGE)
@spec.validate(resp=Response("HTTP_204", HTTP_404=Problem), tags=["review"])
def remove_shift(shift_id: str) -> Any:
    """Take a shift off the roster."""
    with writing() as session:
        duty.remove_shift(session, caller(), service.known_id(shift_id), now=clock.now())
    return "", 204


# --- re-review --------------------------------------------------------------------------------------------------------
class DueView(Struct, kw_only=True):
    """A released edition that may not be scheduled again yet. ``missing`` are the approvals still to come."""

    edition: str
    programme: str
    title: str
    reasons: list[str]
    missing: list[str]


class DueList(Struct, kw_only=True):
    items: list[DueView]
    next: str | None = None


class ReReviewRequest(Struct, kw_only=True):
    """``approve`` false withdraws the edition; then ``comment`` says why."""

    stage: Stage
    approve: bool
    comment: Text = ""


class ReReviewView(Struct, kw_only=True):
    """``completes``: the edition may be scheduled again."""

    edition: str
    state: str
    completes: bool


@blueprint.get("/api/v1/re-reviews")
@permit(Action.CATALOG_REVIEW)
@spec.validate(resp=Response(HTTP_200=DueList), tags=["review"])
def list_due() -> Any:
    """重播重审: what waits for a re-review in the caller's regions."""
    with reading() as session:
        return DueList(items=[due_view(one) for one in rereviews.due(session, caller(), now=clock.now())])


def due_view(one: rereviews.Due) -> DueView:
    return DueView(
        edition=one.edition.id,
        programme=one.programme.id,
        title=one.programme.title,
        reasons=[str(reason) for reason in one.reasons],
        missing=[str(stage) for stage in one.missing],
    )


@blueprint.post("/api/v1/editions/<edition_id>/re-review")
@permit(Action.CATALOG_REVIEW)
@spec.validate(
    resp=Response(HTTP_200=ReReviewView, HTTP_403=Problem, HTTP_409=Problem, HTTP_422=Problem),
    tags=["review"],
)
def rereview(edition_id: str, json: ReReviewRequest) -> Any:
    """One approval of a re-review, or the refusal that withdraws the edition."""
    with writing() as session:
        if not json.approve:
            gone = rereviews.refuse(session, caller(), edition_id, reason=json.comment, now=clock.now())
            return ReReviewView(edition=gone.id, state=gone.state, completes=False)
        row: ReReview = rereviews.approve(
            session, caller(), edition_id, json.stage, comment=json.comment, now=clock.now()
        )
        return ReReviewView(edition=row.edition_id, state="released", completes=row.completes)


def known_stage(text: str) -> Stage:
    """A stage of a path. Raises NotFound."""
    if text not in {*Stage}:
        raise NotFound
    return Stage(text)
