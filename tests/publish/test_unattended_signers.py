"""Nobody stands by, and the process that publishes lies: each signer alone refuses what is not a clean local edit."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from protocol.documents import Frame, LocalDocument, Notice, decode, encode
from protocol.names import frame_target, local_target
from protocol.times import from_text, to_text
from server.catalog import protection
from server.identity import audit
from server.publish.changes import compare
from server.publish.evidence import APPROVED, RETURNED
from server.publish.panel import Panel, seat
from server.publish.signers import Case
from tests.publish.conftest import ADMIN, COUNTY, EDITOR, EVENING
from tests.publish.test_signers import a_frame, case_of, refusal

TARGET = local_target("130123")
SIGNERS = ("policy", "city")


@pytest.fixture
def province(sqlite_province):
    """A county's evening is published."""
    made = sqlite_province.release("蔚县剪纸")
    sqlite_province.publish()
    sqlite_province.place(made, at=EVENING.replace(hour=20), region="130123", by=COUNTY)
    assert sqlite_province.changes().changed
    return sqlite_province


def panel_of(province) -> Panel:
    return seat(province.config, province.database, province.store)


def signer(province, who: str):
    panel = panel_of(province)
    return {"policy": panel.policy, "officer": panel.officer, "city": panel.cities["local-1301"]}[who]


def lonely(province, **frames: Frame) -> Case:
    return replace(case_of(province, **frames), signed=case_of(province).signed, unattended=True)


def served(province) -> LocalDocument:
    return decode(case_of(province).before(TARGET), LocalDocument)


def with_notice(document: LocalDocument) -> LocalDocument:
    notice = Notice(
        id="n", text="今晚停电", region="130123", starts_at=document.valid_from, until=document.valid_until
    )
    return msgspec.structs.replace(document, serial=document.serial + 1, notices=[notice])


def moved(document: LocalDocument, hours: int) -> LocalDocument:
    [channel] = document.channels
    items = [
        msgspec.structs.replace(item, starts_at=to_text(from_text(item.starts_at) + timedelta(hours=hours)))
        for item in channel.items
    ]
    return msgspec.structs.replace(
        document, serial=document.serial + 1, channels=[msgspec.structs.replace(channel, items=items)]
    )


@pytest.mark.parametrize("who", SIGNERS)
def test_a_notice_needs_a_person(province, who):
    data = encode(with_notice(served(province)))

    assert refusal(signer(province, who), TARGET, data, lonely(province)) == ["notice"]


@pytest.mark.parametrize("who", ["policy", "officer"])
def test_a_frame_needs_a_person(province, who):
    edition = served(province).channels[0].items[0].edition
    data = a_frame(province, edition)

    assert "frame" in refusal(signer(province, who), frame_target("13"), data, lonely(province))


@pytest.mark.parametrize("who", SIGNERS)
def test_a_frame_that_was_never_signed_opens_no_window(province, who):
    """The publisher shows a frame whose window covers everything; the signers look at the signed one."""
    honest = decode(case_of(province).before(frame_target("13")), Frame)
    wide = [
        msgspec.structs.replace(w, starts_at=honest.valid_from, ends_at=honest.valid_until)
        for w in honest.channels[0].windows
    ]
    forged = msgspec.structs.replace(
        honest, channels=[msgspec.structs.replace(honest.channels[0], windows=wide)]
    )
    data = encode(moved(served(province), -5))

    for case in (
        lonely(province, **{"13": forged}),
        replace(lonely(province, **{"13": forged}), unattended=False),
    ):
        assert "outside_window" in refusal(signer(province, who), TARGET, data, case)


@pytest.mark.parametrize("who", SIGNERS)
def test_in_a_protected_period_nothing_passes_by_itself(province, who):
    with province.database.write() as session:
        protection.declare(
            session,
            ADMIN,
            starts_at=province.now,
            ends_at=province.now + timedelta(days=1),
            reason="重要会议",
            now=province.now,
        )
    later = msgspec.structs.replace(served(province), serial=served(province).serial + 1, channels=[])

    assert refusal(signer(province, who), TARGET, encode(later), lonely(province)) == ["protected"]


def link(province, action: str, person, document: LocalDocument, authors) -> None:
    change = compare(served(province), document, since=to_text(province.now))
    with province.database.write() as session:
        audit.append(
            session,
            actor=person,
            action=action,
            subject=f"document:{TARGET}",
            detail={"fingerprint": change.fingerprint, "authors": authors},
            now=province.now,
        )


@pytest.mark.parametrize("who", SIGNERS)
def test_what_a_second_person_approved_passes_and_nothing_else(province, who):
    wanted = with_notice(served(province))
    link(province, APPROVED, EDITOR, wanted, [COUNTY.id])

    signer(province, who).examine(TARGET, encode(wanted), lonely(province))

    [notice] = wanted.notices
    other = msgspec.structs.replace(wanted, notices=[msgspec.structs.replace(notice, text="别的话")])
    assert refusal(signer(province, who), TARGET, encode(other), lonely(province)) == ["notice"]


@pytest.mark.parametrize("who", SIGNERS)
@pytest.mark.parametrize("person", [COUNTY, None], ids=["the author", "nobody"])
def test_an_approval_by_the_author_or_by_nobody_is_none(province, who, person):
    wanted = with_notice(served(province))
    link(province, APPROVED, person, wanted, [COUNTY.id])

    assert refusal(signer(province, who), TARGET, encode(wanted), lonely(province)) == ["notice"]


@pytest.mark.parametrize("who", SIGNERS)
def test_an_approval_that_was_taken_back_is_none(province, who):
    wanted = with_notice(served(province))
    link(province, APPROVED, EDITOR, wanted, [COUNTY.id])
    link(province, RETURNED, ADMIN, wanted, [COUNTY.id])

    assert refusal(signer(province, who), TARGET, encode(wanted), lonely(province)) == ["notice"]
