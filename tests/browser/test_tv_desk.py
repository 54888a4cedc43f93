"""站务 on the set: the administrator's pages, with five keys."""

from __future__ import annotations

import pytest

from tests.browser.test_tv_page import NOW, TRAILER, TRAILER_MS, station, tv  # noqa: F401

pytestmark = pytest.mark.browser


@pytest.fixture
def evening(station):  # noqa: F811
    """One programme on air that is stored, one later that is not."""
    station.wheat = station.add("冬小麦返青管理", "nongji", TRAILER_MS, TRAILER)
    station.subsidy = station.add("惠农补贴解读", "zhengce", TRAILER_MS, None)
    station.place(station.wheat, -10)
    station.place(station.subsidy, 3_600)
    return station


def to_desk(viewer, page=None):
    """From the picture to the desk, or to one of its pages, with arrows and OK only."""
    viewer.wait_playing()
    viewer.press("Enter", "ArrowUp")
    while viewer.focused() != "站务":
        viewer.press("ArrowRight")
    viewer.press("Enter")
    viewer.page.wait_for_selector(".tile.focus")
    if page is None:
        return
    tile = f".tile[data-stop=tile-{page}]"
    count = viewer.page.locator(".tile").count()
    for key in (
        ["ArrowLeft"] * count
        + ["ArrowRight"] * count
        + ["ArrowDown"]
        + ["ArrowLeft"] * count
        + ["ArrowDown"]
        + ["ArrowRight"] * count
    ):
        if viewer.page.locator(f"{tile}.focus").count():
            break
        viewer.press(key)
    viewer.press("Enter")
    viewer.page.wait_for_selector(f"#shell.on-desk-{page}")


def test_the_state_of_storage_and_line_is_told_in_plain_words(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "condition")
    viewer.page.wait_for_selector(".desk-verdict")
    assert "惠农补贴解读" in viewer.text("#view")
    assert "已存好 1 / 2" in viewer.text("#view")


def test_back_goes_from_a_page_to_its_tile_and_from_there_home(tv, evening):  # noqa: F811
    viewer = tv()
    to_desk(viewer, "condition")
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.on-desk .tile[data-stop=tile-condition].focus")
    viewer.press("Escape")
    viewer.page.wait_for_selector("#shell.on-home .tab.focus")
