"""Table of the administrative tree."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from server.db import Base


class Region(Base):
    """One node: province 13 → city 1301 → county 130123 → township 130123105 → village 130123105201."""

    __tablename__ = "regions"

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    parent: Mapped[str | None] = mapped_column(String(12), ForeignKey("regions.code"), index=True)
    level: Mapped[str] = mapped_column(String(10))
    name: Mapped[str] = mapped_column(String(80))
    successor: Mapped[str | None] = mapped_column(String(12), ForeignKey("regions.code"))
    """The region that took this one over (撤并); its stations follow that one."""
