"""The catalogue's use cases: programmes, their editions and reviews.

Who sees what: released programmes of one's own places and of every level above them; unreleased ones only in one's
own places with a role that works on them, those of one's own department, and one's own.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased, selectinload

from protocol.regions import lineage
from server.catalog import describing, review, rounds, search_index, termlists
from server.catalog.models import (
    AssetState,
    Department,
    Edition,
    EditionState,
    Programme,
    Review,
    Section,
    Stage,
)
from server.catalog.shelves import DEPARTMENTS, SECTIONS
from server.db import take_turn
from server.errors import Conflict, Forbidden, Invalid, NotFound, YuanboError
from server.i18n import N_
from server.identity import audit
from server.identity.models import AuditEntry
from server.identity.rules import Action, Caller, Role
from server.regions.models import Region

MAX_TITLE = 200
MAX_SUMMARY = 5_000
MAX_COMMENT = 2_000
LAST_NUMBER = 9_999
"""Programme numbers are typed on a remote control: 1–9999."""
NUMBER_RESTS = timedelta(days=60)
"""How long a number stays with a withdrawn programme: until no station can still have it."""
_SUBJECT = "edition:"
PAGE = 50
MAX_PAGE = 200

REVIEW_ACTIONS: dict[Stage, Action] = {
    Stage.FIRST: Action.REVIEW_FIRST,
    Stage.SECOND: Action.REVIEW_SECOND,
    Stage.FINAL: Action.REVIEW_FINAL,
}


# --- shelves ----------------------------------------------------------------------------------------------------------
def seed(session: Session) -> None:
    """Sections and departments where they are missing; edited ones stay as they are."""
    for kind, shelves in ((Section, SECTIONS), (Department, DEPARTMENTS)):
        for position, shelf in enumerate(shelves, start=1):
            if session.get(kind, shelf.slug) is None:
                session.add(kind(slug=shelf.slug, name=shelf.name, name_en=shelf.name_en, position=position))
    session.flush()
    search_index.catch_up(session)


def sections(session: Session) -> Sequence[Section]:
    return session.scalars(select(Section).order_by(Section.position)).all()


def departments(session: Session) -> Sequence[Department]:
    return session.scalars(select(Department).order_by(Department.position)).all()


def section_named(session: Session, text: str) -> Section:
    """A section by slug or name. Raises Invalid."""
    for section in sections(session):
        if text in (section.slug, section.name, section.name_en):
            return section
    raise Invalid(N_("没有板块“%(name)s”"), code="no_section", name=text)


def department_named(session: Session, text: str) -> Department:
    """A department by slug or name; the 省 before it may be left out. Raises Invalid."""
    for department in departments(session):
        if text in (department.slug, department.name, department.name_en, department.name.removeprefix("省")):
            return department
    raise Invalid(N_("没有资源单位“%(name)s”"), code="no_department", name=text)


# --- who may contribute -----------------------------------------------------------------------------------------------
def region_for(session: Session, caller: Caller, region: str | None) -> str:
    if region is None:
        scopes = caller.scopes(Action.CATALOG_UPLOAD)
        if not scopes:
            raise Forbidden(N_("您的岗位不能提交节目"))
        region = scopes[0]
    if session.get(Region, region) is None:
        raise Invalid(N_("没有行政区划 %(region)s"), region=region)
    caller.require(Action.CATALOG_UPLOAD, region)
    return region


def is_partner_only(caller: Caller) -> bool:
    """Whether the caller contributes for a department and not as an editor."""
    return caller.has_role(Role.PARTNER) and not caller.can(Action.CATALOG_WITHDRAW)


def department_for(session: Session, caller: Caller, department: str | None) -> str | None:
    slug = department_named(session, department).slug if department else None
    if not is_partner_only(caller):
        return slug
    if slug not in (None, caller.department):
        raise Forbidden(N_("资源单位只能以本单位名义提交"))
    return caller.department


def may_contribute(caller: Caller, programme: Programme) -> bool:
    """Whether the caller may work on this programme: his own, his department's, or in his region as an editor."""
    if programme.created_by == caller.id:
        return True
    if is_partner_only(caller):
        return programme.department is not None and programme.department == caller.department
    return caller.can(Action.CATALOG_WITHDRAW, programme.region)


def require_contributing(caller: Caller, programme: Programme) -> None:
    if not may_contribute(caller, programme):
        raise Forbidden(N_("这不是您能办理的节目"))


