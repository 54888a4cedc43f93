"""A web application with a small province, programmes and editors, behind a real socket: what the board's tests need."""

from __future__ import annotations

import shutil
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from werkzeug.serving import make_server

from protocol.times import SHANGHAI
from server import clock
from server.app import create_app
from server.catalog import search_index
from server.catalog.models import Asset, AssetState, Edition, EditionState, Programme, Section
from server.config import Config
from server.db import Database, new_id
from server.identity.models import Account, RoleGrant
from server.identity.rules import Caller, Role
from server.identity.service import caller_of, hash_password
from server.regions.models import Region
from server.schedule import service

PASSWORD = "correct horse 电池"
REGIONS = {"13": ("河北省", None), "1301": ("石家庄市", "13"), "130123": ("正定县", "1301")}
PEOPLE = {
    "sheng": ("王编辑", Role.PROVINCE_EDITOR, "13"),
    "deputy": ("李编辑", Role.PROVINCE_EDITOR, "13"),
    "xian": ("赵县编", Role.COUNTY_EDITOR, "130123"),
}
FILMS = {
    "三会一课怎么开": 25, "冬小麦返青管理": 30, "一周菜价": 15, "四议两公开图解": 20, "温室黄瓜病害": 35, "农村安全用电": 20,
    "惠农补贴解读": 30, "板栗丰产栽培": 40, "河北梆子选段": 45, "农村医保办理": 25, "蛋鸡春季防疫": 30, "防电信诈骗": 20,
    "先进支部巡礼": 30, "苹果冬剪": 35, "太行新村纪行": 40, "电商开店入门": 25, "农产品分级包装": 20, "井陉拉花": 30,
    "返乡创业第一课": 30, "防汛避险": 15, "蔚县剪纸": 20,
}  # fmt: skip
LEVELS = {2: "province", 4: "city", 6: "county"}


class World:
    """One installation on SQLite, filled and served."""

    def __init__(self, folder: Path, port: int, migrated: Path) -> None:
        """``migrated`` is an SQLite file with every table; it is copied."""
        self.config = Config(
            data=folder,
            database_url=f"sqlite:///{folder / 'yuanbo.sqlite'}",
            jobs_database_url="sqlite://",
            console_url=f"http://127.0.0.1:{port}",
        )
        self.config.make_folders()
        shutil.copyfile(migrated, folder / "yuanbo.sqlite")
        self.database = Database(self.config.database_url)
        self.programmes: dict[str, str] = {}
        self.people: dict[str, Caller] = {}
        with self.database.write() as session:
            self._fill(session)
        self.url = self.config.console_url
        self._running = make_server("127.0.0.1", port, create_app(self.config), threaded=True)
        self._thread = threading.Thread(target=self._running.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._running.shutdown()
        self._thread.join()
        self._running.server_close()
        self.database.close()

    def _fill(self, session: Any) -> None:
        now = clock.now()
        for code, (name, parent) in REGIONS.items():
            session.add(Region(code=code, parent=parent, level=LEVELS[len(code)], name=name))
            session.flush()
        session.add(Section(slug="dangjian", name="党建时政", name_en="Party affairs", position=1))
        session.add(Section(slug="nongye", name="农业科技", name_en="Farming", position=2))
        session.flush()
        hashed = hash_password(PASSWORD)
        for username, (name, role, region) in PEOPLE.items():
            account = Account(
                username=username, name=name, password_hash=hashed, locale="zh_CN", is_active=True, created_at=now,
                grants=[RoleGrant(role=role, region=region)],
            )  # fmt: skip
            session.add(account)
            session.flush()
            self.people[username] = caller_of(account)
        someone = self.people["sheng"].id
        for number, (title, minutes) in enumerate(FILMS.items()):
            section = ("dangjian", "nongye")[number % 2]
            programme, asset = new_id(), new_id()
            session.add(
                Programme(
                    id=programme,
                    title=title,
                    section=section,
                    region="13",
                    created_by=someone,
                    created_at=now,
                )
            )
            session.add(
                Asset(
                    id=asset, filename="a", path="a", size=1, sha256="0" * 64, state=AssetState.READY,
                    duration_ms=minutes * 60_000, uploaded_by=someone, created_at=now,
                )
            )  # fmt: skip
            session.flush()
            session.add(
                Edition(
                    id=new_id(), programme_id=programme, number=1, asset_id=asset, state=EditionState.RELEASED,
                    contributor_id=someone, created_at=now,
                )
            )  # fmt: skip
            self.programmes[title] = programme
        session.flush()
        search_index.rebuild(session)
        service.seed(session)

    # --- the schedule ---------------------------------------------------------------------------------------------------
    @property
    def monday(self) -> datetime:
        """The midnight of next week's Monday: nothing in that week is past."""
        today = clock.now().astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=today.weekday()) + timedelta(days=7)

    def at(self, day: int, hour: int, minute: int = 0) -> datetime:
        """A wall time of next week, 0 being Monday."""
        return self.monday + timedelta(days=day, hours=hour, minutes=minute)

    def put(self, title: str, at: datetime, who: str = "sheng", region: str = "13", **more: Any) -> str:
        with self.database.write() as session:
            slot = service.put_slot(
                session,
                self.people[who],
                region=region,
                starts_at=at,
                programme_id=self.programmes[title],
                now=clock.now(),
                **more,
            )
            return slot.id

    def change(self, slot_id: str, who: str, **changes: Any) -> None:
        with self.database.write() as session:
            service.change_slot(
                session,
                self.people[who],
                slot_id,
                changes,
                version=None,
                now=clock.now(),  # type: ignore[arg-type]
            )

    def slot(self, slot_id: str) -> Any:
        with self.database.read() as session:
            return service.get_slot(session, slot_id)

    def placed(self, title: str) -> list[datetime]:
        """Where a programme's rules in force begin, in Asia/Shanghai."""
        with self.database.read() as session:
            return sorted(
                slot.starts_at.astimezone(SHANGHAI)
                for slot in service.slots_in(session)
                if slot.programme_id == self.programmes[title]
            )

    def fill_week(self) -> None:
        """Three programmes a day, as the demonstration has them."""
        for number, title in enumerate(FILMS):
            self.put(title, self.at(number // 3, (9, 15, 19)[number % 3]), required=number == 14)
