"""Where phones of the same local network find this machine, and who counts as one of them."""

from __future__ import annotations

import ipaddress
import os
import socket

_LOCAL = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8")
)
_ASKED_FOR = ("198.51.100.1", "192.168.1.1", "192.168.0.1", "10.0.0.1")
"""Addresses to ask a route to: one of documentation (so: the default route), then what village routers have."""


def is_local(address: str) -> bool:
    """Whether an address is of a local network: private, link-local, or this machine's own."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.version == 4 and any(found in network for network in _LOCAL)


def lan_address() -> str | None:
    """This machine's address in its local network; None where it has none or a public one.

    ``YUANBO_LAN_ADDRESS`` names it where a machine has several. Connecting a UDP socket sends nothing: it only asks the
    system which way a packet would go.
    """
    named = os.environ.get("YUANBO_LAN_ADDRESS")
    if named:
        return named if is_local(named) else None
    found = (_towards(target) for target in _ASKED_FOR)
    return next((a for a in found if a is not None and is_local(a) and not a.startswith("127.")), None)


def _towards(target: str) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((target, 9))
        except OSError:
            return None
        return str(asking.getsockname()[0])
