"""What the administrator's pages work with, put together once."""

from __future__ import annotations

from dataclasses import dataclass

from client_agent.agent import Agent


@dataclass(frozen=True)
class Desk:
    """One station's administration. ``agent``: the station as it is."""

    agent: Agent
