"""Who sent signed bytes: the terminal whose key signed them."""

from __future__ import annotations

from sqlalchemy.orm import Session

from protocol import keys
from protocol.errors import BadSignature
from server.errors import Forbidden, Unauthenticated
from server.i18n import N_
from server.stations.models import Terminal


def authenticate(session: Session, terminal_id: str, signed: bytes, signature: str) -> Terminal:
    """The terminal that signed. Raises Unauthenticated or Forbidden."""
    terminal = session.get(Terminal, terminal_id)
    if terminal is None or not _signed_by(terminal, signed, signature):
        raise Unauthenticated(N_("终端未注册，或签名不符"), code="unknown_terminal")
    if terminal.revoked_at is not None:
        raise Forbidden(N_("该终端已停用"), code="revoked")
    return terminal


def _signed_by(terminal: Terminal, signed: bytes, signature: str) -> bool:
    try:
        keys.verify(terminal.public, signed, signature)
    except BadSignature:
        return False
    return True
