"""The console in a real browser, against the real processes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.flow.province import Province, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CLIP = Path(__file__).resolve().parents[1] / "media" / "bigbuckbunny.mp4"
ENCODED_WITHIN_MS = 180_000
PAGES = (
    "/", "/programmes", "/upload", "/schedule", "/publications", "/publications/queue", "/stations", "/viewing", "/jobs", "/audit", "/api/docs",
)  # fmt: skip


OWN_WORDS = """main => {
    const copy = main.cloneNode(true);
    for (const data of copy.querySelectorAll("tbody, option, datalist, .yb-card, script")) data.remove();
    return copy.textContent;
}"""
"""What a page says itself, without the rows that say what people typed."""


def sign_in(page: Page, province: Province, role: str) -> str:
    """Sign in as a role; returns the console's address."""
    console: str = province.ready["console"]
    account = next(a for a in province.ready["accounts"] if a["role"] == role)
    page.goto(f"{console}/sign-in")
    page.get_by_label("用户名").fill(account["username"])
    page.get_by_label("密码").fill(account["password"])
    page.get_by_role("button", name="登录").click()
    expect(page.locator(".yb-me-name")).to_be_visible()
    return console


def test_an_editor_uploads_a_clip_sees_it_encoded_and_submits_it(
    page: Page, running_province: Province, tmp_path: Path
) -> None:
    console = sign_in(page, running_province, "province_editor")
    page.goto(f"{console}/upload")
    page.get_by_label("板块").select_option(label="文化娱乐")
    page.set_input_files("input.uppy-Dashboard-input >> nth=0", CLIP)
    page.locator(".uppy-StatusBar-actionBtn--upload").click()
    made = page.locator("#done li").first
    expect(made).to_contain_text("bigbuckbunny", timeout=30_000)
    made.get_by_role("link").click()

    expect(page.get_by_role("heading", name="bigbuckbunny")).to_be_visible()
    expect(page.get_by_role("heading", name="转码成品")).to_be_visible(timeout=ENCODED_WITHIN_MS)
    video = page.locator("video")
    wait_until(lambda: video.evaluate("video => video.readyState >= 2"), "the preview to load")
    video.evaluate("video => { video.muted = true; return video.play(); }")
    wait_until(lambda: video.evaluate("video => video.currentTime > 0.5"), "the preview to advance")

    page.get_by_role("button", name="送审").click()
    expect(page.locator(".page-title")).to_contain_text("待初审")


def test_the_same_file_chosen_again_is_recognised(page: Page, running_province: Province) -> None:
    console = sign_in(page, running_province, "county_editor")
    page.goto(f"{console}/upload")
    page.get_by_label("板块").select_option(label="文化娱乐")
    page.set_input_files("input.uppy-Dashboard-input >> nth=0", CLIP)
    page.locator(".uppy-StatusBar-actionBtn--upload").click()
    expect(page.locator("#done li").first).to_contain_text("bigbuckbunny", timeout=30_000)


def test_an_upload_without_a_section_is_not_begun(page: Page, running_province: Province) -> None:
    console = sign_in(page, running_province, "province_editor")
    page.goto(f"{console}/upload")
    page.set_input_files("input.uppy-Dashboard-input >> nth=0", CLIP)
    page.locator(".uppy-StatusBar-actionBtn--upload").click()
    expect(page.get_by_role("alert")).to_contain_text("请先选择板块")
    expect(page.locator("#done li")).to_have_count(0)


@pytest.mark.parametrize("language", ["zh_CN", "en"])
def test_every_page_of_the_menu_opens_without_a_complaint(
    page: Page, running_province: Province, language: str
) -> None:
    console = sign_in(page, running_province, "province_admin")
    errors: list[str] = []
    page.on(
        "console", lambda said: errors.append(f"{page.url}: {said.text}") if said.type == "error" else None
    )
    for path in PAGES:
        answer = page.goto(f"{console}{path}?lang={language}")
        assert answer is not None
        assert answer.status == 200, path
        if language == "en" and path != "/api/docs":  # there the province's own words stand beside English
            text = page.locator("main").evaluate(OWN_WORDS)
            assert not re.search(r"[\u4e00-\u9fff]", _without_names(text)), f"{path} is not English: {text}"
    assert not errors


def _without_names(text: str) -> str:
    """Names of people and places, titles and what nobody translates stay as they are."""
    for name in ("省远程办管理员", "系统", "远播"):
        text = text.replace(name, "")
    return re.sub(r"[\u4e00-\u9fff]+[省市县区]", "", text)


def test_no_page_is_wider_than_a_phone(page: Page, running_province: Province) -> None:
    console = sign_in(page, running_province, "province_admin")
    page.set_viewport_size({"width": 390, "height": 800})
    for path in PAGES:
        page.goto(f"{console}{path}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 391, f"{path} is {width} wide"


def test_the_focus_is_always_visible(page: Page, running_province: Province) -> None:
    console = sign_in(page, running_province, "province_admin")
    page.goto(f"{console}/programmes")
    for _ in range(8):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        shadow = page.evaluate("getComputedStyle(document.activeElement).boxShadow")
        assert outline != "none" or shadow != "none"


def test_ten_wrong_passwords_lock_the_name_and_say_so(page: Page, running_province: Province) -> None:
    console: str = running_province.ready["console"]
    username = next(a["username"] for a in running_province.ready["accounts"] if a["role"] == "tutor")
    for _ in range(11):
        page.goto(f"{console}/sign-in")
        page.get_by_label("用户名").fill(username)
        page.get_by_label("密码").fill("not the password")
        page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("alert")).to_contain_text("锁定")
