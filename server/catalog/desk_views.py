"""What the review desk shows of an edition, gathered for the API and the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.times import Timestamp, to_text
from server.catalog import (
    authorisations,
    desk,
    differences,
    policies,
    protection,
    review,
    rounds,
    service,
    termlists,
)
from server.catalog.differences import Change, Line, LineChange
from server.catalog.models import Edition, EditionState, RenditionFile, ReviewComment, ReviewRound, Stage
from server.catalog.terms import Hit
from server.i18n import N_
from server.identity import second_factor
from server.identity.rules import Action, Caller
from server.identity.service import names_of
from server.regions import service as regions

FIELD_NAMES: dict[str, str] = {
    "title": N_("标题"),
    "summary": N_("简介"),
    "section": N_("主板块"),
    "sections": N_("其他板块"),
    "department": N_("资源单位"),
    "place": N_("地区"),
    "kind": N_("类型"),
    "local_type": N_("本土类型"),
    "audience": N_("适合对象"),
    "months": N_("农时月份"),
    "tags": N_("标签"),
    "course": N_("课程"),
    "chapters": N_("章节"),
    "source": N_("来源"),
    "licence": N_("授权方式"),
    "valid_from": N_("授权起"),
    "valid_until": N_("授权止"),
    "regions": N_("授权地区"),
    "file": N_("源文件"),
    "cut": N_("剪辑"),
    "files": N_("字幕和附件"),
}


class WaitingView(Struct, kw_only=True):
    """One row of a reviewer's queue."""

    edition: str
    programme: str
    title: str
    region: str
    region_name: str
    department: str | None
    number: int
    stage: str
    round: int
    opened_at: Timestamp
    due_at: Timestamp
    overdue: bool
    urgent: bool
    called: bool
    duration_ms: int | None
    has_copy: bool


class MediaView(Struct, kw_only=True):
    """What the desk plays; ``url`` is relative to the read plane. ``whole``: the source uncut."""

    url: str
    profile: str
    duration_ms: int
    whole: bool


class TrackView(Struct, kw_only=True):
    url: str
    language: str | None


class CommentView(Struct, kw_only=True):
    id: str
    author: str
    mine: bool
    stage: str | None
    at_ms: int | None
    text: str
    created_at: Timestamp
    resolved: bool


class DecisionView(Struct, kw_only=True):
    """A decision and what stood behind it. ``watched`` is the share 0–1, ``no`` the questions answered no."""

    stage: str
    approved: bool
    reviewer: str
    at: Timestamp
    comment: str
    watched: float | None
    waited_s: int | None
    checklist_version: int | None
    no: list[str]


class ProofView(Struct, kw_only=True):
    number: int
    person: str
    at: Timestamp
    found: str


class RoundView(Struct, kw_only=True):
    number: int
    at: Timestamp
    by: str
    urgent: bool


class LicenceView(Struct, kw_only=True):
    """授权书 that covers the programme."""

    id: str
    title: str
    source: str
    licence: str
    valid_until: Timestamp | None
    media_type: str


class DeskView(Struct, kw_only=True):
    """An edition as its reviewers see it. ``may``: review:<stage>, proofread, countersign, hurry, comment, cut.

    ``changes`` are against ``compared_with``: an earlier round of this edition, or the edition before it.
    """

    id: str
    programme: str
    title: str
    number: int
    state: str
    stage: str | None
    round: int
    due_at: Timestamp | None
    overdue: bool
    urgent: bool
    urgent_reason: str
    called: list[str]
    may: list[str]
    why_not: str | None
    code_needed: bool
    has_second_factor: bool
    media: MediaView | None
    tracks: list[TrackView]
    duration_ms: int | None
    progress: int
    recipe: dict[str, Any]
    kept: list[list[int]]
    facts: dict[str, str]
    compared_with: str | None
    changes: list[Change]
    line_changes: list[LineChange]
    checklist: policies.StageChecklist | None
    comments: list[CommentView]
    decisions: list[DecisionView]
    proofreadings: list[ProofView]
    rounds: list[RoundView]
    hits: list[Hit]
    terms_version: int
    watched: float
    watched_spans: list[list[int]]
    protected: str | None
    countersign_needed: bool
    countersigned_by: str | None
    licences: list[LicenceView]
    source_sha256: str
    recipe_sha256: str


