"""Where else a person wants to hear of things: e-mail and SMS, as far as the installation has them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Invalid
from server.i18n import N_
from server.identity.delivery import Channel, Mode
from server.identity.models import AccountChannel
from server.identity.rules import Caller

_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,120}\.[A-Za-z]{2,24}")
_PHONE = re.compile(r"\+?[0-9]{5,20}")


def of(session: Session, account_id: str) -> Sequence[AccountChannel]:
    return session.scalars(select(AccountChannel).where(AccountChannel.account_id == account_id)).all()


def choose(session: Session, caller: Caller, channel: Channel, *, address: str, mode: Mode | None) -> None:
    """Where and how to be told by a channel; without a mode or an address, not at all. Raises Invalid."""
    row = session.get(AccountChannel, (caller.id, channel.value))
    address = address.strip()
    if mode is None or not address:
        if row is not None:
            session.delete(row)
        return
    fits = {Channel.EMAIL: _EMAIL, Channel.SMS: _PHONE}.get(channel)
    if fits is None or not fits.fullmatch(address):
        raise Invalid(N_("“%(address)s”不是有效的邮箱或手机号"), address=address[:60])
    if row is None:
        row = AccountChannel(account_id=caller.id, channel=channel.value)
        session.add(row)
    row.address, row.mode = address, mode.value
