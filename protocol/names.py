"""Names of roles and targets in the one TUF repository, and where things lie on the read plane.

Target names are flat per role: a TUF ``*`` never crosses ``/``.
"""

from __future__ import annotations

from protocol.regions import city_of, level_of

# --- roles -----------------------------------------------------------------------------------------------------
CATALOGUE = "catalogue"
FRAME = "frame"
RECALL = "recall"
EMERGENCY = "emergency"
NETWORK = "network"
AGENT = "agent"
COMMAND = "command"
ROLLOUT = "rollout"

CATALOGUE_BIN_BITS = 8
"""2**8 = 256 bins, ``catalogue-00`` … ``catalogue-ff``: 20,000 editions are 13.5 KB a bin."""


def local_role(city: str) -> str:
    """The role whose documents fill windows of a city and its counties: ``local-1301``."""
    if len(city) != 4:
        raise ValueError(f"not a city: {city!r}")
    return f"local-{city}"


# --- targets ---------------------------------------------------------------------------------------------------
RECALL_TARGET = "recall.json"
EMERGENCY_TARGET = "emergency.json"
NETWORK_TARGET = "network.json"
COMMAND_TARGET = "command/all.json"


def release_target(edition: str) -> str:
    """The release manifest of an edition (a UUID)."""
    return f"release/{edition}.json"


def frame_target(region: str) -> str:
    """The frame of a region."""
    level_of(region)
    return f"frame/{region}.json"


def local_target(region: str) -> str:
    """The local document of a city or of a county or place in it."""
    level_of(region)
    city = city_of(region)
    if city is None:
        raise ValueError("the province speaks in the frame, not in local documents")
    return f"local/{city}/{region}.json"


# --- paths under the read plane's URL ----------------------------------------------------------------------------
METADATA_PATH = "r/metadata/"
TARGETS_PATH = "r/targets/"
MEDIA_PATH = "m/"
PIECES_PATH = "p/"
TIMESTAMP_ISSUED_FIELD = "x-yuanbo-issued"
"""Signed in every timestamp: when it was issued (a Timestamp). Terminals anchor their clock on it."""
