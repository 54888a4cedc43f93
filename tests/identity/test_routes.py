"""Every route of the whole application says who may use it, and says so to nobody who may not."""

from __future__ import annotations

from uuid import UUID

from flask import Flask

from server.identity.rules import Action
from server.web import PUBLIC, rule_of

PUBLIC_ROUTES = {
    "console.api_docs",
    "health.healthz",
    "health.openapi",
    "health.readyz",
    "identity.do_sign_in",
    "identity.language",
    "identity.sign_in",
    "listings.file",
    "listings.find",
    "listings.region",
    "session_api.tell",
    "session_api.tell_file",
    "sessions.helper",
    "sharing.harvest",
    "sharing.media",
    "sharing.released",
    "stations_api.enrol",
    "stats_api.answer_marks",
    "evidence_api.put_piece",
    "stats_api.receive_batch",
}
"""What anybody may ask for. Terminals are anybody until their signature is checked. Nothing joins this list unseen."""


def test_every_route_has_a_rule(app: Flask) -> None:
    without = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static") and rule_of(app.view_functions[rule.endpoint]) is None
    }
    assert without == set()


def test_every_rule_is_an_action_of_the_table_or_public(app: Flask) -> None:
    rules = {endpoint: rule_of(view) for endpoint, view in app.view_functions.items()}
    strange = {
        endpoint: rule
        for endpoint, rule in rules.items()
        if not endpoint.endswith("static") and rule not in {PUBLIC, *Action}
    }
    assert strange == {}
    assert {name for name, rule in rules.items() if rule == PUBLIC} == PUBLIC_ROUTES


SAMPLES = {
    "UnicodeConverter": "x",
    "PathConverter": "x",
    "IntegerConverter": 1,
    "UUIDConverter": UUID("01935d5e-7c00-7000-8000-000000000001"),
}


def test_nobody_unknown_passes_a_route_that_is_not_public(app: Flask) -> None:
    client, urls = app.test_client(), app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        if rule.endpoint.endswith("static") or rule_of(app.view_functions[rule.endpoint]) == PUBLIC:
            continue
        samples = {name: SAMPLES[type(rule._converters[name]).__name__] for name in rule.arguments}
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            path = urls.build(rule.endpoint, samples, method=method)
            answer = client.open(path, method=method)
            assert answer.status_code in (302, 401), (method, path)
            if answer.status_code == 302:
                assert answer.location.startswith("/sign-in"), path
