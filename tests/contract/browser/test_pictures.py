"""The pictures of the documents: taken into the folder PICTURES, else into one that is thrown away."""

import base64
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.contract.browser.conftest import PHONE, SCREENS, Windows, place, settled
from tests.contract.conftest import Stack

_SIZES: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 860}},
    "phone": PHONE,
}
_LISTS = {"customers", "alert"}
"""Screens that go on for ever: of them the picture shows a window, as of all on a phone."""
_THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_QUALITY = 82


@pytest.mark.parametrize("size", _SIZES)
@pytest.mark.parametrize("screen", [screen for screen in SCREENS if screen != "alerts"])
def test_a_picture_is_taken_of_each_screen(
    windows: Windows, stack: Stack, tmp_path: Path, screen: str, size: str
) -> None:
    page = windows.open(place(stack, screen), **_SIZES[size])
    settled(page)
    if size == "desktop":
        expect(page.locator(".standing.live")).to_be_visible()
        if screen not in _LISTS:
            _open_wide(page)
    _take(page, tmp_path, f"{screen}-{size}")


@pytest.mark.parametrize("size", _SIZES)
def test_a_picture_is_taken_of_what_nobody_has_to_sign_in_for(windows: Windows, tmp_path: Path, size: str) -> None:
    page = windows.blank(**_SIZES[size])
    page.goto(f"{windows.stack.base_url}/")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    _take(page, tmp_path, f"sign-in-{size}")
    page.goto(f"{windows.stack.base_url}/docs")
    expect(page.get_by_role("heading", name="Alerts, the newest first", exact=True)).to_be_visible()
    _take(page, tmp_path, f"docs-{size}")


def _take(page: Page, tmp_path: Path, name: str) -> None:
    """Take a picture in each theme, as WebP."""
    folder = Path(os.environ.get("PICTURES") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    session = page.context.new_cdp_session(page)
    for theme in _THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        charts = page.locator(".chart").count()
        expect(page.locator(".chart canvas")).to_have_count(charts)
        taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
        picture = base64.b64decode(taken["data"])
        assert picture[8:12] == b"WEBP"
        (folder / f"{name}-{theme}.webp").write_bytes(picture)


def _open_wide(page: Page) -> None:
    """Make the window as high as the screen."""
    width, height = page.evaluate("[innerWidth, Math.max(innerHeight, document.documentElement.scrollHeight)]")
    page.set_viewport_size({"width": width, "height": height})
