"""Use cases of the schedule. Every function works in the caller's transaction.

What belongs together stands together: placing (slots), windows (windows, fillers, channels), history (versions, undo),
documents (what is published), listings (what a region sees). This is where other rooms and the edges find it all.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from protocol.regions import Level
from protocol.times import SHANGHAI
from server.db import new_id
from server.errors import Conflict, Forbidden, NotFound
from server.i18n import N_
from server.identity.rules import Action, Caller
from server.schedule import history, placing, windows
from server.schedule.documents import CompiledSchedule, compile_documents, horizon
from server.schedule.history import Stale, change_number, changes
from server.schedule.listings import (
    Choice,
    ListingView,
    Preview,
    channels,
    choices,
    on_day,
    preview,
    preview_listings,
    slots_in,
    slots_seen,
    week_view,
)
from server.schedule.loading import load_rules
from server.schedule.models import Channel, RuleChange, Slot, StudyRule, WindowRule
from server.schedule.placing import (
    HORIZON_DAYS,
    MAIN_CHANNEL,
    SlotChanges,
    add_occurrence,
    change_slot,
    except_occurrence,
    is_provincial,
    move_occurrence,
    put_slot,
    remove_slot,
    restore_slot,
)
from server.schedule.releases import Playable, ReleaseRef, playable
from server.schedule.releases import schedulable as schedulable_edition
from server.schedule.study import PATTERNS
from server.schedule.windows import (
    FillerChoice,
    WindowChanges,
    change_window,
    fillers,
    list_windows,
    put_window,
    remove_window,
    restore_window,
    set_channel,
    set_fillers,
)

__all__ = [
    "HORIZON_DAYS", "MAIN_CHANNEL", "Choice", "CompiledSchedule", "FillerChoice", "ListingView", "Playable", "Preview",
    "ReleaseRef", "SlotChanges", "Stale", "WindowChanges", "add_occurrence", "change_number", "change_slot",
    "change_window", "changes", "channels", "choices", "compile_documents", "except_occurrence", "fillers", "get_slot",
    "horizon", "is_provincial", "list_windows", "load_rules", "move_occurrence", "on_day", "playable", "preview",
    "preview_listings", "put_slot", "put_window", "remove_slot", "remove_window", "restore_slot", "restore_window",
    "schedulable_edition", "seed", "set_channel", "set_fillers", "slots_in", "slots_seen", "undo", "week_view",
]  # fmt: skip


def seed(session: Session) -> None:
    """The default channel with a daily county window from 20:00 to 21:00 and study days on the 5th, 15th and 25th;
    nothing where channels exist."""
    if session.scalar(select(Channel.id).limit(1)) is not None:
        return
    session.add(Channel(id=MAIN_CHANNEL, name="综合频道", name_en="General channel", position=1))
    session.flush()
    first = datetime(2026, 1, 1, 20, 0, tzinfo=SHANGHAI)
    session.add(
        WindowRule(
            id=new_id(),
            channel=MAIN_CHANNEL,
            region="13",
            level=Level.COUNTY,
            starts_at=first,
            duration_ms=3_600_000,
            rrule="FREQ=DAILY",
        )
    )
    session.add(
        StudyRule(
            id=new_id(),
            channel=MAIN_CHANNEL,
            region="13",
            level=Level.PROVINCE,
            title="集中学习",
            starts_at=datetime(2026, 1, 5, 19, 0, tzinfo=SHANGHAI),
            duration_ms=7_200_000,
            rrule=PATTERNS["5/15/25"],
        )
    )
    session.flush()


def get_slot(session: Session, slot_id: str) -> Slot:
    """A slot, removed or not. Raises NotFound."""
    slot = session.get(Slot, slot_id)
    if slot is None:
        raise NotFound(N_("没有这个时段"))
    return slot


def undo(session: Session, caller: Caller, seq: int, *, now: datetime) -> RuleChange:
    """Take back a change of a slot or window that the caller made himself. Returns the change that did so.

    Raises NotFound, Forbidden, Conflict (it was undone already), Stale (the rule was changed since), and whatever
    placing it that way raises.
    """
    change = session.get(RuleChange, seq, with_for_update=True)
    if change is None or change.kind not in ("slot", "window"):
        raise NotFound(N_("没有这次修改"))
    if change.actor_id != caller.id:
        raise Forbidden(N_("只能撤销自己的修改"))
    if change.undone_by is not None:
        raise Conflict(N_("这次修改已经撤销"), code="undone")
    caller.require(Action.SCHEDULE_EDIT, change.region)
    state = change.before or {"removed_at": change.after["changed_at"] if change.after else None}
    if change.kind == "slot":
        slot = _at_version(history.locked(session, Slot, change.rule_id), change)
        placing.set_back(session, caller, slot, state, now=now)
    else:
        window = _at_version(history.locked(session, WindowRule, change.rule_id), change)
        windows.set_back(session, caller, window, state, now=now)
    made = history.changes(session, rule_id=change.rule_id, limit=1)[0]
    change.undone_by = made.seq
    session.flush()
    return made


_R = TypeVar("_R", Slot, WindowRule)


def _at_version(rule: _R, change: RuleChange) -> _R:
    if rule.version != change.version:
        raise Stale(rule, {"undo": change.seq})
    return rule
