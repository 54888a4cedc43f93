"""Enrolment under attack: guessed, used, expired and stolen codes, a relay in between."""

from __future__ import annotations

import base64
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import func, select

from protocol import enrolment as wire
from protocol import keys
from protocol.documents import Endpoints
from protocol.enrolment import CODE_TRIES, Code, EnrolmentBody, EnrolmentRequest, agent_proof, derive_key
from server.errors import Conflict, Forbidden, Gone, Invalid, TooMany
from server.identity.models import AuditEntry
from server.stations import enrolment, incarnation, service
from server.stations.models import Invitation, Terminal
from tests.stations.office import NOW, VILLAGE, caller

PROVINCE = enrolment.Province(
    root=b'{"root": 1}',
    endpoints=Endpoints(api="http://127.0.0.1:8080/api/v1", read=["http://127.0.0.1:8081"]),
    receipt_keys=("receiptkey",),
)


class Applicant:
    """The agent's side of an enrolment."""

    def __init__(self, code: Code, public: str | None = None) -> None:
        self.code = code
        self.key = derive_key(code)
        self.public = public or keys.public_text(keys.new_private_key())
        self.count = 0

    def request(self, **changes) -> EnrolmentRequest:
        self.count += 1
        nonce = f"{self.count:064x}"
        proof = agent_proof(self.key, self.code.id, self.public, nonce)
        request = EnrolmentRequest(id=self.code.id, public=self.public, nonce=nonce, proof=proof)
        return msgspec.structs.replace(request, **changes)


@pytest.fixture
def code(places) -> Code:
    with places.write() as session:
        station = service.add_station(session, caller(), region=VILLAGE, name="曲阳桥村站点", now=NOW)
        return service.invite(session, caller(), station.id, now=NOW).code


def ask(database, request, now=NOW):
    with database.write() as session:
        return enrolment.enrol(session, request, PROVINCE, now=now)


def wrong(code: Code) -> Applicant:
    return Applicant(Code(id=code.id, secret="0" * 12))


def invitation(database) -> Invitation:
    with database.read() as session:
        found = session.scalars(select(Invitation)).one()
        session.expunge_all()
        return found


def terminals(database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Terminal)) or 0


def test_a_right_proof_enrols_and_the_answer_proves_itself(places, code):
    applicant = Applicant(code)
    request = applicant.request()
    answer = ask(places, request)

    expected = wire.server_proof(applicant.key, answer.body, request.public, request.nonce)
    assert wire.same(answer.proof, expected)
    body = msgspec.json.decode(answer.body, type=EnrolmentBody)
    assert base64.b64decode(body.root) == PROVINCE.root
    assert body.endpoints == PROVINCE.endpoints
    assert (body.region, body.station_name) == (VILLAGE, "曲阳桥村站点")
    assert body.receipt_keys == ["receiptkey"]
    with places.write() as session:
        terminal = session.scalars(select(Terminal)).one()
        assert (terminal.id, terminal.public) == (body.terminal, applicant.public)
        assert body.incarnation == incarnation.current(session)


def test_the_same_key_again_hears_the_same_even_after_the_code_expired(places, code):
    applicant = Applicant(code)
    first = ask(places, applicant.request())
    again = ask(places, applicant.request(), now=NOW + timedelta(days=5))

    assert again.body == first.body
    assert again.proof != first.proof, "each answer is bound to its own nonce"
    assert terminals(places) == 1


def test_another_key_is_refused_and_alarmed(places, code):
    ask(places, Applicant(code).request())
    thief = Applicant(code)
    refusal = ask(places, thief.request())

    assert isinstance(refusal, Gone)
    assert refusal.code == "enrolment_used"
    assert keys.key_id(thief.public) in (invitation(places).alarm or "")
    ask(places, thief.request())
    with places.read() as session:
        entries = list(session.scalars(select(AuditEntry).where(AuditEntry.action == "enrolment.second_key")))
        assert len(entries) == 1, "asking again adds no second alarm"
        assert [i.code_id for i in service.alarms(session, caller())] == [code.id]
    assert terminals(places) == 1


def test_five_wrong_proofs_use_a_code_up(places, code):
    guesser = wrong(code)
    for _ in range(CODE_TRIES):
        assert isinstance(ask(places, guesser.request()), Forbidden)
    assert invitation(places).tries == CODE_TRIES
    refusal = ask(places, Applicant(code).request())
    assert isinstance(refusal, Gone)
    assert refusal.code == "enrolment_exhausted"
    assert terminals(places) == 0


