"""What people in front of a set may report as broken: one table for the TV, the phone's page and the province.

A Fault record of this kind has the code below as its ``code``; the agent's own codes (``piece_corrupt``, …) are others.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class SeenFault(StrEnum):
    """Six, so that each is one large icon. The order is the order on the screen."""

    NO_SOUND = "no_sound"
    NO_PICTURE = "no_picture"
    NO_NETWORK = "no_network"
    REMOTE = "remote"
    SET_BROKEN = "set_broken"
    OTHER = "other"


class FaultName(NamedTuple):
    """What it is called, in both languages of a station."""

    zh: str
    en: str


FAULT_NAMES: dict[SeenFault, FaultName] = {
    SeenFault.NO_SOUND: FaultName("没有声音", "No sound"),
    SeenFault.NO_PICTURE: FaultName("没有图像", "No picture"),
    SeenFault.NO_NETWORK: FaultName("网络不通", "No network"),
    SeenFault.REMOTE: FaultName("遥控器不灵", "Remote control"),
    SeenFault.SET_BROKEN: FaultName("电视或盒子坏了", "TV or box broken"),
    SeenFault.OTHER: FaultName("其他毛病", "Something else"),
}
