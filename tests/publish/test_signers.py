"""What signers look at for themselves, and refuse, whatever the publisher says."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from sqlalchemy import update

from protocol.documents import (
    Emergency,
    EmergencyItem,
    Frame,
    FrameChannel,
    Item,
    LibraryEntry,
    LocalChannel,
    LocalDocument,
    Recall,
    RecalledRelease,
    Ref,
    Why,
    decode,
    encode,
)
from protocol.names import frame_target, local_target, release_target
from protocol.times import to_text
from server.catalog import models as catalog
from server.catalog import review
from server.catalog import service as programmes
from server.db import new_id
from server.identity import audit
from server.identity.models import AuditEntry
from server.publish import service
from server.publish.assembly import Assembly
from server.publish.evidence import EMERGENCY_APPROVED, EMERGENCY_PROPOSED, Refused
from server.publish.panel import Panel, seat
from server.publish.scope import recall_problems
from server.publish.signers import Case
from server.publish.trust_repository import Repository
from tests.publish.conftest import ADMIN, COUNTY, EDITOR, EVENING, REVIEWERS

WHY = Why(rule="r", level="province", region="13")


def codes(result: service.PublicationResult) -> dict[str, str]:
    """The first reason of everything held back, by subject."""
    return {held.subject: held.problems[0].code for held in result.held_back}


# --- the policy signer and releases -----------------------------------------------------------------------------------
def append(session, edition: str, action: str, actor, now, **detail) -> None:
    row = session.get(catalog.Edition, edition)
    content = {
        "source_sha256": row.asset.sha256,
        "recipe_sha256": row.recipe_sha256,
        "contributor": row.contributor_id,
        "title": row.programme.title,
        **detail,
    }
    audit.append(session, actor=actor, action=action, subject=f"edition:{edition}", detail=content, now=now)


def forge(province, edition: str, *reviewers, **detail) -> None:
    """Links as somebody with the application's code, but not three people, could write them."""
    with province.database.write() as session:
        append(session, edition, review.SUBMITTED, EDITOR, province.now)
        for stage, reviewer in zip(review.STAGES, reviewers, strict=False):
            append(
                session, edition, review.review_action(stage), reviewer, province.now, approved=True, **detail
            )
        session.get(catalog.Edition, edition).state = catalog.EditionState.RELEASED


@pytest.mark.parametrize(
    "reviewers",
    [
        [REVIEWERS[s] for s in (catalog.Stage.FIRST, catalog.Stage.SECOND, catalog.Stage.FIRST)],
        [REVIEWERS[s] for s in (catalog.Stage.FIRST, catalog.Stage.SECOND)],
        [REVIEWERS[catalog.Stage.FIRST], EDITOR, REVIEWERS[catalog.Stage.FINAL]],
    ],
    ids=["the same person twice", "two reviews only", "the contributor among them"],
)
def test_reviews_that_are_not_by_three_others_admit_nothing(province, reviewers):
    edition = province.upload("没有三个人审过")
    forge(province, edition, *reviewers)

    assert codes(province.publish()) == {edition: "not_reviewed"}


def test_reviews_of_another_source_admit_nothing(province):
    edition = province.release("审过以后换了片子")
    with province.database.write() as session:
        session.get(catalog.Edition, edition).asset.sha256 = "1" * 64

    assert codes(province.publish()) == {edition: "other_content"}


def test_a_release_withdrawn_in_the_audit_chain_stays_out_though_its_row_says_released(province, terminal):
    edition = province.release("撤回又被改回")
    province.publish()
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)
        session.get(catalog.Edition, edition).state = catalog.EditionState.RELEASED

    result = province.publish()

    assert codes(result) == {edition: "not_reviewed"}
    assert terminal.fetch(release_target(edition)) is None


def test_media_changed_in_the_store_are_not_admitted(province):
    edition = province.release("片子被换")
    path = media_of(province, edition)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)

    assert codes(province.publish()) == {edition: "media_changed"}


