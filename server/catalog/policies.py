"""审核规则 and 检查表 as versioned data: what an installation asks of its reviewers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.catalog.deadlines import ReviewPolicy, parse_policy
from server.catalog.models import Checklist, PolicyVersion
from server.catalog.review import STAGES, Stage
from server.db import take_turn
from server.errors import Invalid
from server.i18n import N_
from server.identity import audit
from server.identity.rules import Action, Caller

PROVINCE = "13"
MOST_ITEMS = 30
_TURN = "review settings"


class Item(Struct, frozen=True, kw_only=True):
    """One question of a checklist; a ``required`` one must be answered yes before an approval."""

    id: Annotated[str, Meta(pattern="^[a-z0-9_-]{1,30}$")]
    text: Annotated[str, Meta(min_length=1, max_length=200)]
    text_en: Annotated[str, Meta(max_length=200)] = ""
    required: bool = True


class StageChecklist(Struct, frozen=True, kw_only=True):
    """The questions of a stage; version 0 is the built-in list."""

    stage: Stage
    version: int
    items: list[Item]


def _built_in(stage: Stage, *questions: tuple[str, str, str]) -> StageChecklist:
    items = [Item(id=name, text=text, text_en=english) for name, text, english in questions]
    return StageChecklist(stage=stage, version=0, items=items)


BUILT_IN: dict[Stage, StageChecklist] = {
    Stage.FIRST: _built_in(
        Stage.FIRST,
        ("complete", "标题、简介、板块、地区与内容相符", "Title, summary, section and place fit the content"),
        (
            "rights",
            "来源和授权清楚，有授权书或自摄声明",
            "Source and rights are clear, with a licence or own footage",
        ),
        ("technical", "画面、声音、字幕完整可看", "Picture, sound and subtitles are whole"),
        ("privacy", "不含未经同意的个人信息和联系方式", "No personal data without consent"),
    ),
    Stage.SECOND: _built_in(
        Stage.SECOND,
        ("facts", "政策、法规、数据准确，注明时间", "Policies, laws and figures are right and dated"),
        (
            "technique",
            "农业技术、用药用量有出处，符合当地实际",
            "Farming advice has a source and fits the place",
        ),
        ("wording", "人名、地名、单位名称和职务无误", "Names, places, bodies and posts are right"),
        ("advertising", "没有变相广告和绝对化用语", "No hidden advertising, no absolute claims"),
    ),
    Stage.FINAL: _built_in(
        Stage.FINAL,
        ("orientation", "导向正确，适合农村党员干部群众收看", "Guidance is right and suits the audience"),
        ("earlier", "初审、复审意见已落实，三校已完成", "Earlier remarks are dealt with, proofreadings done"),
        ("timing", "播出时机合适，与重要保障期安排不冲突", "Timing fits, also with protected periods"),
    ),
}


# --- checklists -------------------------------------------------------------------------------------------------------
def checklist(session: Session, stage: Stage, version: int | None = None) -> StageChecklist:
    """The questions of a stage: the newest version, or the one named."""
    query = select(Checklist).where(Checklist.stage == stage)
    query = query.where(Checklist.version == version) if version is not None else query
    row = session.scalars(query.order_by(Checklist.version.desc()).limit(1)).one_or_none()
    if row is None:
        return BUILT_IN[stage]
    return StageChecklist(stage=stage, version=row.version, items=msgspec.convert(row.items, list[Item]))


def checklists(session: Session) -> list[StageChecklist]:
    """The newest checklist of every stage."""
    return [checklist(session, stage) for stage in STAGES]


def set_checklist(
    session: Session, caller: Caller, stage: Stage, items: Sequence[Item], *, now: datetime
) -> StageChecklist:
    """A new version of a stage's questions. Raises Forbidden, Invalid (none, too many, an id twice)."""
    caller.require(Action.CATALOG_SETTINGS, PROVINCE)
    if not 1 <= len(items) <= MOST_ITEMS or len({item.id for item in items}) != len(items):
        raise Invalid(N_("检查表须有 1–%(most)s 项，编号不能重复"), most=MOST_ITEMS)
    take_turn(session, _TURN)
    newest = session.scalar(select(func.max(Checklist.version)).where(Checklist.stage == stage)) or 0
    session.add(
        Checklist(
            stage=stage,
            version=newest + 1,
            items=msgspec.to_builtins(list(items)),
            made_by=caller.id,
            made_at=now,
        )
    )
    session.flush()
    _log(session, caller, f"checklist:{stage.value}", newest + 1, now)
    return checklist(session, stage)


def answered(questions: StageChecklist, checks: Mapping[str, bool]) -> list[dict[str, Any]]:
    """The answers to keep with a decision: every question with its yes or no."""
    return [{"id": item.id, "text": item.text, "yes": bool(checks.get(item.id))} for item in questions.items]


def unanswered(questions: StageChecklist, checks: Mapping[str, bool]) -> list[Item]:
    """Required questions without a yes."""
    return [item for item in questions.items if item.required and not checks.get(item.id)]


def item(parts: Sequence[str], *, required: bool) -> Item:
    """A question from its id, text and English. Raises Invalid."""
    name, text, english = ([*parts, "", ""])[:3]
    try:
        return msgspec.convert({"id": name, "text": text, "text_en": english, "required": required}, Item)
    except msgspec.ValidationError as error:
        raise Invalid(N_("检查表的编号用小写字母和数字，问题不能为空")) from error


# --- policy -----------------------------------------------------------------------------------------------------------
def policy(session: Session) -> ReviewPolicy:
    """The rules in force."""
    row = session.scalars(select(PolicyVersion).order_by(PolicyVersion.version.desc()).limit(1)).one_or_none()
    return parse_policy(row.content) if row else ReviewPolicy()


def set_policy(session: Session, caller: Caller, content: ReviewPolicy, *, now: datetime) -> ReviewPolicy:
    """New rules from now on; reviews under way keep their due times. Raises Forbidden."""
    caller.require(Action.CATALOG_SETTINGS, PROVINCE)
    take_turn(session, _TURN)
    newest = session.scalar(select(func.max(PolicyVersion.version))) or 0
    session.add(
        PolicyVersion(
            version=newest + 1, content=msgspec.to_builtins(content), made_by=caller.id, made_at=now
        )
    )
    session.flush()
    _log(session, caller, "review-policy", newest + 1, now)
    return content


def _log(session: Session, caller: Caller, subject: str, version: int, now: datetime) -> None:
    audit.append(
        session, actor=caller, action="review.settings", subject=subject, detail={"version": version}, now=now
    )