def test_a_right_proof_after_four_wrong_ones_still_enrols(places, code):
    guesser = wrong(code)
    for _ in range(CODE_TRIES - 1):
        ask(places, guesser.request())
    assert isinstance(ask(places, Applicant(code).request()), wire.EnrolmentAnswer)


def test_wrong_proofs_cannot_lock_out_the_terminal_that_used_the_code(places, code):
    applicant = Applicant(code)
    first = ask(places, applicant.request())
    guesser = wrong(code)
    for _ in range(CODE_TRIES + 1):
        ask(places, guesser.request())
    assert ask(places, applicant.request()).body == first.body


def test_an_expired_code_says_so_to_who_knows_it(places, code):
    refusal = ask(places, Applicant(code).request(), now=NOW + timedelta(hours=72))
    assert isinstance(refusal, Gone)
    assert refusal.code == "enrolment_expired"


def test_a_guesser_hears_the_same_words_whatever_the_state_of_the_code(places, code):
    unknown = Applicant(Code(id="0000" if code.id != "0000" else "0001", secret="0" * 12))
    guesser = wrong(code)
    heard = {ask(places, unknown.request()).text(), ask(places, guesser.request()).text()}
    heard.add(ask(places, guesser.request(), now=NOW + timedelta(days=4)).text())
    heard |= {ask(places, guesser.request()).text() for _ in range(CODE_TRIES)}
    with places.write() as session:
        session.scalars(select(Invitation)).one().tries = 0
    ask(places, Applicant(code).request())
    heard.add(ask(places, guesser.request()).text())
    assert len(heard) == 1


def test_a_flood_of_wrong_proofs_uses_up_no_code_and_hinders_nobody_who_knows_one(places, code):
    budget = enrolment.WrongTries(most=3)

    def ask_flooded(request, now=NOW):
        with places.write() as session:
            return enrolment.enrol(session, request, PROVINCE, wrong_tries=budget, now=now)

    guesser = wrong(code)
    heard = [ask_flooded(guesser.request()) for _ in range(20)]
    assert [type(refusal) for refusal in heard] == [Forbidden] * 3 + [TooMany] * 17
    assert invitation(places).tries == 3
    assert isinstance(ask_flooded(guesser.request(), now=NOW + timedelta(seconds=61)), Forbidden)
    assert isinstance(ask_flooded(Applicant(code).request()), wire.EnrolmentAnswer)


def test_a_proof_for_another_key_nonce_or_code_is_wrong(places, code):
    applicant = Applicant(code)
    request = applicant.request()
    other_key = keys.public_text(keys.new_private_key())
    for changed in (
        applicant.request(proof="0" * 64),
        msgspec.structs.replace(request, public=other_key),
        msgspec.structs.replace(request, nonce="f" * 64),
    ):
        assert isinstance(ask(places, changed), Forbidden)
    assert terminals(places) == 0


def test_a_key_that_is_none_is_refused_without_using_the_code(places, code):
    refusal = ask(places, Applicant(code, public="!" * 44).request())
    assert isinstance(refusal, Invalid)
    assert isinstance(ask(places, Applicant(code).request()), wire.EnrolmentAnswer)


def test_a_key_that_is_enrolled_already_needs_no_second_code(places, code):
    applicant = Applicant(code)
    ask(places, applicant.request())
    with places.write() as session:
        station = service.list_stations(session, caller())[0]
        second = service.invite(session, caller(), station.id, now=NOW).code
    refusal = ask(places, Applicant(second, public=applicant.public).request())
    assert isinstance(refusal, Conflict)
    assert terminals(places) == 1


def test_a_revoked_terminal_hears_no_answer_again(places, code):
    applicant = Applicant(code)
    ask(places, applicant.request())
    with places.write() as session:
        terminal = session.scalars(select(Terminal)).one()
        service.revoke_terminal(session, caller(), terminal.id, now=NOW)
    refusal = ask(places, applicant.request())
    assert isinstance(refusal, Gone)
    assert refusal.code == "enrolment_revoked"


def test_a_new_incarnation_is_another_name(places):
    with places.write() as session:
        first = incarnation.current(session)
        assert incarnation.current(session) == first
    with places.write() as session:
        assert incarnation.renew(session) != first
