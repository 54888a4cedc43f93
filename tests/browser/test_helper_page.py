"""手机助手 on the province's page: a phone in the village, without the station's Wi-Fi; real Chromium."""

from __future__ import annotations

import io
import threading

import pytest
from PIL import Image
from werkzeug.serving import make_server

from server.stats.models import EvidenceFile, SessionNote
from tests.stats.conftest import device, province  # noqa: F401
from tests.stats.test_session_notes import Site, site  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture
def address(site):  # noqa: F811
    """The site, really served."""
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    return page


def notes(site: Site, kind: str) -> list[dict]:  # noqa: F811
    return [note.said for note in site.province.rows(SessionNote) if note.kind == kind]


def test_heads_photo_minutes_question_and_fault_are_told_with_big_buttons(site, address, phone, tmp_path):  # noqa: F811
    buffer = io.BytesIO()
    Image.effect_noise((3000, 2000), 90).convert("RGB").save(buffer, "JPEG", quality=95)
    (tmp_path / "hall.jpg").write_bytes(buffer.getvalue())
    phone.goto(f"{address}/s/{site.ticket()}")
    phone.fill("[name=expected]", "42")
    phone.fill("[name=present]", "31")
    phone.fill("[name=members]", "18")
    phone.click("#heads button")
    phone.wait_for_selector("#toast.shown")
    phone.set_input_files("#photo", tmp_path / "hall.jpg")
    phone.fill("#minutes textarea", "讨论了春灌的轮次。")
    phone.click("#minutes button")
    phone.fill("#question textarea", "冬小麦何时浇水？")
    phone.click("#question button")
    phone.click("[data-fault=no_sound]")
    phone.wait_for_function("() => document.getElementById('line').hidden")
    for _ in range(100):
        if len(site.province.rows(SessionNote)) == 5:
            break
        phone.wait_for_timeout(100)
    [heads] = notes(site, "heads")
    assert (heads["roll"], heads["present"], heads["expected"], heads["members"], heads["public"]) == (
        "start", 31, 42, 18, 13,
    )  # fmt: skip
    assert [said["text"] for kind in ("minutes", "question") for said in notes(site, kind)] == [
        "讨论了春灌的轮次。",
        "冬小麦何时浇水？",
    ]
    assert notes(site, "fault")[0]["code"] == "no_sound"
    [file] = site.province.rows(EvidenceFile)
    assert (file.what, file.media_type) == ("photo", "image/jpeg")
    assert file.length <= 300_000
    assert phone.evaluate("document.documentElement.scrollWidth") == 390


def test_what_is_told_without_a_signal_waits_on_the_phone_through_a_reload(site, address, phone):  # noqa: F811
    url = f"{address}/s/{site.ticket()}"
    phone.goto(url)
    phone.fill("#minutes textarea", "还没写完的")
    phone.route("**/api/**", lambda route: route.abort())
    phone.fill("[name=present]", "29")
    phone.click("#heads button")
    phone.wait_for_selector("#line:not([hidden])")
    phone.unroute("**/api/**")
    phone.goto(url)
    phone.wait_for_selector("#line[hidden]", state="attached")
    assert phone.locator("#minutes textarea").input_value() == "还没写完的"
    for _ in range(100):
        if notes(site, "heads"):
            break
        phone.wait_for_timeout(100)
    assert [said["present"] for said in notes(site, "heads")] == [29]


def test_more_present_than_expected_is_asked_about_once(site, address, phone):  # noqa: F811
    phone.goto(f"{address}/s/{site.ticket()}")
    phone.fill("[name=expected]", "30")
    phone.fill("[name=present]", "31")
    phone.click("#heads button")
    phone.wait_for_selector("#toast.shown")
    assert "请核对" in phone.locator("#toast").inner_text()
    assert notes(site, "heads") == []
    phone.click("#heads button")
    phone.wait_for_function("() => document.getElementById('toast').textContent.indexOf('✓') === 0")
    assert [said["present"] for said in notes(site, "heads")] == [31]
