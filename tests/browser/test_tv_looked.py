"""看一眼: the set says for three seconds that the province took a picture, in either language, and then no more."""

from __future__ import annotations

import os

import pytest

from tests.browser.test_tv_page import evening, station, tv  # noqa: F401 - fixtures


@pytest.mark.usefixtures("evening")
def test_the_set_says_that_somebody_looked(tv):  # noqa: F811
    viewer = tv()
    viewer.wait("document.body && window.TV && TV.Looked")
    viewer.page.wait_for_timeout(300)
    assert viewer.page.locator("#looked.shown").count() == 0
    viewer.server.parts.eye.looked()
    viewer.page.locator("#looked.shown").wait_for(timeout=15_000)
    assert viewer.page.locator("#looked").inner_text() == "省里看了一眼屏幕"
    if folder := os.environ.get("YUANBO_TEST_PICTURES"):
        viewer.page.wait_for_timeout(400)
        viewer.page.screenshot(path=f"{folder}/looked.png")
    viewer.wait("!document.querySelector('#looked.shown')")
