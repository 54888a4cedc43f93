"""A roll call of forty at a station whose province is down: from the code on the set to the roll saved on its disk.

Real Chromium is both the set (1920×1080) and the phone (390×844); the agent runs as in a village. The forty names stand
on the station's list, as after the first evening. Machine seconds are what the pages and the agent take; at a human pace
each tap or key takes ``TAP_S`` and scanning the code ``SCAN_S``. Called twice: every name tapped one by one, and 全部到齐
with the absent tapped away.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import processes, village
from bench.bench_agent import free_ports
from bench.tv_page import ARGUMENTS, BROWSERS

BASELINE = "the headcount typed with the remote's number keys when the session begins: a figure, and no names"
LIMITS = {"called_human_s": 120.0, "all_human_s": 120.0, "called_machine_s": 120.0}
PEOPLE = 40
ABSENT = 3
TAP_S = 0.8
SCAN_S = 4.0
DUE_MS = 10 * 60_000
NAMES = [
    f"{family}{given}"
    for family in "王李张刘陈杨赵黄"
    for given in ("建国 党员", "秀英", "志强", "桂兰", "伟")
]


class Taps:
    """A phone or a set that counts what is pressed."""

    def __init__(self, page: Any) -> None:
        self.page, self.pressed = page, 0

    def tap(self, selector: str, nth: int = 0) -> None:
        self.page.locator(selector).nth(nth).tap()
        self.pressed += 1

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
            self.pressed += 1


def run() -> dict[str, float]:
    """Raises Unmeasurable without a browser, or where something did not come up."""
    with _browser() as browser:
        with _evening() as (url, folder):
            called = _called(browser, url, folder, one_by_one=True)
        with _evening() as (url, folder):
            everybody = _called(browser, url, folder, one_by_one=False)
        with _evening() as (url, _):
            typed = _typed(browser, url)
    return {
        **{f"called_{name}": number for name, number in called.items()},
        **{f"all_{name}": number for name, number in everybody.items()},
        **{f"baseline_{name}": number for name, number in typed.items()},
    }


@contextmanager
def _browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise processes.Unmeasurable("playwright is not installed") from error
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise processes.Unmeasurable("Chromium is not on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def _evening() -> Iterator[tuple[str, Path]]:
    """A station ten minutes before its study session, its agent running, nobody answering at the province."""
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-roll-") as name:
        folder, port = Path(name) / "agent", free_ports(1)
        village.build(folder, time.time_ns() // 1_000_000, study_in_ms=DUE_MS)
        command = [sys.executable, str(processes.ROOT / "yuanbo"), "agent", "run"]
        command += ["--data", str(folder), "--port", str(port)]
        env = processes.environment(YUANBO_LAN_ADDRESS="127.0.0.1")
        process = processes.start(command, env, Path(name) / "agent.log")
        url = f"http://127.0.0.1:{port}/"
        try:
            processes.wait_for(lambda: processes.answers(url), url)
            yield url, folder
        finally:
            processes.stop(process)


def _set(browser: Any, url: str) -> Taps:
    """The set's page, showing 今晚已就绪 with the code in its corner."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(url)
    page.wait_for_function("() => TV.now && TV.now() !== null")
    shown = Taps(page)
    shown.press("Enter")
    page.wait_for_selector("#phone-corner.shown .qr", timeout=30_000)
    return shown


def _phone(browser: Any) -> Taps:
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, locale="zh-CN"
    )
    return Taps(context.new_page())


def _called(browser: Any, url: str, folder: Path, *, one_by_one: bool) -> dict[str, float]:
    screen = _set(browser, url)
    address = screen.page.evaluate(
        "() => new Promise(done => { var r = new XMLHttpRequest(); r.open('GET', '/api/phone');"
        " r.onload = () => done(JSON.parse(r.responseText).lan.url); r.send(); })"
    )
    _list(browser, address)
    phone = _phone(browser)
    began = time.perf_counter()
    phone.page.goto(address)
    phone.tap(".tile-roll")
    phone.page.wait_for_selector(f".name >> nth={PEOPLE - 1}")
    if one_by_one:
        for place in range(PEOPLE - ABSENT):
            phone.tap(".name", place)
    else:
        phone.tap(".tool")
        for place in range(ABSENT):
            phone.tap(".name", PEOPLE - 1 - place)
    phone.tap(".save")
    phone.page.wait_for_selector(".total .good")
    took = time.perf_counter() - began
    saved = (
        sqlite3.connect(folder / "book.sqlite").execute("SELECT sum(present) FROM roll_marks").fetchone()[0]
    )
    if saved != PEOPLE - ABSENT:
        raise processes.Unmeasurable(f"{saved} people on the disk, {PEOPLE - ABSENT} were tapped")
    return _figures(took, phone.pressed, SCAN_S)


def _list(browser: Any, address: str) -> None:
    """The list of an earlier evening."""
    page = _phone(browser).page
    page.goto(address)
    page.wait_for_selector(".tile-roll")
    text = "\n".join(NAMES[:PEOPLE])
    page.evaluate(
        "([text, deed]) => new Promise(done => Line.ask('POST', 'names', {deed: deed, text: text}, done))",
        [text, str(uuid.uuid4())],
    )
    page.context.close()


def _typed(browser: Any, url: str) -> dict[str, float]:
    """The same evening with the remote alone."""
    screen = _set(browser, url)
    screen.page.wait_for_selector(".tonight .button.focus")
    screen.pressed = 0
    began = time.perf_counter()
    screen.press("Enter")
    screen.page.wait_for_selector("#heads.shown")
    screen.press(*str(PEOPLE), "Enter", *str(PEOPLE - ABSENT), "Enter")
    screen.page.wait_for_function("() => !TV.Evening.counting()")
    return _figures(time.perf_counter() - began, screen.pressed, 0.0)


def _figures(machine_s: float, presses: int, before_s: float) -> dict[str, float]:
    human_s = before_s + presses * TAP_S + machine_s
    return {"machine_s": round(machine_s, 2), "taps": presses, "human_s": round(human_s, 1)}
