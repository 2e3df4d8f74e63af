"""The page as a whole: what it weighs, whom it serves, and that its figures open what they count."""

import gzip
import re
from typing import Any, Literal

import pytest
from playwright.sync_api import Route, expect

from infra.tools.dashboard import BUNDLE
from tests.contract.browser.conftest import PHONE, SCREENS, Windows, place, settled, violations
from tests.contract.conftest import Stack

_BYTES_AT_MOST = 120 * 1024
# Of the first screen: files, the bytes of them that are sent, and requests to the API.
_FILES_AT_MOST = 13
_FIRST_BYTES_AT_MOST = 56 * 1024
_QUESTIONS_AT_MOST = 8

_SMALL_TARGETS = """[...document.querySelectorAll("a, button, select, input")]
    .filter((part) => part.checkVisibility() && !part.closest("p, svg, table"))
    .map((part) => part.closest("label") ?? part)
    .filter((part) => part.getBoundingClientRect().height < 40)
    .map((part) => part.outerHTML.slice(0, 120))"""
"""What is pressed and is lower than 40 px, outside of sentences, drawings and tables."""


def test_all_of_it_is_below_120_kb_compressed(chromium: str) -> None:
    assert chromium
    # The API reference is a page of its own, whose viewer weighs more than all of the dashboard.
    files = [path for path in BUNDLE.rglob("*") if path.is_file() and not path.name.startswith("docs")]
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    assert sum(sizes.values()) < _BYTES_AT_MOST, sizes


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_axe_finds_nothing_on_any_screen(
    windows: Windows, stack: Stack, screen: str, theme: Literal["light", "dark"]
) -> None:
    page = windows.open(place(stack, screen), color_scheme=theme)
    settled(page)
    assert violations(page) == []


@pytest.mark.parametrize("screen", SCREENS)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(windows: Windows, stack: Stack, screen: str) -> None:
    page = windows.open(place(stack, screen), **PHONE)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for button in page.locator("main button:visible, nav a:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 40, button.inner_text()
    assert violations(page) == []


@pytest.mark.parametrize("level", ["critical", "high", "medium", "low"])
def test_a_bar_opens_the_list_with_exactly_as_many(windows: Windows, stack: Stack, level: str) -> None:
    counted = stack.get("/api/dashboard/stats").json["risk_distribution"][level]
    page = windows.open("#/")
    page.locator(".distribution a", has_text=level.capitalize()).click()
    expect(page).to_have_url(re.compile(f"risk_level={level}"))
    matches = "es" if counted == 1 else ""
    expect(page.get_by_role("heading", level=1)).to_have_text(
        f"{counted:,} customer{'s'[: counted != 1]} match{matches}."
    )


def test_the_theme_can_be_set_and_stays(windows: Windows) -> None:
    page = windows.open("#/", color_scheme="light")
    settled(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light


@pytest.mark.parametrize("screen", SCREENS)
def test_nothing_moves_while_a_screen_fills(windows: Windows, stack: Stack, screen: str) -> None:
    for options in ({}, PHONE):
        page = windows.open(place(stack, screen), **options)
        settled(page)
        page.wait_for_load_state("networkidle")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate("window.shifts") == []


def test_the_first_screen_asks_for_little(windows: Windows) -> None:
    page = windows.open("#/")
    settled(page)
    page.wait_for_load_state("networkidle")
    loaded: list[dict[str, Any]] = page.evaluate(
        """performance.getEntries().filter(({ entryType }) => ["resource", "navigation"].includes(entryType))
            .map(({ name, transferSize }) => ({ name, size: transferSize }))"""
    )
    files = [(one["name"], one["size"]) for one in loaded if "/api/" not in one["name"] and one["size"]]
    assert len(files) == len(dict(files)) <= _FILES_AT_MOST, files
    assert sum(size for _, size in files) <= _FIRST_BYTES_AT_MOST, files
    assert len(loaded) - len(files) <= _QUESTIONS_AT_MOST, loaded
    assert sum(one["name"].endswith("/api/dashboard/stats") for one in loaded) == 1, loaded


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_has_all_of_the_frame_within_its_width(windows: Windows, width: int) -> None:
    def many_unread(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"total": 12_345})

    page = windows.blank(**PHONE | {"viewport": {"width": width, "height": 740}})
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('read')}'")
    page.route(re.compile(r"/api/alerts\?status=new&limit=1$"), many_unread)
    page.goto(f"{windows.stack.base_url}/#/")
    settled(page)
    expect(page.locator(".rail .unread")).to_contain_text("12345")
    leave, theme = page.get_by_role("button", name="Sign out"), page.get_by_role("button", name="Theme")
    expect(page.locator(".standing.live")).to_be_visible()
    for part in (leave, theme, *page.get_by_role("navigation", name="Screens").get_by_role("link").all()):
        box = part.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 40
        assert part.evaluate("(part) => part.scrollWidth <= part.clientWidth")
    leave.click()
    expect(page.get_by_label("Token")).to_be_visible()


@pytest.mark.parametrize("screen", SCREENS)
def test_what_is_touched_on_a_phone_is_large_enough(windows: Windows, stack: Stack, screen: str) -> None:
    page = windows.open(place(stack, screen), **PHONE)
    settled(page)
    small = page.evaluate(_SMALL_TARGETS)
    assert small == []
