"""The board in a real browser: by pointer, by keys, by two people at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.board_world import PASSWORD, World
from tests.conftest import find_free_ports

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

MOVED_WITHIN_MS = 15_000


@pytest.fixture
def world(tmp_path: Path, migrated_sqlite: Path) -> Iterator[World]:
    made = World(tmp_path / "data", find_free_ports(1)[0], migrated_sqlite)
    yield made
    made.close()


def sign_in(page: Page, world: World, who: str) -> None:
    page.goto(f"{world.url}/sign-in")
    page.get_by_label("用户名").fill(who)
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.locator(".yb-me-name")).to_be_visible()


def open_board(page: Page, world: World, who: str = "sheng", region: str = "13", days: int = 7) -> None:
    sign_in(page, world, who)
    page.goto(f"{world.url}/schedule/board?region={region}&day={world.monday:%Y-%m-%d}&days={days}")
    expect(page.locator("#board-grid .yb-row").first).to_be_visible()


def block(page: Page, title: str) -> Locator:
    """The first block of a programme on the time line."""
    return page.locator("#board-grid .ec-event").filter(has_text=title).first


def row(page: Page, day: datetime) -> Locator:
    return page.locator("#board-grid .yb-row").filter(has_text=f"{day:%m-%d}")


def drag(page: Page, source: Locator, dx: float, dy: float) -> None:
    """Take something by its middle and let it go elsewhere, with the steps a hand makes."""
    box = source.bounding_box()
    assert box is not None
    x, y = box["x"] + min(8, box["width"] / 2), box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 8, y, steps=3)
    page.mouse.move(x + dx, y + dy, steps=8)
    page.mouse.up()


def said(page: Page, text: str) -> None:
    expect(page.locator("#board-message")).to_contain_text(text, timeout=MOVED_WITHIN_MS)


def test_a_programme_is_dragged_to_another_day_and_the_step_is_undone(page: Page, world: World) -> None:
    world.put("苹果冬剪", world.at(1, 15))
    open_board(page, world)
    tuesday, thursday = row(page, world.at(1, 0)).bounding_box(), row(page, world.at(3, 0)).bounding_box()
    assert tuesday is not None
    assert thursday is not None
    drag(page, block(page, "苹果冬剪"), 0, thursday["y"] - tuesday["y"])
    said(page, "苹果冬剪")
    (moved,) = world.placed("苹果冬剪")
    assert moved.date() == world.at(3, 0).date()
    page.get_by_role("button", name="撤销").click()
    said(page, "已撤销")
    assert world.placed("苹果冬剪") == [world.at(1, 15)]


def test_a_programme_from_the_library_is_dropped_on_the_time_line(page: Page, world: World) -> None:
    open_board(page, world)
    page.get_by_label("找节目").fill("冬小麦")
    shelf = page.locator(".yb-shelf-item")
    expect(shelf).to_have_count(1)
    label, grid = (
        row(page, world.at(2, 0)).bounding_box(),
        page.locator("#board-grid .ec-main").bounding_box(),
    )
    assert label is not None
    assert grid is not None
    target = {"x": grid["width"] / 2, "y": label["y"] - grid["y"] + label["height"] / 2}
    shelf.drag_to(page.locator("#board-grid .ec-main"), target_position=target)
    said(page, "冬小麦返青管理")
    (placed,) = world.placed("冬小麦返青管理")
    assert placed.date() == world.at(2, 0).date()
    assert placed.minute % 5 == 0
    expect(block(page, "冬小麦返青管理")).to_be_visible()


def test_everything_can_be_done_with_the_keyboard(page: Page, world: World) -> None:
    open_board(page, world)
    page.get_by_label("找节目").fill("防汛")
    expect(page.locator(".yb-shelf-item")).to_have_count(1)
    page.locator(".yb-shelf-item").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#board-place")
    expect(dialog).to_be_visible()
    dialog.locator("[name=day]").fill(f"{world.at(4, 0):%Y-%m-%d}")
    dialog.locator("[name=time]").fill("19:00")
    dialog.get_by_role("button", name="编排").press("Enter")
    said(page, "防汛避险")
    assert world.placed("防汛避险") == [world.at(4, 19)]

    block(page, "防汛避险").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#board-said")).to_contain_text("周四")
    said(page, "19:10")
    assert world.placed("防汛避险") == [world.at(3, 19, 10)]
    expect(block(page, "防汛避险")).to_be_focused()

    page.keyboard.press("Enter")
    item = page.locator("#board-item")
    expect(item).to_be_visible()
    expect(item).to_contain_text("王编辑")
    item.get_by_label("必播").check()
    item.get_by_role("button", name="保存").click()
    said(page, "已保存")
    expect(block(page, "防汛避险")).to_have_class(re.compile("is-study"))

    block(page, "防汛避险").focus()
    page.keyboard.press("Delete")
    page.locator("#board-remove").get_by_role("button", name="移除", exact=True).click()
    said(page, "已移除")
    assert world.placed("防汛避险") == []
    page.keyboard.press("Control+z")
    said(page, "已撤销")
    assert world.placed("防汛避险") == [world.at(3, 19, 10)]


def test_one_evening_of_a_series_moves_alone_or_all_move(page: Page, world: World) -> None:
    world.put("一周菜价", world.at(0, 12), rrule="FREQ=DAILY")
    open_board(page, world)
    block(page, "一周菜价").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.locator("#board-scope").get_by_role("button", name="只改这一次").click()
    said(page, "12:30")
    assert world.placed("一周菜价") == [world.at(0, 12), world.at(0, 12, 30)], "the series and a one-off"
    page.locator("#board-grid .ec-event").filter(has=page.locator(".yb-series")).nth(2).focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.locator("#board-scope").get_by_role("button", name="整个系列").click()
    said(page, "11:30")
    assert world.at(0, 11, 30) in world.placed("一周菜价")


def test_two_editors_see_each_other_and_neither_loses_work(
    page: Page, chromium: Browser, world: World
) -> None:
    slot = world.put("农村安全用电", world.at(0, 19))
    open_board(page, world)
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, locale="zh-CN")
    other = context.new_page()
    open_board(other, world, "deputy")

    block(other, "农村安全用电").click()
    expect(other.locator("#board-item")).to_be_visible()
    block(page, "农村安全用电").focus()
    page.keyboard.press("Shift+ArrowLeft")
    said(page, "18:30")
    assert world.placed("农村安全用电") == [world.at(0, 18, 30)]

    dialog = other.locator("#board-item")
    dialog.locator("[name=time]").fill("20:15")
    dialog.get_by_role("button", name="保存").click()
    stale = other.locator("#board-stale")
    expect(stale).to_contain_text("王编辑")
    expect(stale).to_contain_text("20:15")
    expect(stale).to_contain_text("18:30")
    stale.get_by_role("button", name="保留我的").click()
    said(other, "已保存")
    assert world.placed("农村安全用电") == [world.at(0, 20, 15)]
    assert world.slot(slot).version == 3

    expect(block(page, "农村安全用电")).to_contain_text("20:15", timeout=MOVED_WITHIN_MS)
    expect(page.locator("#board-said")).to_contain_text("别人改了编排")
    context.close()


def test_their_side_may_be_taken_instead(page: Page, world: World) -> None:
    slot = world.put("农村安全用电", world.at(0, 19))
    open_board(page, world)
    block(page, "农村安全用电").click()
    world.change(slot, "deputy", starts_at=world.at(0, 17))
    dialog = page.locator("#board-item")
    dialog.locator("[name=time]").fill("20:15")
    dialog.get_by_role("button", name="保存").click()
    page.locator("#board-stale").get_by_role("button", name="采用对方的").click()
    expect(block(page, "农村安全用电")).to_contain_text("17:00")
    assert world.placed("农村安全用电") == [world.at(0, 17)]


def test_a_week_is_kept_as_a_template_and_applied_to_the_next(page: Page, world: World) -> None:
    world.fill_week()
    open_board(page, world)
    page.get_by_role("button", name="模板").click()
    dialog = page.locator("#board-templates")
    dialog.get_by_label("名称").fill("标准周")
    dialog.get_by_role("button", name="存为模板").click()
    said(page, "标准周")

    page.get_by_role("button", name="往后").click()
    expect(page.locator("#board-span")).to_contain_text(f"{world.monday + timedelta(days=7):%Y-%m-%d}")
    expect(page.locator("#board-grid .ec-event")).to_have_count(0)
    page.get_by_role("button", name="模板").click()
    dialog.get_by_role("button", name="套用").click()
    report = page.locator("#board-report")
    expect(report).to_contain_text("已排 21 个")
    report.get_by_role("button", name="知道了").click()
    expect(page.locator("#board-grid .ec-event")).to_have_count(21)
    page.get_by_role("button", name="撤销").click()
    said(page, "已撤销")
    expect(page.locator("#board-grid .ec-event")).to_have_count(0)


def test_a_day_is_copied_and_what_cannot_be_is_named(page: Page, world: World) -> None:
    world.put("三会一课怎么开", world.at(0, 9))
    world.put("冬小麦返青管理", world.at(0, 19))
    world.put("一周菜价", world.at(1, 19, 10))
    open_board(page, world, days=1)
    page.get_by_role("button", name="复制").click()
    dialog = page.locator("#board-copy")
    dialog.get_by_role("button", name="复制").click()
    report = page.locator("#board-report")
    expect(report).to_contain_text("已排 1 个")
    expect(report).to_contain_text("一周菜价")


def test_a_county_editor_sees_the_frame_and_works_in_his_own_window(page: Page, world: World) -> None:
    world.put("先进支部巡礼", world.at(0, 19))
    world.put("蔚县剪纸", world.at(0, 20, 10), "xian", "130123")
    open_board(page, world, "xian", "130123")
    frame, own = block(page, "先进支部巡礼"), block(page, "蔚县剪纸")
    expect(frame).to_have_class(re.compile("is-fixed"))
    expect(own).to_have_class(re.compile("is-local"))
    expect(page.locator("#board-grid .yb-open.is-mine")).to_have_count(7)
    frame.click()
    dialog = page.locator("#board-item")
    expect(dialog).to_contain_text("王编辑")
    expect(dialog.get_by_role("button", name="保存")).to_be_hidden()
    page.keyboard.press("Escape")
    own.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    said(page, "不在地方窗口内")
    assert world.placed("蔚县剪纸") == [world.at(0, 20, 10)]


def test_the_phone_has_a_list_with_the_same_dialogs(page: Page, world: World) -> None:
    world.fill_week()
    page.set_viewport_size({"width": 390, "height": 844})
    open_page = f"{world.url}/schedule/board?region=13&day={world.monday:%Y-%m-%d}"
    sign_in_narrow(page, world)
    page.goto(open_page)
    expect(page.locator("#board-grid .yb-item")).to_have_count(21)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} wide"
    page.locator("#board-grid .yb-item button").first.click()
    dialog = page.locator("#board-item")
    dialog.locator("[name=time]").fill("10:30")
    dialog.get_by_role("button", name="保存").click()
    said(page, "已保存")
    assert world.placed("三会一课怎么开") == [world.at(0, 10, 30)]


def sign_in_narrow(page: Page, world: World) -> None:
    page.goto(f"{world.url}/sign-in")
    page.get_by_label("用户名").fill("sheng")
    page.get_by_label("密码").fill(PASSWORD)
    page.get_by_role("button", name="登录").click()
    expect(page.get_by_role("heading").first).to_be_visible()
