"""Which life of the database this is: a random name made at first start and renewed by a restore.

Terminals compare it: when it changes they ask what the province still holds and send the rest again (stats/ingest.py).
"""

from __future__ import annotations

import secrets

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from server.db import Setting

KEY = "incarnation"


def current(session: Session) -> str:
    """The name of this life, 16 hex digits; made where there is none, by whichever process comes first."""
    found = session.get(Setting, KEY)
    if found is None:
        dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
        session.execute(
            dialect.insert(Setting)
            .values(key=KEY, value=_fresh())
            .on_conflict_do_nothing(index_elements=["key"])
        )
        found = session.get_one(Setting, KEY)
    return found.value


def renew(session: Session) -> str:
    """Begin a new life: after the database was brought back from a copy. The new name."""
    current(session)
    setting = session.get_one(Setting, KEY)
    setting.value = _fresh()
    session.flush()
    return setting.value


def _fresh() -> str:
    return secrets.token_hex(8)
