"""Who made a change: the people behind the rules it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.schedule.models import RuleChange

_CHUNK = 500


def authors_of_rules(session: Session, rules: Sequence[str]) -> list[str]:
    """Accounts that ever made or changed one of these rules: none of them approves what follows from it."""
    found: set[str] = set()
    for start in range(0, len(rules), _CHUNK):
        found |= set(
            session.scalars(
                select(RuleChange.actor_id)
                .where(RuleChange.rule_id.in_(rules[start : start + _CHUNK]))
                .distinct()
            )
        )
    return sorted(found)
