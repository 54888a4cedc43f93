"""A withdrawn programme is gone from the next listing, and everybody sees what that leaves empty."""

from __future__ import annotations

from datetime import timedelta

from server.catalog import service as catalog
from server.catalog.models import Edition
from server.console import withdrawn
from server.schedule import placing
from tests.publish.conftest import (  # noqa: F401 (fixtures)
    ADMIN,
    COUNTY,
    EDITOR,
    EVENING,
    Installation,
    initialised_sqlite,
    sqlite_province,
)


def test_what_a_withdrawal_leaves_empty_is_listed_start_by_start(sqlite_province: Installation) -> None:  # noqa: F811
    province = sqlite_province
    edition = province.release("冬小麦返青管理")
    with province.database.write() as session:
        placing.put_slot(
            session,
            EDITOR,
            region="13",
            starts_at=EVENING,
            programme_id=edition,
            rrule="FREQ=DAILY;COUNT=3",
            required=True,
            now=province.now,
        )
    with province.database.read() as session:
        assert withdrawn.gaps(session, session.get_one(Edition, edition), now=province.now) == []
    with province.database.write() as session:
        catalog.withdraw(session, EDITOR, edition, reason="版权到期", now=province.now)
    with province.database.read() as session:
        row = session.get_one(Edition, edition)
        found = withdrawn.gaps(session, row, now=province.now)
        assert [gap.at for gap in found] == [EVENING + timedelta(days=day) for day in range(3)]
        assert {(gap.region, gap.required, gap.placed_by) for gap in found} == {("13", True, EDITOR.name)}
        assert withdrawn.gaps(session, row, now=EVENING + timedelta(days=2, minutes=1)) == []
        assert [one.edition.id for one in withdrawn.listing(session, ADMIN)] == [edition]
        assert list(withdrawn.listing(session, COUNTY)) == []


def test_another_released_edition_fills_the_gap_by_itself(sqlite_province: Installation) -> None:  # noqa: F811
    province = sqlite_province
    old = province.release("冬小麦返青管理")
    province.place(old)
    with province.database.write() as session:
        first = session.get_one(Edition, old)
        new = Edition(
            programme_id=first.programme_id,
            number=2,
            asset_id=first.asset_id,
            state="released",
            contributor_id=first.contributor_id,
            created_at=province.now,
            released_at=province.now,
        )
        session.add(new)
        session.flush()
        catalog.withdraw(session, EDITOR, old, reason="旧版", now=province.now)
    with province.database.read() as session:
        assert withdrawn.gaps(session, session.get_one(Edition, old), now=province.now) == []
