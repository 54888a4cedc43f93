"""Which fonts Chromium really drew a page with, so that a missing glyph or a font of the machine is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Fonts are asked for when a layout needs them, and drawn with after they have come: a frame before, a frame after.
DRAWN = """async () => {
  const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  await frame();
  await document.fonts.ready;
  await frame();
}"""


def fonts_of_the_machine(page: Page) -> dict[str, list[str]]:
    """{font family: texts drawn with it} for every text that was drawn with a font the page did not bring itself.

    A text counts for the elements around it too. A character that no font has is drawn with one of the machine's fonts too, as an empty box.
    """
    page.evaluate(DRAWN)
    session = page.context.new_cdp_session(page)
    session.send("DOM.enable")
    session.send("CSS.enable")
    root = session.send("DOM.getDocument", {"depth": 0})["root"]["nodeId"]
    found: dict[str, list[str]] = {}
    for node in session.send("DOM.querySelectorAll", {"nodeId": root, "selector": "body, body *"})["nodeIds"]:
        fonts = session.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        for font in fonts:
            if not font["isCustomFont"]:
                found.setdefault(font["familyName"], []).append(_text(session, node))
    session.detach()
    return found


def _text(session, node: int) -> str:
    return session.send("DOM.getOuterHTML", {"nodeId": node})["outerHTML"][:120]
