"""换机 on the TV: writing everything to a stick, taking it over from one. Long work runs in a thread of its own; the page
asks how far it is. The recovery phrase is shown until the page is left, and kept nowhere."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from client_agent.desk.people_pages import signed_in
from client_agent.routes import Refused, TvParts

Json = dict[str, Any]


class SwapDeed(msgspec.Struct, frozen=True):
    """``stick`` counts in the list that was told. ``forget``: the page was left."""

    do: Literal["export", "restore", "forget"]
    stick: Annotated[int, Meta(ge=0, le=20)] = 0
    phrase: Annotated[str, Meta(max_length=60)] = ""


def told(parts: TvParts, _: dict[str, str]) -> Json:
    """The sticks that are there, what lies on them, and how far the work is."""
    from client_agent.handover import Carrier
    from client_agent.stick import StickFailed, find_sticks, read_header

    sticks = []
    for path in find_sticks():
        try:
            header = read_header(path)
            found = {"station": header.station_name[:60], "made_ms": header.made_ms, "ours": header.station}
            found["ours"] = header.station == parts.desk.agent.identity.station
        except StickFailed as error:
            found = {"word": error.word}
        sticks.append({"name": path.name or str(path), "found": found})
    return {"sticks": sticks, "state": parts.swap.state, "carried": Carrier.count(parts.book)}


def act(parts: TvParts, asked: SwapDeed) -> Json:
    """Begin, or forget. Raises Refused: "sign-in", "no-stick", "busy"."""
    from client_agent import handover
    from client_agent.stick import find_sticks

    if asked.do == "forget":
        parts.swap.forget()
        return told(parts, {})
    if parts.desk.people.all():  # on a new terminal nobody has a PIN yet
        signed_in(parts)
    sticks = find_sticks()
    if asked.stick >= len(sticks):
        raise Refused(HTTPStatus.NOT_FOUND, "no-stick")
    stick, agent = sticks[asked.stick], parts.desk.agent

    def export() -> Json:
        parts.player.stop()
        made = handover.export(agent, parts.book, parts.outbox, parts.evidence, stick)
        return {
            "phrase": made.phrase,
            "bytes": made.bytes,
            "batches": made.batches,
            "evidence": made.evidence,
        }

    def restore() -> Json:
        made = handover.restore(agent, parts.book, parts.evidence, stick, asked.phrase)
        return {
            "log_lines": made.log_lines, "people": made.people, "batches": made.batches, "evidence": made.evidence,
        }  # fmt: skip

    if not parts.swap.begin(asked.do, export if asked.do == "export" else restore):
        raise Refused(HTTPStatus.CONFLICT, "busy")
    return told(parts, {})


ANSWERS = {"/api/desk/swap": told}
DEEDS = {"/api/desk/swap": (SwapDeed, act, HTTPStatus.OK)}
