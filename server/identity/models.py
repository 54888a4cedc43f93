"""Tables of people: accounts, role grants, tokens, lock-outs and the audit chain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Integer, String, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server.db import Base, Id
from server.identity.factor_models import RecoveryCode, SecondFactor
from server.identity.message_models import AccountChannel, Delivery, Message

__all__ = [
    "Account", "AccountChannel", "ApiToken", "AuditEntry", "Delivery", "Message", "RecoveryCode", "RoleGrant",
    "SecondFactor", "SignInGuard",
]  # fmt: skip


class Account(Base):
    """A person who may sign in. ``department`` is a partner's slug (rows of the catalogue, hence no key)."""

    __tablename__ = "accounts"

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(60))
    password_hash: Mapped[str] = mapped_column(String(200))
    department: Mapped[str | None] = mapped_column(String(40))
    locale: Mapped[str] = mapped_column(String(8), default="zh_CN")
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]
    grants: Mapped[list[RoleGrant]] = relationship(
        back_populates="account", lazy="selectin", cascade="all, delete-orphan"
    )


class RoleGrant(Base):
    """One role in one region and everything below it."""

    __tablename__ = "role_grants"
    __table_args__ = (UniqueConstraint("account_id", "role", "region"),)

    id: Mapped[Id]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"), index=True)
    role: Mapped[str] = mapped_column(String(30))
    region: Mapped[str] = mapped_column(String(12), ForeignKey("regions.code"))
    account: Mapped[Account] = relationship(back_populates="grants")


class ApiToken(Base):
    """A bearer token for programs; only its SHA-256 is kept."""

    __tablename__ = "api_tokens"

    id: Mapped[Id]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("accounts.id"), index=True)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(60))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class SignInGuard(Base):
    """Failed sign-ins by username: a lock-out is a row, so that it holds in every process and after a restart."""

    __tablename__ = "sign_in_guards"

    username: Mapped[str] = mapped_column(String(40), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    last_at: Mapped[datetime]
    locked_until: Mapped[datetime | None]


class AuditEntry(Base):
    """One link of the audit chain: ``hash`` covers this entry's content and ``prev_hash``."""

    __tablename__ = "audit_entries"

    seq: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    actor_name: Mapped[str] = mapped_column(String(60))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(100), index=True)
    detail: Mapped[dict[str, Any]]
    prev_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