def unfinished_edition(programme: Programme) -> Edition | None:
    """The edition that must end before a new one begins."""
    over = (EditionState.RELEASED, EditionState.WITHDRAWN)
    return next((e for e in programme.editions if e.state not in over and not _is_dead_end(e)), None)


def changeable_edition(programme: Programme) -> Edition | None:
    """The edition whose words may still be changed: the newest that was not withdrawn, before or between reviews."""
    standing = [e for e in programme.editions if e.state != EditionState.WITHDRAWN]
    newest = (standing or programme.editions)[-1]
    return newest if newest.state in (*review.EDITABLE, EditionState.WITHDRAWN) else None


def _is_dead_end(edition: Edition) -> bool:
    """A draft whose file was refused: it can never be released."""
    return edition.state in review.EDITABLE and edition.asset.state == AssetState.REFUSED


# --- finding ----------------------------------------------------------------------------------------------------------
def _newest_state() -> Any:
    any_edition = aliased(Edition)
    return (
        select(any_edition.state)
        .where(any_edition.programme_id == Programme.id)
        .order_by(any_edition.number.desc())
        .limit(1)
        .correlate(Programme)
        .scalar_subquery()
    )


def visible_to(caller: Caller) -> ColumnElement[bool]:
    """The condition on Programme for what the caller may see."""
    conditions: list[ColumnElement[bool]] = [Programme.created_by == caller.id]
    if caller.has_role(Role.PARTNER) and caller.department:
        conditions.append(Programme.department == caller.department)
    conditions += [
        Programme.region.startswith(scope) for scope in caller.scopes(Action.CATALOG_VIEW_UNRELEASED)
    ]
    scopes = caller.scopes(Action.CATALOG_VIEW)
    above = {code for scope in scopes for code in lineage(scope)}
    near = [Programme.region.in_(above), *(Programme.region.startswith(scope) for scope in scopes)]
    any_edition = aliased(Edition)
    released = exists().where(
        any_edition.programme_id == Programme.id, any_edition.state == EditionState.RELEASED
    )
    conditions.append(and_(released, or_(*near)))
    return or_(*conditions)


def get_programme(session: Session, caller: Caller, programme_id: str, *, lock: bool = False) -> Programme:
    """By its id or by the id of one of its editions. Raises NotFound, also for what the caller may not see."""
    wanted = known_id(programme_id)
    query = select(Programme).where(
        or_(Programme.id == wanted, Programme.id == _programme_of_edition(wanted)), visible_to(caller)
    )
    programme = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if programme is None:
        raise NotFound(N_("没有这个节目"))
    return programme


def _programme_of_edition(edition_id: str) -> Any:
    any_edition = aliased(Edition)
    return select(any_edition.programme_id).where(any_edition.id == edition_id).scalar_subquery()


def get_edition(session: Session, caller: Caller, edition_id: str) -> Edition:
    """An edition by its id, or the newest one of a programme by the programme's. Raises NotFound."""
    wanted = known_id(edition_id)
    edition = session.scalars(
        select(Edition)
        .join(Edition.programme)
        .where(or_(Edition.id == wanted, Programme.id == wanted), visible_to(caller))
        .order_by(Edition.number.desc())
        .limit(1)
    ).one_or_none()
    if edition is None:
        raise NotFound(N_("没有这个节目版本"))
    return edition


def reviews_of(session: Session, edition_ids: Iterable[str]) -> Sequence[Review]:
    """Decisions on these editions, oldest first."""
    return session.scalars(
        select(Review).where(Review.edition_id.in_(list(edition_ids))).order_by(Review.id)
    ).all()


# --- moves ------------------------------------------------------------------------------------------------------------
def submit(
    session: Session, caller: Caller, edition_id: str, *, urgent_reason: str = "", now: datetime
) -> Edition:
    """Hand a draft or returned edition in for the first review. Encoding need not be done, but may not be refused.

    With ``urgent_reason`` the people on duty are called, 15 minutes a stage (needs Action.REVIEW_URGENT).
    """
    edition = get_edition(session, caller, edition_id)
    session.refresh(edition.programme, with_for_update=True)  # what is handed in is not changed meanwhile
    caller.require(Action.CATALOG_SUBMIT, edition.programme.region)
    require_contributing(caller, edition.programme)
    if edition.asset.state == AssetState.REFUSED:
        raise Conflict(
            N_("源文件未被接受，不能送审：%(reason)s"),
            code="asset_refused",
            reason=edition.asset.error_text or "",
        )
    urgent_reason = _urgent_reason(caller, edition, urgent_reason)
    _move(session, edition, review.Move.SUBMIT)
    describing.bind(session, edition)
    edition.programme.updated_at = now
    rounds.submitted(session, caller, edition, urgent_reason=urgent_reason, now=now)
    audit.append(
        session,
        actor=caller,
        action=review.SUBMITTED,
        subject=subject_of(edition),
        detail=_bound(edition),
        now=now,
    )
    return edition


