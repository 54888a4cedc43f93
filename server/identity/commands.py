"""``yuanbo account …``: people of a local installation."""

from __future__ import annotations

import argparse
import getpass
import json
import secrets
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from server import clock
from server.config import load
from server.db import Database
from server.errors import UsageError
from server.i18n import N_
from server.identity import service, succession
from server.identity.models import Account
from server.identity.rules import Role


def register(nouns: Any) -> None:
    verbs = nouns.add_parser("account", help="账号 / people and their tokens").add_subparsers(
        required=True, metavar="VERB"
    )
    _verb(verbs, "list", "everybody who may sign in", _list)
    add = _verb(verbs, "add", "a new account; without --password-stdin it gets a generated password", _add)
    add.add_argument("username")
    add.add_argument("--name", required=True, help="the person's name")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--region", required=True, help="region code, e.g. 130123")
    add.add_argument("--department", help="slug, for the role partner")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    token = _verb(verbs, "token", "a new bearer token, shown this once", _token)
    token.add_argument("username")
    token.add_argument("--label", default="命令行")
    merged = nouns.add_parser("region", help="行政区划 / regions that were merged").add_subparsers(
        required=True, metavar="VERB"
    )
    merge = _verb(merged, "merge", "a region was merged into another of its level", _merge)
    merge.add_argument("code", help="the region that is no more, e.g. 130182109")
    merge.add_argument("into", help="the one that took it over")
    password = _verb(verbs, "password", "give a new password and unlock", _password)
    password.add_argument("username")
    password.add_argument("--password-stdin", action="store_true", help="read it from standard input")


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text)
    parser.add_argument("--data", type=Path, help="data folder (YUANBO_DATA, else ./data)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def _database(args: argparse.Namespace) -> Database:
    """The database of the installation that the arguments name. Raises UsageError when there is none."""
    config = load(args.data)
    if config.database_url.startswith("sqlite") and not (config.data / "yuanbo.sqlite").is_file():
        raise UsageError(N_("%(data)s 里没有安装好的远播"), data=config.data)
    return Database(config.database_url)


def _merge(args: argparse.Namespace) -> int:
    with closing(_database(args)) as database, database.write() as session:
        region = succession.merge(session, None, args.code, args.into, now=clock.now())
        told = {"code": region.code, "name": region.name, "successor": region.successor}
    print(
        json.dumps(told, ensure_ascii=False)
        if args.json
        else f"{told['code']} {told['name']} → {told['successor']}"
    )
    return 0


def _list(args: argparse.Namespace) -> int:
    with closing(_database(args)) as database, database.read() as session:
        accounts = [_plain(account) for account in service.list_accounts(session)]
    if args.json:
        _dump({"items": accounts, "next": None})
        return 0
    for account in accounts:
        grants = ", ".join(f"{grant['role']}@{grant['region']}" for grant in account["grants"])
        print(f"{account['username']:<24} {grants:<36} {account['name']}")
    return 0


def _add(args: argparse.Namespace) -> int:
    password = _given_password(args) or secrets.token_urlsafe(12)
    with closing(_database(args)) as database, database.write() as session:
        account = service.create_account(
            session,
            username=args.username,
            name=args.name,
            password=password,
            grants=[(Role(args.role), args.region)],
            department=args.department,
            now=clock.now(),
        )
        plain = _plain(account)
    _show_secret(args, {**plain, "password": password}, "password")
    return 0


def _token(args: argparse.Namespace) -> int:
    with closing(_database(args)) as database, database.write() as session:
        account = service.get_account(session, args.username)
        _, token = service.issue_token(session, account, args.label, now=clock.now())
    _show_secret(args, {"username": args.username, "token": token}, "token")
    return 0


def _password(args: argparse.Namespace) -> int:
    password = _given_password(args) or secrets.token_urlsafe(12)
    with closing(_database(args)) as database, database.write() as session:
        account = service.get_account(session, args.username)
        service.set_password(session, account, password, actor=None, now=clock.now())
    _show_secret(args, {"username": args.username, "password": password}, "password")
    return 0


def _given_password(args: argparse.Namespace) -> str | None:
    if not args.password_stdin:
        return None
    if sys.stdin.isatty():
        return getpass.getpass("密码 / password: ")
    return sys.stdin.readline().rstrip("\n")


def _plain(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "department": account.department,
        "is_active": account.is_active,
        "grants": [{"role": grant.role, "region": grant.region} for grant in account.grants],
    }


def _show_secret(args: argparse.Namespace, content: dict[str, Any], secret: str) -> None:
    if args.json:
        _dump(content)
    else:
        print(content[secret])


def _dump(content: Any) -> None:
    json.dump(content, sys.stdout, ensure_ascii=False)
    print()
