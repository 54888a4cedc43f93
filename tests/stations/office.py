"""A small province for tests of stations and reports: two counties of two cities, and people with tokens."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from server.config import Config, load
from server.db import Database
from server.identity import service as identity
from server.identity.rules import Caller, Role
from server.readplane import metadata_folder
from server.regions.models import Region

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
VILLAGE = "130123105201"
OTHER_VILLAGE = "130726100201"
ROOT = b'{"signed": "the first root"}'
REGIONS = [
    ("13", None, "province", "河北省"),
    ("1301", "13", "city", "石家庄市"),
    ("130123", "1301", "county", "正定县"),
    ("130123105", "130123", "township", "曲阳桥镇"),
    (VILLAGE, "130123105", "village", "曲阳桥村民委员会"),
    ("130123105202", "130123105", "village", "西汉村村民委员会"),
    ("1307", "13", "city", "张家口市"),
    ("130726", "1307", "county", "蔚县"),
    ("130726100", "130726", "township", "蔚州镇"),
    (OTHER_VILLAGE, "130726100", "village", "前堡村民委员会"),
]


def add_regions(database: Database) -> None:
    with database.write() as session:
        for code, parent, level, name in REGIONS:
            session.add(Region(code=code, parent=parent, level=level, name=name))
            session.flush()


def caller(role: Role = Role.PROVINCE_ADMIN, region: str = "13") -> Caller:
    """Somebody with one role in one region, without an account."""
    return Caller(
        id="01930000-0000-7000-8000-00000000000f", username="x", name="某人", grants=((role, region),)
    )


def add_person(database: Database, role: Role, region: str) -> dict[str, str]:
    """An account with one role; the headers of its requests."""
    with database.write() as session:
        account = identity.create_account(
            session,
            username=f"{role.value.replace('_', '-')}-{region}",
            name=f"{region} {role.value}",
            password="correct horse battery",
            grants=[(role, region)],
            department="nongye" if role is Role.PARTNER else None,
            now=NOW,
        )
        _, token = identity.issue_token(session, account, "test", now=NOW)
    return {"Authorization": f"Bearer {token}"}


def make_config(folder: Path, database_url: str) -> Config:
    """Settings of an installation that has published once."""
    config = load(folder, {"YUANBO_DATABASE_URL": database_url})
    config.make_folders()
    (metadata_folder(config.read) / "1.root.json").write_bytes(ROOT)
    return config
