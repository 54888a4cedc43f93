"""What the TV page costs an old box: real Chromium at 1920×1080 with its processor slowed to a quarter.

First paint is that of a page loaded anew. A key's time runs from the key to the frame in which the focus stands
elsewhere, over a seeded walk through home, listing, library and search; beside it, the same of an empty page whose only
work is to move one class.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import processes, village

SLOWER = 4
LOADS = 7
KEYS = 160
ROUNDS = 3
"""Walks; the quietest counts, since whatever else the machine does only adds."""
SEED = 20
GAP_MS = 60
TABS = (("home", 0), ("listing", 1), ("library", 3), ("search", 4))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
WATCH = """
window.took = [];
document.addEventListener('keydown', function (event) {
  var began = event.timeStamp, line = new MessageChannel();
  line.port1.onmessage = function () { window.took.push(performance.now() - began); };
  requestAnimationFrame(function () { line.port2.postMessage(0); });
}, true);
"""
EMPTY = """<!doctype html><meta charset=utf-8><style>i { display: block; width: 90px; height: 90px } .focus { background: #e9b94f }</style>
<p>空页</p><i></i><i></i><script>
var at = 0, all = document.querySelectorAll('i');
document.addEventListener('keydown', function () { all[at].className = ''; at = 1 - at; all[at].className = 'focus'; });
</script>"""


def run(port: int) -> dict[str, float]:
    """Milliseconds; those of the empty page begin with baseline_. Raises Unmeasurable without a browser."""
    with tempfile.TemporaryDirectory(prefix="yuanbo-bench-tv-") as name, _station(Path(name), port) as url:
        with _page() as page:
            ours = _measured(page, url)
        with _page() as page:
            page.route("**/*", lambda route: route.fulfill(body=EMPTY, content_type="text/html"))
            empty = _measured(page, "http://empty.invalid/")
    return ours | {f"baseline_{figure}": number for figure, number in empty.items()}


@contextmanager
def _station(folder: Path, port: int) -> Iterator[str]:
    """A station with a full library, its agent running."""
    village.build(folder / "agent", time.time_ns() // 1_000_000)
    command = [
        sys.executable,
        str(processes.ROOT / "yuanbo"),
        "agent",
        "run",
        "--data",
        str(folder / "agent"),
    ]
    process = processes.start([*command, "--port", str(port)], processes.environment(), folder / "agent.log")
    url = f"http://127.0.0.1:{port}/"
    try:
        processes.wait_for(lambda: processes.answers(url), url)
        yield url
    finally:
        processes.stop(process)


@contextmanager
def _page() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise processes.Unmeasurable("playwright is not installed") from error
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise processes.Unmeasurable("Chromium is not on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.add_init_script(WATCH)
        slowed = page.context.new_cdp_session(page)
        slowed.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        yield page
        browser.close()


def _measured(page: Any, url: str) -> dict[str, float]:
    paints = [_first_paint_ms(page, url) for _ in range(LOADS)]
    walks = [_walk(page) for _ in range(ROUNDS)]
    return {
        "tv_first_paint_ms": round(statistics.median(paints), 1),
        "tv_key_to_focus_ms": round(min(statistics.quantiles(took, n=20)[-1] for took in walks), 1),
        "tv_key_to_focus_median_ms": round(min(statistics.median(took) for took in walks), 1),
    }


def _first_paint_ms(page: Any, url: str) -> float:
    page.goto(url)
    for _ in range(600):
        found = page.evaluate("(performance.getEntriesByType('paint').slice(-1)[0] || {}).startTime || 0")
        if found:
            return float(found)
        page.wait_for_timeout(20)
    raise processes.Unmeasurable("no first paint")


def _walk(page: Any) -> list[float]:
    """The times of a seeded walk, one tab after another."""
    dice = random.Random(SEED)
    page.evaluate("window.kept = []")
    for _, place in TABS:
        for key in ("Escape", "Escape", "Escape", "Enter", "ArrowUp", *["ArrowRight"] * place, "Enter"):
            page.keyboard.press(key)
            page.wait_for_timeout(2 * GAP_MS)
        page.evaluate("window.took = []")
        for _ in range(KEYS // len(TABS)):
            page.keyboard.press(
                dice.choice(("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowUp"))
            )
            page.wait_for_timeout(GAP_MS)
        page.wait_for_timeout(5 * GAP_MS)
        page.evaluate("window.kept = window.kept.concat(window.took)")
    took: list[float] = page.evaluate("window.kept")
    return took
