"""Explanations from the rows: only the rules of one region's line are read, so an answer takes milliseconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from protocol.documents import Emergency
from protocol.merge import Source
from protocol.times import SHANGHAI
from server.schedule.explain import Explanation, explain, shown_at, title_of
from server.schedule.loading import add_fillers, load_rules
from server.schedule.placing import MAIN_CHANNEL, known_channel, known_region
from server.schedule.resolve import Resolver


def explain_at(
    session: Session,
    region: str,
    at: datetime,
    *,
    channel: str = MAIN_CHANNEL,
    emergency: Emergency | None = None,
) -> Explanation:
    """What a region sees at an instant and why, as the rules stand now. Raises NotFound."""
    known_region(session, region)
    known_channel(session, channel)
    day = at.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
    begin, end = day - timedelta(days=1), day + timedelta(days=1)

    rules = load_rules(session, None, begin, end, region=region, with_fillers=False)
    found = explain(Resolver(rules, begin, end), region, channel, at, emergency=emergency)
    if found.shown.source is not Source.SLATE:
        return found
    # Which filler plays is worked out only where one does; who wanted the minute stays as it was found.
    filled = Resolver(add_fillers(session, rules), begin, end)
    _, shown = shown_at(filled, region, channel, at, emergency)
    return replace(found, shown=shown, title=title_of(filled, shown))
