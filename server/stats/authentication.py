"""Who sent signed bytes: the terminal whose key signed them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from protocol import keys
from protocol.batch import BatchHeader, ClockState
from protocol.errors import BadSignature
from protocol.times import from_text
from server.errors import Forbidden, Unauthenticated
from server.i18n import N_
from server.stations.models import Revocation, Terminal

CARRIED_FOR = timedelta(days=90)
"""换机: so long after a terminal was replaced, what it had signed before is still taken (decision 20)."""


def authenticate(
    session: Session, terminal_id: str, signed: bytes, signature: str, *, carried: bool = False
) -> Terminal:
    """The terminal that signed. Raises Unauthenticated or Forbidden; with ``carried`` a revoked one passes, and the
    caller asks :func:`is_carried`."""
    terminal = session.get(Terminal, terminal_id)
    if terminal is None or not _signed_by(terminal, signed, signature):
        raise Unauthenticated(N_("终端未注册，或签名不符"), code="unknown_terminal")
    if terminal.revoked_at is not None and not carried:
        raise Forbidden(N_("该终端已停用"), code="revoked")
    return terminal


def is_carried(terminal: Terminal, header: BatchHeader, now: datetime) -> bool:
    """Whether a batch of a revoked terminal may still come: its station got a new device, which brings what the old one
    had signed before it was replaced. One whose clock was a guess cannot say when that was, and is believed."""
    if terminal.revoked_at is None or terminal.revoked_why != Revocation.REPLACED:
        return False
    if now > terminal.revoked_at + CARRIED_FOR:
        return False
    return header.clock_state is ClockState.UNCERTAIN or from_text(header.wall) <= terminal.revoked_at


def _signed_by(terminal: Terminal, signed: bytes, signature: str) -> bool:
    try:
        keys.verify(terminal.public, signed, signature)
    except BadSignature:
        return False
    return True
