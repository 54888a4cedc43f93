"""Tables of messages to people: the outbox, which is everybody's inbox too, and what goes out by other channels."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id


class Message(Base):
    """One message to one person. ``title`` and ``text`` are source texts with places that ``params`` fill.

    ``dispatched_at`` is when it was handed to the person's other channels; the page always has it.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("account_id", "key"),
        Index("ix_messages_account_id_id", "account_id", "id"),
        Index("ix_messages_dispatched_at", "dispatched_at"),
    )

    id: Mapped[Id]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"))
    kind: Mapped[str] = mapped_column(String(20))
    title: Mapped[str] = mapped_column(String(300))
    text: Mapped[str] = mapped_column(Text)
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    link: Mapped[str | None] = mapped_column(String(300))
    key: Mapped[str | None] = mapped_column(String(120))
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    dispatched_at: Mapped[datetime | None]


class AccountChannel(Base):
    """Where else a person wants to hear of things. ``mode``: each, digest (once a morning) or urgent."""

    __tablename__ = "account_channels"

    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(10), primary_key=True)
    address: Mapped[str] = mapped_column(String(200))
    mode: Mapped[str] = mapped_column(String(10))


class Delivery(Base):
    """One message on its way by one channel. ``is_digest`` ones of one person go out together.

    ::

        pending ─► sent
           └─► failed   after the last attempt, or the channel was switched off
    """

    __tablename__ = "message_deliveries"
    __table_args__ = (
        UniqueConstraint("message_id", "channel"),
        Index("ix_deliveries_due", "state", "due_at"),
    )

    id: Mapped[Id]
    message_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("messages.id"))
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    channel: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(200))
    is_digest: Mapped[bool]
    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(300))
