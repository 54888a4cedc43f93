"""The database: one declarative base, engines for SQLite and PostgreSQL, transactions.

Each use case is one transaction, opened at the edge (api, pages, commands, jobs) and passed to services:

    with database.write() as session:
        service.submit(session, caller, edition_id, now=clock.now())

``write`` takes SQLite's write lock at once (BEGIN IMMEDIATE), so a transaction never fails half-way for lack of it;
``read`` does not, and may not write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    Dialect,
    Engine,
    Integer,
    MetaData,
    String,
    TypeDecorator,
    Uuid,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy import DateTime as SqlDateTime
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

from protocol.identifiers import uuid7
from server import clock

BUSY_TIMEOUT_MS = 30_000


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, in and out; naive values are refused."""

    impl = SqlDateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def new_id() -> str:
    """A fresh row identifier (UUIDv7)."""
    return uuid7(clock.now_ms())


Id = Annotated[str, mapped_column(Uuid(as_uuid=False), primary_key=True, default=new_id)]
"""Primary key: ``id: Mapped[Id]``. A reference: ``Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey(...))``."""
Code = Annotated[str, mapped_column(String(12))]
Slug = Annotated[str, mapped_column(String(40))]
Sha256 = Annotated[str, mapped_column(String(64))]


class Base(DeclarativeBase):
    """All tables. Constraint names are fixed so that migrations can name them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON, list[str]: JSON, list[Any]: JSON}


class Setting(Base):
    """Facts about this installation, such as the ``incarnation`` of its database (renewed by a restore)."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[str] = mapped_column(String(2000))


class Counter(Base):
    """Numbers that only rise and are never reused, even after a crash: publications, role versions, serials."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[int] = mapped_column(Integer)


def next_number(session: Session, name: str) -> int:
    """The next value of a counter, starting at 1, safe against concurrent takers once committed."""
    row = session.get(Counter, name, with_for_update=True)
    if row is None:
        row = Counter(name=name, value=0)
        session.add(row)
    row.value += 1
    session.flush()
    return row.value


def take_turn(session: Session, name: str) -> None:
    """Let one transaction at a time, until it ends, do what ``name`` says. SQLite's writers take turns anyway.

    Whoever needs several turns takes them in one order everywhere; the audit chain's is always the last.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


def make_engine(url: str) -> Engine:
    """An engine for ``sqlite:///path`` or ``postgresql://…`` (psycopg 3)."""
    if url.startswith("sqlite"):
        engine = create_engine(
            url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(url, pool_pre_ping=True)


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    read_only = connection.get_execution_options().get("yuanbo_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


class Database:
    """An engine and its transactions."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = make_engine(url)
        self._writers = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(
            self.engine.execution_options(yuanbo_read_only=True), expire_on_commit=False, autoflush=False
        )

    @property
    def is_postgresql(self) -> bool:
        return self.engine.dialect.name == "postgresql"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends well and rolls back when it raises."""
        with self._writers.begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A consistent view; nothing is written. What was loaded may still be read afterwards: closing ends the
        transaction without expiring rows, which a rollback would."""
        with self._readers() as session:
            yield session

    def close(self) -> None:
        self.engine.dispose()