# --- the queue --------------------------------------------------------------------------------------------------------
def queue_view(session: Session, caller: Caller, *, stage: Stage | None, now: datetime) -> list[WaitingView]:
    """The caller's queue, urgent first, then by due time."""
    waiting = desk.queue(session, caller, stage=stage)
    places = regions.names(session, {item.programme.region for item in waiting})
    shelves = {row.slug: row.name for row in service.departments(session)}
    return [
        WaitingView(
            edition=item.edition.id,
            programme=item.programme.id,
            title=item.programme.title,
            region=item.programme.region,
            region_name=places.get(item.programme.region, item.programme.region),
            department=shelves.get(item.programme.department or ""),
            number=item.edition.number,
            stage=item.task.stage,
            round=item.task.round,
            opened_at=to_text(item.task.opened_at),
            due_at=to_text(item.task.due_at),
            overdue=item.overdue(now),
            urgent=item.task.is_urgent,
            called=item.is_mine,
            duration_ms=item.edition.asset.duration_ms,
            has_copy=desk.review_copy(session, item.edition) is not None,
        )
        for item in waiting
    ]


# --- one edition ------------------------------------------------------------------------------------------------------
def desk_view(
    session: Session, caller: Caller, edition: Edition, read_text: termlists.ReadText, *, now: datetime
) -> DeskView:
    """Everything about one edition's review."""
    state = EditionState(edition.state)
    stage = review.STAGE_OF_STATE.get(state)
    round_, task = rounds.newest_round(session, edition.id), rounds.open_task(session, edition.id)
    share, spans = desk.watched_by(session, edition, caller.id)
    content = (
        round_.content if round_ and state not in review.EDITABLE else rounds.content_of(session, edition)
    )
    before = desk.compared_with(session, edition)
    facts = labelled(session, content)
    people = _People(session, edition, round_)
    period = protection.period_at(session, now)
    countersigned = rounds.countersignature(session, edition.id)
    called = [person for person in (task.called_id, task.deputy_id) if person] if task else []
    may, why_not = moves(session, caller, edition, stage, now=now)
    return DeskView(
        id=edition.id,
        programme=edition.programme_id,
        title=facts.get("title", edition.programme.title),
        number=edition.number,
        state=state,
        stage=stage,
        round=round_.number if round_ else 0,
        due_at=to_text(task.due_at) if task else None,
        overdue=bool(task and now >= task.due_at),
        urgent=bool(round_ and round_.is_urgent),
        urgent_reason=round_.urgent_reason if round_ else "",
        called=[people.name(person) for person in called],
        may=may,
        why_not=why_not,
        code_needed=bool(round_ and round_.is_urgent),
        has_second_factor=second_factor.state(session, caller.id) == "on",
        media=_media(session, edition),
        tracks=_tracks(session, edition, content),
        duration_ms=edition.asset.duration_ms,
        progress=edition.asset.progress,
        recipe=dict(edition.recipe or {}),
        kept=[list(span) for span in rounds.kept_spans(edition)],
        facts=facts,
        compared_with=_round_name(session, before, edition) if before else None,
        changes=differences.changed_fields(labelled(session, before.content), facts) if before else [],
        line_changes=_line_changes(before.content, content, read_text) if before else [],
        checklist=policies.checklist(session, stage) if stage else None,
        comments=[_comment(row, people, caller) for row in people.comments],
        decisions=people.decisions(session),
        proofreadings=[
            ProofView(
                number=row.number, person=people.name(row.person_id), at=to_text(row.at), found=row.found
            )
            for row in people.proofs
        ],
        rounds=[
            RoundView(
                number=row.number, at=to_text(row.at), by=people.name(row.submitted_by), urgent=row.is_urgent
            )
            for row in people.rounds
        ],
        hits=termlists.hits_of(session, edition.id),
        terms_version=termlists.version(session),
        watched=share,
        watched_spans=[list(span) for span in spans],
        protected=period.reason if period else None,
        countersign_needed=stage is not None
        and rounds.countersignature_needed(session, edition, now=now)
        and countersigned is None,
        countersigned_by=people.name(countersigned.person_id) if countersigned else None,
        licences=[
            LicenceView(
                id=row.id,
                title=row.title,
                source=row.source,
                licence=row.licence,
                valid_until=to_text(row.valid_until) if row.valid_until else None,
                media_type=row.media_type,
            )
            for row in authorisations.of_programme(session, edition.programme_id)
        ],
        source_sha256=edition.asset.sha256,
        recipe_sha256=edition.recipe_sha256,
    )