def _urgent_reason(caller: Caller, edition: Edition, reason: str) -> str:
    reason = clean_text(reason, 200)
    if reason:
        caller.require(Action.REVIEW_URGENT, edition.programme.region)
    return reason


def hurry(session: Session, caller: Caller, edition_id: str, *, reason: str, now: datetime) -> Edition:
    """Make the review under way urgent. Raises Forbidden, NotFound, Conflict, Invalid."""
    edition = get_edition(session, caller, edition_id)
    caller.require(Action.REVIEW_URGENT, edition.programme.region)
    session.refresh(edition, with_for_update=True)
    rounds.make_urgent(session, caller, edition, reason, now=now)
    audit.append(
        session,
        actor=caller,
        action="edition.hurry",
        subject=subject_of(edition),
        detail={"reason": reason},
        now=now,
    )
    return edition


def decide(
    session: Session,
    caller: Caller,
    edition_id: str,
    stage: Stage,
    *,
    approve: bool,
    comment: str = "",
    checks: Mapping[str, bool] | None = None,
    stepped_up: bool = False,
    now: datetime,
) -> Review:
    """Approve at a stage, or return with a reason. The final approval releases the edition and gives its programme a
    number. Raises Forbidden (role, region, holds another stage, contributor), Conflict (state, not encoded), Invalid.

    ``checks`` are the checklist's answers by item; ``stepped_up`` says that the caller just proved a second factor, which
    an urgent review asks for.
    """
    edition = get_edition(session, caller, edition_id)
    caller.require(REVIEW_ACTIONS[stage], edition.programme.region)
    session.refresh(edition, with_for_update=True)  # of two decisions at once the second sees the first
    comment = clean_text(comment, MAX_COMMENT)
    bar = why_not_decide(session, caller, edition, stage) or _why_not_now(edition, stage, approve, comment)
    if bar is not None:
        raise _refusal(bar)
    rounds.require_ready(
        session, caller, edition, stage, approve=approve, checks=checks, stepped_up=stepped_up, now=now
    )
    _move(session, edition, review.Move.APPROVE if approve else review.Move.RETURN)
    if edition.state == EditionState.RELEASED:
        _release(session, edition, now)
    behind = rounds.evidence(session, caller, edition, stage, checks)
    detail = {**behind.plain(), **_bound(edition), "approved": approve, "comment": comment}
    link = audit.append(
        session,
        actor=caller,
        action=review.review_action(stage),
        subject=subject_of(edition),
        detail=detail,
        now=now,
    )
    decision = Review(
        edition_id=edition.id,
        stage=stage,
        approved=approve,
        reviewer_id=caller.id,
        at=now,
        comment=comment,
        audit_seq=link.seq,
    )
    session.add(decision)
    session.flush()
    rounds.decided(session, caller, edition, decision, behind, now=now)
    if edition.state == EditionState.RELEASED:
        termlists.approved(session, edition)
    return decision


def withdraw(
    session: Session, caller: Caller, edition_id: str, *, reason: str = "", now: datetime
) -> Edition:
    """Take an edition out for good; a new cut is a new edition. Taking it off stations is a recall (publish)."""
    edition = get_edition(session, caller, edition_id)
    caller.require(Action.CATALOG_WITHDRAW, edition.programme.region)
    return take_out(session, caller, edition, reason=reason, now=now)


def take_out(session: Session, caller: Caller, edition: Edition, *, reason: str, now: datetime) -> Edition:
    """Withdraw an edition for somebody who was found to be entitled. Raises Conflict."""
    reason = clean_text(reason, MAX_COMMENT)
    was_released = edition.state == EditionState.RELEASED
    _move(session, edition, review.Move.WITHDRAW)
    edition.programme.updated_at = now
    if was_released and not any(e.state == EditionState.RELEASED for e in edition.programme.editions):
        edition.programme.left_at = now
    rounds.withdrawn(session, caller, edition, reason, now=now)
    audit.append(
        session,
        actor=caller,
        action=review.WITHDRAWN,
        subject=subject_of(edition),
        detail={"reason": reason},
        now=now,
    )
    return edition


