"""The pictures of the documents: taken into the folder PICTURES, else into one that is thrown away."""

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import expect

from tests.contract.browser.conftest import Windows


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", ["today", "retention"])
def test_a_picture_is_taken_of_a_filled_screen(
    windows: Windows, tmp_path: Path, screen: str, theme: Literal["light", "dark"]
) -> None:
    page = windows.open("#/" if screen == "today" else f"#/{screen}", color_scheme=theme)
    expect(page.locator(".standing.live")).to_be_visible()
    expect(page.locator("main .card").first).to_be_visible()
    expect(page.locator(".waiting")).to_have_count(0)
    expect(page.locator(".chart canvas").first).to_be_visible()
    picture = Path(os.environ.get("PICTURES") or tmp_path) / f"{screen}-{theme}.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=picture, animations="disabled")
    assert picture.read_bytes().startswith(b"\x89PNG")