def test_media_that_are_gone_are_not_admitted(province):
    edition = province.release("片子不见了")
    media_of(province, edition).unlink()

    assert codes(province.publish()) == {edition: "media_missing"}


def test_a_wrong_piece_layer_is_not_admitted(province):
    edition = province.release("分片表不对")
    with province.database.read() as session:
        asset = session.get(catalog.Edition, edition).asset_id
        root = session.query(catalog.Rendition).filter_by(asset_id=asset).one().pieces_root
    path = province.config.media / "p" / root
    path.write_bytes(path.read_bytes()[::-1])

    assert codes(province.publish()) == {edition: "pieces_changed"}


def test_what_was_held_back_is_admitted_once_it_is_put_right(province, terminal):
    edition = province.release("晚到的片子")
    path = media_of(province, edition)
    data = path.read_bytes()
    path.unlink()
    province.publish()

    path.write_bytes(data)

    assert province.publish().held_back == ()
    assert terminal.fetch(release_target(edition)) is not None


def test_rights_that_have_ended_admit_nothing(province):
    edition = province.upload("版权到期")
    with province.database.write() as session:
        session.get(catalog.Edition, edition).programme.rights_until = province.now
    province.review(edition)

    assert codes(province.publish()) == {edition: "rights_ended"}


def test_words_that_nobody_approved_admit_nothing(province):
    edition = province.release("苹果冬剪")
    with province.database.write() as session:
        row = session.get(catalog.Edition, edition)
        row.description = {**row.description, "summary": "没有人审过的话"}

    assert codes(province.publish()) == {edition: "other_content"}


def test_an_edition_without_renditions_waits(province):
    edition = province.release("没有成品")
    with province.database.write() as session:
        session.query(catalog.Rendition).delete()

    assert codes(province.publish()) == {edition: "no_rendition"}


def media_of(province, edition: str):
    with province.database.read() as session:
        asset = session.get(catalog.Edition, edition).asset_id
        sha256 = session.query(catalog.Rendition).filter_by(asset_id=asset).one().sha256
    return province.config.media / "m" / sha256


# --- the audit chain --------------------------------------------------------------------------------------------------
def test_a_link_changed_in_the_middle_stops_every_new_admission(province):
    province.release("一")
    with province.database.write() as session:
        session.execute(update(AuditEntry).where(AuditEntry.seq == 3).values(actor_name="别人"))

    with pytest.raises(audit.ChainBroken):
        province.publish()


def test_a_history_rewritten_behind_the_remembered_head_is_noticed(province):
    """The whole chain is made anew, links fit each other: only whoever remembers its end can tell."""
    province.release("一")
    province.publish()
    province.release("二")
    with province.database.write() as session:
        rewrite(session)

    with pytest.raises(audit.ChainBroken, match="与此前所见不符"):
        province.publish()


def rewrite(session) -> None:
    before = audit.GENESIS_HASH
    for link in session.query(AuditEntry).order_by(AuditEntry.seq):
        link.actor_name, link.prev_hash = "改过", before
        link.hash = before = audit.link_hash(link)