def moves_on_edition(caller: Caller, edition: Edition) -> list[str]:
    """What the caller may do with an edition besides reviewing it: submit, withdraw."""
    state, region = EditionState(edition.state), edition.programme.region
    moves = []
    can_submit = caller.can(Action.CATALOG_SUBMIT, region) and may_contribute(caller, edition.programme)
    if (
        can_submit
        and review.next_state(state, review.Move.SUBMIT)
        and edition.asset.state != AssetState.REFUSED
    ):
        moves.append(review.Move.SUBMIT.value)
    if caller.can(Action.CATALOG_WITHDRAW, region) and review.next_state(state, review.Move.WITHDRAW):
        moves.append(review.Move.WITHDRAW.value)
    return moves


def moves_on_programme(caller: Caller, programme: Programme) -> list[str]:
    """What the caller may do with a programme: change, add_edition."""
    if not may_contribute(caller, programme):
        return []
    moves = ["change"] if changeable_edition(programme) else []
    return [*moves, "add_edition"] if unfinished_edition(programme) is None else moves


def why_not_decide(session: Session, caller: Caller, edition: Edition, stage: Stage) -> review.Bar | None:
    """Why the caller may not hold this stage of the edition (role and region aside), or None."""
    return bars(session, caller, [edition], stage)[edition.id]


def bars(
    session: Session, caller: Caller, editions: Sequence[Edition], stage: Stage
) -> dict[str, review.Bar | None]:
    """Why the caller may not hold this stage of each of these editions, with two queries, by edition."""
    authors = {edition.id: {edition.contributor_id} for edition in editions}
    for subject, submitter in session.execute(
        select(AuditEntry.subject, AuditEntry.actor_id).where(
            AuditEntry.subject.in_([subject_of(edition) for edition in editions]),
            AuditEntry.action == review.SUBMITTED,
        )
    ):
        authors[subject.removeprefix(_SUBJECT)].add(submitter or "")
    earlier: dict[str, list[review.Decision]] = {edition.id: [] for edition in editions}
    for row in reviews_of(session, earlier):
        earlier[row.edition_id].append(review.Decision(Stage(row.stage), row.reviewer_id, row.approved))
    return {
        edition.id: review.why_not_decide(
            state=EditionState(edition.state),
            stage=stage,
            person=caller.id,
            authors=authors[edition.id],
            earlier=earlier[edition.id],
        )
        for edition in editions
    }


def _why_not_now(edition: Edition, stage: Stage, approve: bool, comment: str) -> review.Bar | None:
    if not approve:
        return None if comment else review.Bar.NO_COMMENT
    if stage == Stage.FINAL and edition.asset.state != AssetState.READY:
        return review.Bar.NOT_READY
    return None


def _refusal(bar: review.Bar) -> YuanboError:
    kinds: dict[review.Bar, type[YuanboError]] = {
        review.Bar.NOT_AT_STAGE: Conflict,
        review.Bar.NOT_READY: Conflict,
        review.Bar.NO_COMMENT: Invalid,
    }
    return kinds.get(bar, Forbidden)(bar.value, code=bar.name.lower())


