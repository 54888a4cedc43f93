"""Tables of the search.

One row a programme, its texts cut into pieces (see bigrams.py). PostgreSQL keeps them as ``tsvector`` under GIN
indexes; SQLite as text that triggers copy into the FTS5 table ``search_index``. Indexes and triggers are made by the
migration: the models know neither FTS5 nor GIN.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, Uuid
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base, Id

_PIECES = Text().with_variant(TSVECTOR(), "postgresql")


class SearchDocument(Base):
    """What is found of a programme. ``n`` rises with freshness: it is given anew when the programme gets fresher."""

    __tablename__ = "search_documents"

    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    programme_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("programmes.id", ondelete="CASCADE"), unique=True
    )
    fresh_at: Mapped[datetime]
    title: Mapped[str] = mapped_column(_PIECES)
    named: Mapped[str] = mapped_column(_PIECES)
    body: Mapped[str] = mapped_column(_PIECES)


class SavedView(Base):
    """A person's own set of library filters under a name."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("account_id", "name"),)

    id: Mapped[Id]
    account_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), index=True)
    name: Mapped[str] = mapped_column(String(40))
    filters: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
