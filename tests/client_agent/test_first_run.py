"""The first page: a terminal without keyboard is enrolled with five keys."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from client_agent.agent import open_agent
from client_agent.config import AgentPaths
from client_agent.first_run import serve_until_enrolled
from tests.client_agent.repository import REGION, Source
from tests.client_agent.test_enrol import Office
from tests.client_agent.test_run import answers, eventually, free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def office(province):
    return Office(province)


@pytest.fixture
def page(tmp_path, province, office):
    """The first page, served, with the province's side behind it."""
    stop, port, outcome = threading.Event(), free_port(), []
    paths = AgentPaths(tmp_path / "terminal")
    paths.prepare()
    with Source(province.folder) as source:
        source.answer_post = office
        thread = threading.Thread(
            target=lambda: outcome.append(serve_until_enrolled(paths, source.url, "127.0.0.1", port, stop))
        )
        thread.start()
        eventually(lambda: answers(port))
        yield port, source, paths, outcome
        stop.set()
        thread.join(10)


def ask(port, method, path, body=None, **headers):
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as line:
        line.request(method, path, body=body, headers=headers)
        answer = line.getresponse()
        return answer.status, answer.read()


def enrol_on(port, server, code, **headers):
    body = json.dumps({"server": server, "code": code})
    status, data = ask(port, "POST", "/api/enrol", body, **{"Content-Type": "application/json", **headers})
    return status, json.loads(data) if data else {}


def test_the_code_is_taken_and_the_terminal_enrolled(page, office):
    port, source, paths, outcome = page
    assert json.loads(ask(port, "GET", "/api/setup")[1])["server"] == source.url
    status, said = enrol_on(port, source.url, str(office.code))
    assert (status, said["ok"], said["station"], said["region"]) == (200, True, "正定站", REGION)
    eventually(lambda: outcome == [True])
    with open_agent(paths.data) as agent:
        assert agent.identity.station_name == "正定站"


def test_a_wrong_code_and_a_silent_province_are_said_in_words_and_may_be_tried_again(page, office):
    port, source, _, outcome = page
    assert "注册码不对" in enrol_on(port, source.url, "XXXX")[1]["message"]
    assert "网络不通" in enrol_on(port, "http://127.0.0.1:9", str(office.code))[1]["message"]
    assert "无效" in enrol_on(port, "ftp://nowhere", str(office.code))[1]["message"]
    assert enrol_on(port, source.url, str(office.code))[1]["ok"]
    eventually(lambda: outcome == [True])


def test_only_our_own_page_may_speak_to_it(page, office):
    port, source, _, _ = page
    code = str(office.code)
    assert enrol_on(port, source.url, code, Host="evil.example")[0] == 400
    assert enrol_on(port, source.url, code, Origin="http://evil.example")[0] == 400
    assert enrol_on(port, source.url, code, **{"Content-Type": "text/plain"})[0] == 400
    assert ask(port, "POST", "/api/enrol", b"x" * 5_000, **{"Content-Type": "application/json"})[0] == 400
    assert ask(port, "GET", "/", Host="evil.example")[0] == 421
    for path in ("/../agent.sqlite", "/fonts/../../agent.sqlite", "/fonts/..%2f", "/fonts//etc/passwd.css"):
        assert ask(port, "GET", path)[0] == 404
    assert ask(port, "GET", "/fonts/noto-sans-sc.css")[0] == 200
    assert office.requests == []


def test_an_agent_that_is_not_enrolled_begins_with_the_page_and_goes_on_as_the_station(
    tmp_path, province, office
):
    with Source(province.folder) as source:
        source.answer_post = lambda path, body: office(path, body) if "enrol" in path else (404, b"")
        port = free_port()
        words = [
            "run",
            "--setup",
            "--server",
            source.url,
            "--port",
            str(port),
            "--data",
            str(tmp_path / "new"),
        ]
        agent = subprocess.Popen(
            [sys.executable, "-m", "client_agent", *words], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            eventually(lambda: answers(port))
            assert enrol_on(port, source.url, str(office.code))[1]["ok"]
            eventually(lambda: b'"documents"' in state(port))
            agent.send_signal(signal.SIGTERM)
            assert agent.wait(10) == 0
        finally:
            agent.kill()
            agent.wait()


def state(port) -> bytes:
    try:
        return ask(port, "GET", "/api/state")[1]
    except OSError:
        time.sleep(0.1)
        return b""


@pytest.mark.browser
def test_the_code_is_entered_with_five_keys_and_the_focus_is_always_seen(page, office, chromium):
    port, _, _, outcome = page
    tv = chromium.new_page(viewport={"width": 1920, "height": 1080})
    tv.goto(f"http://127.0.0.1:{port}/")
    tv.wait_for_selector("#pad button:focus")
    letters, width = "0123456789ABCDEFGHJKMNPQRSTVWXYZ", 11
    row = column = 0
    presses = 0
    for letter in str(office.code).replace("-", ""):
        wanted = divmod(letters.index(letter), width)
        while row != wanted[0]:  # rows of unequal length: ask the page where the focus went
            tv.keyboard.press("ArrowDown" if row < wanted[0] else "ArrowUp")
            presses += 1
            focused = tv.evaluate("document.activeElement.textContent")
            row, column = divmod(letters.index(focused), width)
        while column != wanted[1]:
            tv.keyboard.press("ArrowRight" if column < wanted[1] else "ArrowLeft")
            presses += 1
            column += 1 if column < wanted[1] else -1
        tv.keyboard.press("Enter")
        presses += 1
    assert tv.evaluate("document.activeElement.id") == "go", (
        "the last letter leads to the one button that is left"
    )
    tv.keyboard.press("Enter")
    tv.wait_for_selector("#done:not([hidden])")
    assert tv.inner_text("#station") == "正定站"
    eventually(lambda: outcome == [True])
    tv.close()
    assert presses < 200
