"""What the machine says of itself, where it does: temperature and screen. Nothing here is needed to play."""

from __future__ import annotations

from pathlib import Path

THERMAL = Path("/sys/class/thermal")
SCREENS = Path("/sys/class/drm")
BELIEVED_C = (-30.0, 130.0)


def temperature_c(folder: Path = THERMAL) -> float | None:
    """The warmest sensor, in degrees Celsius; None where the system names none."""
    found = [
        value / 1000 for zone in _listed(folder, "thermal_zone*/temp") if (value := _number(zone)) is not None
    ]
    believed = [degrees for degrees in found if BELIEVED_C[0] <= degrees <= BELIEVED_C[1]]
    return max(believed, default=None)


def screen_on(folder: Path = SCREENS) -> bool | None:
    """Whether a connected screen is switched on; None where the system does not tell."""
    states = [
        _text(connector.parent / "dpms") == "On"
        for connector in _listed(folder, "card*-*/status")
        if _text(connector) == "connected"
    ]
    return any(states) if states else None


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None