def _move(session: Session, edition: Edition, move: review.Move) -> None:
    """Make a legal move; somebody else's in between is noticed. Raises Conflict."""
    state = EditionState(edition.state)
    target = review.next_state(state, move)
    if target is None:
        raise Conflict(N_("“%(state)s”的版本不能这样办理"), state=review.STATE_NAMES[state])
    done = session.execute(
        update(Edition)
        .where(Edition.id == edition.id, Edition.state == state)
        .values(state=target)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict(N_("刚刚已由别人办理，请刷新"))
    session.refresh(edition)


def _release(session: Session, edition: Edition, now: datetime) -> None:
    """Make the edition's words public and give its programme a number."""
    programme = edition.programme
    edition.released_at = programme.updated_at = now
    programme.left_at = None
    describing.make_public(session, edition)
    if programme.number is None:
        take_turn(session, "programme numbers")
        programme.number = smallest_free_number(session, now=now)
    session.flush()


def smallest_free_number(session: Session, *, now: datetime) -> int | None:
    """The smallest programme number that no station can see, or None when all 9,999 are given.

    A number rests for 60 days after its programme was withdrawn; then it is taken from it.
    """
    taken = {
        number: (programme_id, left_at)
        for programme_id, number, left_at in session.execute(
            select(Programme.id, Programme.number, Programme.left_at).where(Programme.number.is_not(None))
        )
    }
    for number in range(1, LAST_NUMBER + 1):
        if number not in taken:
            return number
        holder, left_at = taken[number]
        if left_at is not None and left_at <= now - NUMBER_RESTS:
            session.execute(update(Programme).where(Programme.id == holder).values(number=None))
            return number
    return None


def subject_of(edition: Edition) -> str:
    """How the audit chain names an edition."""
    return f"{_SUBJECT}{edition.id}"


def _bound(edition: Edition) -> dict[str, Any]:
    """What a decision is about: exactly this source under this recipe, under this title."""
    return {
        "source_sha256": edition.asset.sha256,
        "recipe_sha256": edition.recipe_sha256,
        "contributor": edition.contributor_id,
        "title": title_of(edition),
        "description_sha256": edition.description_sha256,
    }


def title_of(edition: Edition) -> str:
    """What the edition is called: the words bound to it, else its programme's."""
    return str((edition.description or {}).get("title") or edition.programme.title)


def proven_release(session: Session, edition_id: str) -> review.ProvenRelease | None:
    """What the audit chain proves about an edition (see review.proven_release); verify the chain beside it."""
    return review.proven_release(
        [
            review.Link(entry.seq, entry.actor_id, entry.action, entry.detail)
            for entry in audit.entries_of(session, f"{_SUBJECT}{edition_id}")
        ]
    )


# --- what waits for me ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class HomeQueue:
    """Editions that wait for one person, the longest-waiting first."""

    to_submit: list[Edition]
    returned: list[Edition]
    refused: list[Edition]
    """Drafts whose file was refused or failed."""
    to_review: dict[Stage, list[Edition]]

    @property
    def total(self) -> int:
        reviews = sum(len(editions) for editions in self.to_review.values())
        return len(self.to_submit) + len(self.returned) + len(self.refused) + reviews


def home_queue(session: Session, caller: Caller, *, limit: int = PAGE) -> HomeQueue:
    """What waits for the caller: his own drafts, what came back, what he may review and nobody else's rule forbids."""
    mine = _waiting(session, [Edition.contributor_id == caller.id, Edition.state.in_(review.EDITABLE)], limit)
    troubled = [e for e in mine if e.asset.state in (AssetState.REFUSED, AssetState.FAILED)]
    healthy = [e for e in mine if e not in troubled]
    return HomeQueue(
        to_submit=[e for e in healthy if e.state == EditionState.DRAFT],
        returned=[e for e in healthy if e.state == EditionState.RETURNED],
        refused=troubled,
        to_review={
            stage: _to_review(session, caller, stage, limit)
            for stage in Stage
            if caller.can(REVIEW_ACTIONS[stage])
        },
    )


def _to_review(session: Session, caller: Caller, stage: Stage, limit: int) -> list[Edition]:
    scopes = caller.scopes(REVIEW_ACTIONS[stage])
    waiting = _waiting(
        session,
        [
            Edition.state == review.STATE_OF_STAGE[stage],
            or_(*(Programme.region.startswith(scope) for scope in scopes)),
        ],
        limit,
    )
    why = bars(session, caller, waiting, stage)
    return [edition for edition in waiting if why[edition.id] is None]


def _waiting(session: Session, conditions: list[ColumnElement[bool]], limit: int) -> list[Edition]:
    return list(
        session.scalars(
            select(Edition)
            .join(Edition.programme)
            .where(*conditions)
            .order_by(Edition.id)
            .limit(limit)
            .options(selectinload(Edition.programme), selectinload(Edition.asset))
        )
    )


def count_by_state(session: Session, caller: Caller) -> dict[EditionState, int]:
    """How many programmes the caller sees in each state of their newest edition."""
    state = _newest_state()
    rows = session.execute(select(state, func.count()).where(visible_to(caller)).group_by(state))
    return {EditionState(name): count for name, count in rows if name}


# --- texts ------------------------------------------------------------------------------------------------------------
def clean_title(text: str) -> str:
    """One line of 1–200 characters. Raises Invalid."""
    title = " ".join(clean_text(text, 100_000).split())
    if not title:
        raise Invalid(N_("请填写节目名称"), code="title")
    if len(title) > MAX_TITLE:
        raise Invalid(N_("节目名称不能超过 %(most)s 个字"), code="title", most=MAX_TITLE)
    return title


def clean_text(text: str, most: int) -> str:
    """Without control characters (PostgreSQL stores no NUL) and blanks around. Raises Invalid when too long."""
    plain = "".join(letter for letter in text if letter in "\n\t" or letter.isprintable()).strip()
    if len(plain) > most:
        raise Invalid(N_("文字不能超过 %(most)s 个字"), most=most)
    return plain


def known_id(text: str) -> str:
    """A row's id in its usual form; raises NotFound for what cannot be one."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError) as error:
        raise NotFound from error