@pytest.mark.parametrize(
    "tampering",
    [
        {"actor_name": "别人"},
        {"subject": "edition:elsewhere"},
        {"action": "edition.note"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_an_old_link_that_changes_later_proves_nothing(province, tampering):
    """A withdrawal that was seen cannot be hidden by changing or moving its link."""
    edition = province.release("一")
    province.publish()
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)
    province.release("二")
    province.publish()
    with province.database.write() as session:
        session.execute(update(AuditEntry).where(AuditEntry.action == review.WITHDRAWN).values(**tampering))
        session.get(catalog.Edition, edition).state = catalog.EditionState.RELEASED
    province.release("三")

    with pytest.raises(audit.ChainBroken, match="与此前所见不符"):
        province.publish()


def test_an_old_link_that_is_deleted_later_proves_nothing(province):
    edition = province.release("一")
    province.publish()
    with province.database.write() as session:
        programmes.withdraw(session, ADMIN, edition, now=province.now)
    province.release("二")
    province.publish()
    with province.database.write() as session:
        session.query(AuditEntry).filter_by(action=review.WITHDRAWN).delete()
        session.get(catalog.Edition, edition).state = catalog.EditionState.RELEASED

    with pytest.raises(audit.ChainBroken, match="与此前所见不符"):
        province.publish()


def test_a_memory_cut_short_by_a_power_cut_is_read_again_from_the_chain(province):
    province.release("一")
    province.publish()
    memory = province.config.keys / "policy-links.bin"
    memory.write_bytes(memory.read_bytes()[:-20])
    province.release("二")

    assert province.publish().new_releases == 1

    with province.database.read() as session:
        assert memory.stat().st_size == 48 * audit.head_of(session).seq


def test_a_history_cut_off_behind_the_remembered_head_is_noticed(province):
    province.release("一")
    province.publish()
    with province.database.write() as session:
        session.query(AuditEntry).filter(AuditEntry.seq > 2).delete()
        session.query(catalog.Edition).update({"state": catalog.EditionState.DRAFT})
    other = province.upload("二")
    with province.database.write() as session:
        session.get(catalog.Edition, other).state = catalog.EditionState.RELEASED

    with pytest.raises(audit.ChainBroken):
        province.publish()


# --- documents --------------------------------------------------------------------------------------------------------
@pytest.fixture
def edition(sqlite_province) -> str:
    made = sqlite_province.release("冬小麦返青管理")
    sqlite_province.publish()
    return made


@pytest.fixture
def panel(sqlite_province, edition) -> Panel:
    province = sqlite_province
    return seat(province.config, province.database, province.store)


@pytest.fixture
def case(sqlite_province, edition) -> Case:
    """What a publisher would lay before the signers now."""
    return case_of(sqlite_province)


def case_of(province, **frames: Frame) -> Case:
    repository = Repository(province.config.read)
    seats = seat(province.config, province.database, province.store)
    assembly = Assembly(
        repository,
        repository.served(),
        seats,
        lambda floors: {r: v + 1 for r, v in floors.items()},
        province.now,
        root=b"",
    )
    signed = None if frames else assembly._signed_by
    return Case(assembly._catalogue_for, frames, assembly.served_bytes, province.now, signed)


def release_of(province, edition: str) -> str:
    found = list(province.config.read.glob(f"r/targets/release/*.{edition}.json"))
    return found[0].name.split(".")[0]


def next_serial(province, target: str) -> int:
    memory = json.loads((province.config.keys / "policy-memory.json").read_bytes())
    return memory["documents"][target]["serial"] + 1


def a_frame(province, edition: str, *, serial: int | None = None, **item) -> bytes:
    placed = {
        "id": "1",
        "starts_at": to_text(EVENING),
        "duration_ms": 60_000,
        "edition": edition,
        "release": item.get("release") or release_of(province, edition),
        "why": WHY,
        **item,
    }
    return encode(
        Frame(
            region="13",
            serial=serial or next_serial(province, frame_target("13")),
            valid_from=to_text(province.now),
            valid_until=to_text(EVENING.replace(day=18)),
            channels=[FrameChannel(id="main", name="综合", items=[Item(**placed)])],
        )
    )


def refusal(signer, target: str, data: bytes, case: Case) -> list[str]:
    with pytest.raises(Refused) as refused:
        signer.examine(target, data, case)
    return [problem.code for problem in refused.value.problems]


def test_an_honest_frame_passes(sqlite_province, edition, panel, case):
    panel.policy.examine(frame_target("13"), a_frame(sqlite_province, edition), case)


def test_a_frame_that_names_a_release_never_admitted_is_refused(sqlite_province, edition, panel, case):
    data = a_frame(sqlite_province, new_id(), release="2" * 64)

    assert refusal(panel.policy, frame_target("13"), data, case) == ["not_admitted"]
    assert refusal(panel.officer, frame_target("13"), data, case) == ["not_admitted"]


def test_a_frame_that_names_another_manifest_of_an_admitted_edition_is_refused(
    sqlite_province, edition, panel, case
):
    data = a_frame(sqlite_province, edition, release="2" * 64)

    assert refusal(panel.policy, frame_target("13"), data, case) == ["not_admitted"]


def test_a_serial_that_jumps_is_refused(sqlite_province, edition, panel, case):
    for serial in (1, next_serial(sqlite_province, frame_target("13")) + 1, 2**40):
        data = a_frame(sqlite_province, edition, serial=serial)
        assert refusal(panel.policy, frame_target("13"), data, case) == ["serial"]


def test_one_serial_never_stands_for_two_documents(sqlite_province, edition, panel, case):
    panel.policy.examine(frame_target("13"), a_frame(sqlite_province, edition), case)
    other = a_frame(sqlite_province, edition, duration_ms=30_000)

    assert refusal(panel.policy, frame_target("13"), other, case) == ["serial"]


def test_a_document_under_another_regions_name_is_refused(sqlite_province, edition, panel, case):
    data = a_frame(sqlite_province, edition, serial=1)

    assert refusal(panel.policy, frame_target("1301"), data, case) == ["misnamed"]


def test_a_document_that_cannot_be_read_is_refused(panel, case):
    assert refusal(panel.policy, frame_target("13"), b"{}", case) == ["malformed"]
    assert refusal(panel.policy, "secret/1.json", b"{}", case) == ["malformed"]


def test_a_role_that_names_what_nobody_examined_is_not_signed(panel):
    payload = json.dumps(
        {
            "_type": "targets",
            "version": 9,
            "targets": {frame_target("13"): {"length": 2, "hashes": {"sha256": "3" * 64}}},
        }
    ).encode()

    for signer in (panel.policy, panel.officer, panel.cities["local-1301"]):
        with pytest.raises(Refused, match="没有审查过"):
            signer.sign_documents(payload, before=None)


def test_a_bin_that_names_what_nobody_examined_is_not_signed(panel):
    target = release_target(new_id())
    payload = json.dumps(
        {"_type": "targets", "version": 9, "targets": {target: {"length": 2, "hashes": {"sha256": "3" * 64}}}}
    ).encode()

    with pytest.raises(Refused):
        panel.officer.sign_catalogue(payload, before=None)
    with pytest.raises(Refused):
        panel.policy.sign_catalogue(payload, before=None)


def test_a_policy_key_signs_no_snapshot_as_if_it_were_a_catalogue(panel):
    with pytest.raises(Refused):
        panel.policy.sign_catalogue(b'{"_type":"snapshot","version":1,"meta":{}}', before=None)


def local(province, edition: str, region: str, **item) -> bytes:
    placed = {
        "id": "1",
        "starts_at": to_text(EVENING.replace(hour=20)),
        "duration_ms": 60_000,
        "edition": edition,
        "release": release_of(province, edition),
        "why": WHY,
        "window": "w",
        **item,
    }
    return encode(
        LocalDocument(
            region=region,
            serial=1,
            valid_from=to_text(province.now),
            valid_until=to_text(EVENING.replace(day=18)),
            channels=[LocalChannel(id="main", items=[Item(**placed)])],
        )
    )


def test_a_local_item_outside_every_window_is_refused_by_city_and_policy(
    sqlite_province, edition, panel, case
):
    data = local(sqlite_province, edition, "130123")

    for signer in (panel.cities["local-1301"], panel.policy):
        assert refusal(signer, local_target("130123"), data, case) == ["outside_window"]


def test_a_city_signs_nothing_for_another_city(sqlite_province, edition, panel, case):
    data = local(sqlite_province, edition, "130726")

    assert "other_city" in refusal(panel.cities["local-1301"], local_target("130726"), data, case)


def test_an_emergency_shows_admitted_releases_or_text_only(panel, case, sqlite_province, edition):
    def emergency(**content) -> bytes:
        item = EmergencyItem(
            id="e",
            starts_at=to_text(EVENING),
            ends_at=to_text(EVENING.replace(hour=22)),
            regions=["13"],
            **content,
        )
        return encode(Emergency(serial=2, items=[item]))

    unknown = Ref(edition=new_id(), release="4" * 64, duration_ms=1000)
    for data, code in ((emergency(ref=unknown), "not_admitted"), (emergency(), "empty")):
        agree(sqlite_province, data, EDITOR, ADMIN)
        fresh = seat(sqlite_province.config, sqlite_province.database, sqlite_province.store)
        assert refusal(fresh.policy, "emergency.json", data, case) == [code]
    honest = emergency(text="今晚八点停电检修")
    agree(sqlite_province, honest, EDITOR, ADMIN)
    fresh = seat(sqlite_province.config, sqlite_province.database, sqlite_province.store)
    fresh.policy.examine("emergency.json", honest, case)


def agree(province, data: bytes, asked, agreed) -> None:
    """The links that an emergency of two people leaves in the audit chain."""
    [item] = decode(data, Emergency).items
    detail = {"regions": item.regions, "text": item.text, "programme": None, "until": item.ends_at}
    with province.database.write() as session:
        for action, actor in ((EMERGENCY_PROPOSED, asked), (EMERGENCY_APPROVED, agreed)):
            if actor is not None:
                audit.append(
                    session,
                    actor=actor,
                    action=action,
                    subject=f"emergency:{item.id}",
                    detail=detail,
                    now=province.now,
                )


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [(EDITOR, EDITOR), (EDITOR, None), (None, ADMIN)],
    ids=["same", "one", "nobody asked"],
)
def test_an_emergency_without_two_people_is_signed_by_nobody(sqlite_province, panel, case, asked, agreed):
    item = EmergencyItem(
        id="e",
        starts_at=to_text(EVENING),
        ends_at=to_text(EVENING.replace(hour=22)),
        regions=["13"],
        text="停电",
    )
    data = encode(Emergency(serial=2, items=[item]))
    agree(sqlite_province, data, asked, agreed)

    for signer in (panel.policy, panel.officer):
        assert refusal(signer, "emergency.json", data, case) == ["not_agreed"]


def test_an_emergency_agreed_on_cannot_be_swapped_for_another(sqlite_province, panel, case):
    item = EmergencyItem(
        id="e",
        starts_at=to_text(EVENING),
        ends_at=to_text(EVENING.replace(hour=22)),
        regions=["13"],
        text="停电",
    )
    agree(sqlite_province, encode(Emergency(serial=2, items=[item])), EDITOR, ADMIN)
    other = encode(Emergency(serial=2, items=[msgspec.structs.replace(item, text="别的话")]))

    assert refusal(panel.policy, "emergency.json", other, case) == ["not_agreed"]


def test_a_recall_is_never_taken_back_by_leaving_it_out(sqlite_province, edition, panel):
    province = sqlite_province
    with province.database.write() as session:
        service.recall(session, ADMIN, edition, reason="内容有误", now=province.now)
    province.publish()
    case = case_of(province)
    fresh = seat(province.config, province.database, province.store)

    assert refusal(fresh.policy, "recall.json", encode(Recall(serial=3)), case) == ["recall_lifted"]


def test_library_entries_are_checked_as_well(sqlite_province, edition, panel, case):
    frame = decode(a_frame(sqlite_province, edition), Frame)
    entry = LibraryEntry(edition=new_id(), release="5" * 64, section="dangjian")
    data = encode(msgspec.structs.replace(frame, library=[entry]))

    assert refusal(panel.policy, frame_target("13"), data, case) == ["not_admitted"]


def test_a_refused_document_stays_as_served_and_the_rest_goes_out(sqlite_province, edition, terminal):
    """A schedule that names a release nobody admitted: its frame is held back, the county's document is not."""
    province = sqlite_province
    province.place(edition, at=EVENING.replace(hour=20), region="130123", by=COUNTY)
    before = terminal.fetch(frame_target("13"))

    def lying(session, *, releases, now):
        compiled = service.compile_documents(session, releases=releases, now=now)
        compiled.fingerprints.pop(frame_target("13"))
        bad = decode(a_frame(province, edition), Frame)
        bad.channels[0].items[0] = msgspec.structs.replace(bad.channels[0].items[0], release="6" * 64)
        compiled.frames["13"] = msgspec.structs.replace(
            bad,
            channels=[
                msgspec.structs.replace(bad.channels[0], windows=compiled.frames["13"].channels[0].windows)
            ],
        )
        return compiled

    result = province.publish(compile_schedule=lying)

    assert codes(result) == {frame_target("13"): "not_admitted"}
    assert terminal.fetch(frame_target("13")) == before
    assert terminal.fetch(local_target("130123")) is not None


# --- freshness --------------------------------------------------------------------------------------------------------
def snapshot(version: int, **roles: int) -> bytes:
    meta = {f"{role}.json": {"version": v, "hashes": {"sha256": "7" * 64}} for role, v in roles.items()}
    return json.dumps({"_type": "snapshot", "version": version, "meta": meta}, separators=(",", ":")).encode()


def signed(panel, payload: bytes) -> bytes:
    signature = panel.snapshot.sign(payload)
    return b'{"signatures":[{"keyid":"x","sig":"%s"}],"signed":%s}' % (signature.encode(), payload)


@pytest.mark.parametrize(
    "payload",
    [
        snapshot(6, frame=3),
        snapshot(6, frame=2, network=1),
        snapshot(5, frame=3, network=1),
        b'{"_type":"snapshot","version":6,"meta":{"frame.json":{"version":3},"network.json":{"version":1}}}',
        b'{"_type":"timestamp","version":6,"meta":{}}',
    ],
    ids=["a role left", "an older role", "no newer version", "no hash", "not a snapshot"],
)
def test_a_snapshot_signer_lets_nothing_go_backwards(panel, payload):
    before = signed(panel, snapshot(5, frame=3, network=1))

    with pytest.raises(Refused):
        panel.snapshot.sign_next(payload, before=before)
    assert panel.snapshot.sign_next(snapshot(6, frame=4, network=1, agent=1), before=before)


# --- memory -----------------------------------------------------------------------------------------------------------
def test_the_policy_signer_remembers_in_a_file_of_its_own(sqlite_province, edition):
    memory = sqlite_province.config.keys / "policy-memory.json"
    found = json.loads(memory.read_bytes())

    assert memory.stat().st_mode & 0o777 == 0o600
    links = sqlite_province.config.keys / "policy-links.bin"
    with sqlite_province.database.read() as session:
        head = audit.head_of(session)
    assert links.stat().st_mode & 0o777 == 0o600
    assert links.stat().st_size == 48 * head.seq
    assert links.read_bytes()[-48:-16].hex() == head.hash
    served = next(sqlite_province.config.read.glob("r/targets/*.recall.json")).read_bytes()
    assert found["documents"]["recall.json"] == {"serial": 1, "sha256": hashlib.sha256(served).hexdigest()}


def test_a_policy_signer_that_lost_its_memory_goes_on_from_what_is_served(sqlite_province, edition, terminal):
    (sqlite_province.config.keys / "policy-memory.json").unlink()
    before = decode(terminal.fetch(frame_target("13")), Frame).serial
    sqlite_province.place(edition)

    assert sqlite_province.publish().held_back == ()

    assert decode(terminal.fetch(frame_target("13")), Frame).serial == before + 1


def test_recalled_entries_are_compared_by_release():
    one = RecalledRelease(edition=new_id(), release="8" * 64, at=to_text(EVENING))
    two = msgspec.structs.replace(one, release="9" * 64)

    assert recall_problems(Recall(serial=2, recalled=[one, two]), Recall(serial=1, recalled=[one])) == []
    assert (
        recall_problems(Recall(serial=2, recalled=[two]), Recall(serial=1, recalled=[one]))[0].code
        == "recall_lifted"
    )
