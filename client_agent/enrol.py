"""Enrolment (trust.md's exchange, protocol/enrolment.py): a code typed once, no trust on first use.

The key pair and nonce are made and stored first, under the code's public half, so that a retry after a lost answer
sends the same key and gets the same answer. Nothing of an answer is stored before its proof is checked.
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import secrets

import msgspec

from client_agent import vault
from client_agent.clock import Clock
from client_agent.config import AgentPaths
from client_agent.database import Database
from client_agent.errors import AlreadyEnrolled, BadAnswer, EnrolmentRefused, ForgedAnswer, Unreachable
from client_agent.fetch import Http, join
from protocol import keys
from protocol.enrolment import (
    Code,
    EnrolmentAnswer,
    EnrolmentBody,
    EnrolmentRequest,
    agent_proof,
    derive_key,
    read_code,
    same,
    server_proof,
)
from protocol.errors import BadCode
from protocol.times import text_to_ms

log = logging.getLogger(__name__)
ENROLMENTS_PATH = "api/v1/enrolments"
MAX_ANSWER = 512 * 1024


def enrol(server_url: str, code_text: str, paths: AgentPaths) -> EnrolmentBody:
    """Enrol this data folder; returns what the province said, already stored.

    Raises BadCode, AlreadyEnrolled, Unreachable, EnrolmentRefused (the province said no, with its words),
    ForgedAnswer (nothing stored), BadAnswer.
    """
    code = _read_code(code_text)
    paths.prepare()
    database = Database(paths.database)
    try:
        _refuse_second(database)
        private, nonce = _pending_key(database, code)
        body = _exchange(server_url, code, private, nonce)
        _store(database, private, body)
        vault.keep(database, paths.vault)
        return body
    finally:
        database.close()


def _read_code(text: str) -> Code:
    try:
        return read_code(text)
    except BadCode as error:
        raise EnrolmentRefused(
            f"注册码格式不对，应为 XXXX-XXXX-XXXX-XXXX / not an enrolment code: {error}"
        ) from error


def _refuse_second(database: Database) -> None:
    found = database.row("SELECT station_name, region, terminal FROM identity")
    if found is not None:
        raise AlreadyEnrolled(f"{AlreadyEnrolled.__doc__}: {found[0]} ({found[1]}), {found[2]}")


def _pending_key(database: Database, code: Code) -> tuple[bytes, str]:
    """The key pair and nonce for this code, made on first use and durable before anything is sent."""
    with database.transaction():
        found = database.row("SELECT private, nonce FROM pending_keys WHERE code_id = ?", (code.id,))
        if found is None:
            found = (keys.new_private_key(), secrets.token_hex(32))
            database.execute("INSERT INTO pending_keys VALUES (?, ?, ?)", (code.id, *found))
    return found[0], found[1]


def _exchange(server_url: str, code: Code, private: bytes, nonce: str) -> EnrolmentBody:
    secret, public = derive_key(code), keys.public_text(private)
    proof = agent_proof(secret, code.id, public, nonce)
    request = EnrolmentRequest(id=code.id, public=public, nonce=nonce, proof=proof)
    http = Http()
    try:
        answer = http.post(
            join(server_url, ENROLMENTS_PATH),
            msgspec.json.encode(request),
            content_type="application/json",
            max_bytes=MAX_ANSWER,
        )
    finally:
        http.close()
    if answer.status >= 500:
        raise Unreachable(
            f"平台暂时无法处理，请稍后用同一注册码再试 / the province cannot answer now ({answer.status})"
        )
    if answer.status not in (200, 201):
        raise EnrolmentRefused(_words_of_refusal(answer.status, answer.body))
    return _verified_body(answer.body, secret, public, nonce)


def _words_of_refusal(status: int, body: bytes) -> str:
    """The title and detail of a problem document (RFC 9457), or the bare status."""
    try:
        problem = json.loads(body)
        words = [str(problem[name]) for name in ("title", "detail") if problem.get(name)]
    except (ValueError, AttributeError, TypeError, RecursionError):
        words = []
    said = " — ".join(words)
    return (
        f"平台拒绝了注册 / the province refused the enrolment ({status}){': ' + said[:300] if said else ''}"
    )


def _verified_body(data: bytes, secret: bytes, public: str, nonce: str) -> EnrolmentBody:
    try:
        answer = msgspec.json.decode(data, type=EnrolmentAnswer)
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadAnswer(f"{BadAnswer.__doc__}: {error}") from error
    if not same(answer.proof, server_proof(secret, answer.body, public, nonce)):
        raise ForgedAnswer
    try:
        body = msgspec.json.decode(answer.body, type=EnrolmentBody)
        base64.b64decode(body.root, validate=True)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise BadAnswer(f"{BadAnswer.__doc__}: {error}") from error
    return body


def _store(database: Database, private: bytes, body: EnrolmentBody) -> None:
    """Identity, first root and clock anchor in one transaction."""
    root = base64.b64decode(body.root)
    version = _root_version(root)
    with database.transaction():
        database.execute(
            "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                private,
                keys.public_text(private),
                body.terminal,
                body.station,
                body.station_name,
                body.region,
                body.endpoints.api,
                json.dumps(body.endpoints.read),
                body.ca_pem,
                json.dumps(body.receipt_keys),
                body.incarnation,
            ),
        )
        database.execute("INSERT INTO roots VALUES (?, ?)", (version, root))
        Clock(database).hear_server_time(text_to_ms(body.time))
        database.execute("DELETE FROM pending_keys")
    log.info("enrolled as %s (%s)", body.station_name, body.region)


def _root_version(root: bytes) -> int:
    """Only a number to file it under: the proof vouches for the bytes, tuf checks the rest."""
    try:
        return int(json.loads(root)["signed"]["version"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadAnswer(f"{BadAnswer.__doc__}: root.json") from error
