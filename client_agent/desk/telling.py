"""What the desk reports: late entries and changes of the plan, as records of their own. What goes to the province stands in
Chinese, whatever language the page shows: it is read there.

A line that is to be reported is marked so in the transaction that writes it, and the mark goes once the records are in
the outbox: a power cut between tells it twice, and of several about one session the last one holds.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from client_agent.desk.log_lines import Heads, LogKind, LogLine
from client_agent.desk.logbook import Logbook
from client_agent.desk.paper.words import why
from client_agent.desk.plan_rules import REASONS, Reason
from client_agent.errors import StorageFailed
from client_agent.evening import HeadCount
from client_agent.outbox import Outbox, OutboxFull
from protocol.batch import Attendance, LateEntry, PlanChanged, PlanStep, Roll
from protocol.times import ms_to_text

if TYPE_CHECKING:
    from client_agent.desk.desk import Desk

logger = logging.getLogger(__name__)
PLAN = "plan-"
"""How the reason of an event begins that is a change of the plan."""


def tell(log: Logbook, outbox: Outbox) -> None:
    """Report what is to be reported still. Where the disk takes nothing it is told the next time."""
    try:
        for line in log.to_tell():
            if line.kind is LogKind.LATE:
                _late(line, outbox)
            elif line.reason.startswith(PLAN):
                _plan(line, outbox)
            log.told(line.n)
    except (StorageFailed, OutboxFull) as error:
        logger.error("a late entry waits to be reported: %s", error)


def late_heads(desk: Desk, session: str, heads: HeadCount) -> None:
    """迟录 of a session's heads, called on a phone after its end: a line about it, and its records. Without the
    session's own line (a full disk) there is only the record. Raises StorageFailed, OutboxFull."""
    by = desk.people.who()
    about = desk.log.session_line(session)
    if about is None:
        desk.outbox.append(
            Attendance, session=session, expected=heads.expected, present=heads.present, members=heads.members,
            public=heads.public, taken_by=by, roll=Roll.LATE,
        )  # fmt: skip
        return
    counted = Heads(heads.expected, heads.present, heads.members, heads.public)
    desk.log.amend(about, by, "phone", heads=counted)
    tell(desk.log, desk.outbox)


def _late(line: LogLine, outbox: Outbox) -> None:
    titles = [one.title for one in line.programmes]
    outbox.append(
        LateEntry, session=line.session, started_at=ms_to_text(line.from_ms), ended_at=ms_to_text(line.to_ms),
        title=(line.title or "、".join(titles))[:200], manual=not line.about, void=line.void,
        reason=why("zh", line.reason)[:20], remark=why("zh", line.text)[:200], by=line.by,
    )  # fmt: skip
    if line.heads is not None:
        heads = line.heads
        outbox.append(
            Attendance, session=line.session, expected=heads.expected, present=heads.present,
            members=heads.members, public=heads.public, taken_by=line.by, roll=Roll.LATE,
        )  # fmt: skip


def _plan(line: LogLine, outbox: Outbox) -> None:
    change = PlanStep(line.reason.removeprefix(PLAN))
    own = change is PlanStep.ADDED
    outbox.append(
        PlanChanged, day=line.study_day, change=change, title=line.title[:200], started_at=ms_to_text(line.from_ms),
        planned_at=None if own or not line.to_ms else ms_to_text(line.to_ms),
        reason=REASONS[Reason(line.text)] if line.text in set(Reason) else "", by=line.by,
    )  # fmt: skip