def moves(
    session: Session, caller: Caller, edition: Edition, stage: Stage | None, *, now: datetime
) -> tuple[list[str], str | None]:
    """What the caller may do here, and why he may not review what his role would let him."""
    region, state = edition.programme.region, EditionState(edition.state)
    may, why_not = ["comment"], None
    contributes = service.may_contribute(caller, edition.programme)
    if stage is not None:
        if caller.can(service.REVIEW_ACTIONS[stage], region):
            bar = service.why_not_decide(session, caller, edition, stage)
            why_not = bar.value if bar else None
            may += [] if bar else [f"review:{stage.value}"]
        may += _side_moves(session, caller, edition, now=now)
    if contributes and state in (*review.EDITABLE, EditionState.RELEASED):
        may.append("cut")
    if contributes and state in review.EDITABLE and caller.can(Action.CATALOG_SUBMIT, region):
        may.append("submit")
    return may, why_not


def _side_moves(session: Session, caller: Caller, edition: Edition, *, now: datetime) -> list[str]:
    region, round_ = edition.programme.region, rounds.newest_round(session, edition.id)
    if round_ is None:
        return []
    found = []
    is_author = caller.id in (edition.contributor_id, round_.submitted_by)
    done = rounds.proofreadings(session, edition.id, round_.number)
    if (
        caller.can(Action.REVIEW_PROOFREAD, region)
        and not is_author
        and len(done) < rounds.PROOFREADINGS
        and all(row.person_id != caller.id for row in done)
    ):
        found.append("proofread")
    if caller.can(Action.REVIEW_URGENT, region) and not round_.is_urgent:
        found.append("hurry")
    if (
        caller.can(Action.REVIEW_COUNTERSIGN, region)
        and not is_author
        and rounds.countersignature_needed(session, edition, now=now)
        and rounds.countersignature(session, edition.id) is None
    ):
        found.append("countersign")
    return found


class _People:
    """Names, remarks and decisions around one edition."""

    def __init__(self, session: Session, edition: Edition, round_: ReviewRound | None) -> None:
        self.comments = desk.comments(session, [edition.id])
        self.reviews = service.reviews_of(session, [edition.id])
        self.proofs = rounds.proofreadings(session, edition.id, round_.number if round_ else 0)
        self.rounds = desk.rounds_of(session, edition)
        task, countersigned = (
            rounds.open_task(session, edition.id),
            rounds.countersignature(session, edition.id),
        )
        ids = {row.author_id for row in self.comments} | {row.reviewer_id for row in self.reviews}
        ids |= {row.person_id for row in self.proofs} | {row.submitted_by for row in self.rounds}
        ids |= {p for p in (task.called_id, task.deputy_id) if p} if task else set()
        ids |= {countersigned.person_id} if countersigned else set()
        self._names = names_of(session, ids)

    def name(self, account_id: str) -> str:
        return self._names.get(account_id, "")

    def decisions(self, session: Session) -> list[DecisionView]:
        details = desk.details_of(session, self.reviews)
        found = []
        for row in self.reviews:
            detail = details.get(row.id)
            found.append(
                DecisionView(
                    stage=row.stage,
                    approved=row.approved,
                    reviewer=self.name(row.reviewer_id),
                    at=to_text(row.at),
                    comment=row.comment,
                    watched=detail.watched_share if detail else None,
                    waited_s=detail.waited_s if detail else None,
                    checklist_version=detail.checklist_version if detail else None,
                    no=[answer["text"] for answer in detail.answers if not answer["yes"]] if detail else [],
                )
            )
        return found


def _comment(row: ReviewComment, people: _People, caller: Caller) -> CommentView:
    return CommentView(
        id=row.id,
        author=people.name(row.author_id),
        mine=row.author_id == caller.id,
        stage=row.stage,
        at_ms=row.at_ms,
        text=row.text,
        created_at=to_text(row.created_at),
        resolved=row.resolved_at is not None,
    )


def comment_view(session: Session, caller: Caller, row: ReviewComment) -> CommentView:
    """One remark."""
    names = names_of(session, {row.author_id})
    return CommentView(
        id=row.id,
        author=names.get(row.author_id, ""),
        mine=row.author_id == caller.id,
        stage=row.stage,
        at_ms=row.at_ms,
        text=row.text,
        created_at=to_text(row.created_at),
        resolved=row.resolved_at is not None,
    )


# --- media and words --------------------------------------------------------------------------------------------------
def _media(session: Session, edition: Edition) -> MediaView | None:
    copy = desk.review_copy(session, edition)
    if copy is None:
        return None
    return MediaView(
        url=f"/m/{copy.sha256}",
        profile=copy.profile,
        duration_ms=copy.duration_ms,
        whole=copy.recipe_sha256 != edition.recipe_sha256 or not edition.recipe,
    )


def _tracks(session: Session, edition: Edition, content: Mapping[str, Any]) -> list[TrackView]:
    """Subtitles: those sent in beside the source, and those that came inside it."""
    sent = [
        TrackView(url=f"/m/{file['sha256']}", language=file.get("language"))
        for file in content.get("files") or ()
        if file.get("kind") == "subtitles"
    ]
    embedded = session.scalars(
        select(RenditionFile).where(
            RenditionFile.asset_id == edition.asset_id,
            RenditionFile.recipe_sha256 == edition.recipe_sha256,
            RenditionFile.kind == "subtitles",
        )
    )
    known = {track.url for track in sent}
    return sent + [
        TrackView(url=f"/m/{row.sha256}", language=row.language)
        for row in embedded
        if f"/m/{row.sha256}" not in known
    ]


def labelled(session: Session, content: Mapping[str, Any]) -> dict[str, str]:
    """A submission's fields as people read them, by FIELD_NAMES' keys; empty ones are left out."""
    words = dict(content["words"])
    rights = words.pop("rights", None) or {}
    words.pop("initials", None)
    sections = {row.slug: row.name for row in service.sections(session)}
    shelves = {row.slug: row.name for row in service.departments(session)}
    words["section"] = sections.get(str(words.get("section")), words.get("section"))
    words["sections"] = [sections.get(str(slug), slug) for slug in words.get("sections") or ()]
    words["department"] = shelves.get(str(words.get("department")), words.get("department"))
    if words.get("place"):
        words["place"] = regions.names(session, {words["place"]}).get(words["place"], words["place"])
    words["chapters"] = [
        f"{clock_text(int(one.get('at_ms') or 0))} {one.get('title', '')}"
        for one in words.get("chapters") or ()
    ]
    if isinstance(words.get("course"), Mapping):
        words["course"] = words["course"].get("title")
    words |= {
        name: rights.get(name) for name in ("source", "licence", "valid_from", "valid_until", "regions")
    }
    source = content["source"]
    words["file"] = f"{source['filename']} · {source['sha256'][:12]}…"
    words["cut"] = cut_text(content.get("recipe") or {})
    words["files"] = [
        f"{file.get('title') or file.get('kind')} {file.get('language') or ''} {str(file.get('sha256'))[:8]}".strip()
        for file in content.get("files") or ()
    ]
    texts = {name: differences.as_text(words.get(name)) for name in FIELD_NAMES}
    return {name: text for name, text in texts.items() if text}


def cut_text(recipe: Mapping[str, Any]) -> str:
    """A recipe in signs that need no language: [in – out] −removed +intro +outro."""
    if not recipe:
        return ""
    out = recipe.get("out_ms")
    parts = [
        f"[{clock_text(int(recipe.get('in_ms') or 0))} – {clock_text(int(out)) if out is not None else '…'}]"
    ]
    parts += [f"−{clock_text(int(a))}–{clock_text(int(b))}" for a, b in recipe.get("removed") or ()]
    parts += [f"+{name} {str(recipe[name])[:8]}" for name in ("intro", "outro") if recipe.get(name)]
    return "\n".join(parts)


def clock_text(at_ms: int) -> str:
    """A time code: 1:02:03.4."""
    tenths = at_ms // 100
    hours, rest = divmod(tenths, 36_000)
    minutes, seconds = divmod(rest, 600)
    clock = f"{minutes}:{seconds // 10:02d}.{seconds % 10}"
    return f"{hours}:{clock.rjust(7, '0')}" if hours else clock


def _line_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], read_text: termlists.ReadText
) -> list[LineChange]:
    old, new = _subtitles(before), _subtitles(after)
    changes: list[LineChange] = []
    for language in dict.fromkeys([*new, *old]):
        if old.get(language) != new.get(language):
            changes += differences.changed_lines(
                _lines(old.get(language), read_text), _lines(new.get(language), read_text)
            )
    return changes


def _subtitles(content: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(file.get("language") or ""): str(file["sha256"])
        for file in content.get("files") or ()
        if file.get("kind") == "subtitles"
    }


def _lines(sha256: str | None, read_text: termlists.ReadText) -> list[Line]:
    text = read_text(sha256) if sha256 else None
    return [Line(at_ms=at, text=line) for at, line in termlists.cues(text)] if text else []


def _round_name(session: Session, before: ReviewRound, edition: Edition) -> str:
    """Edition and round compared with: ``1.2`` is the second submission of the first edition."""
    if before.edition_id == edition.id:
        return f"{edition.number}.{before.number}"
    return f"{session.get_one(Edition, before.edition_id).number}.{before.number}"
