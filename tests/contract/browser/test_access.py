"""The page for who needs it larger, calmer, in other colours, or read aloud: dialogs, zoom, motion, high contrast."""

from typing import Literal

import pytest
from playwright.sync_api import Route, expect

from tests.contract.browser.conftest import SCREENS, Windows, place, settled, violations
from tests.contract.conftest import Stack

_GROUND = "(bar) => getComputedStyle(bar).backgroundColor"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("screen", "button"),
    [
        ("today", "Keys"),
        ("customers", "Filter"),
        ("customers", "Columns"),
        ("customers", "Save as segment"),
        ("customer", "What if"),
    ],
)
def test_axe_finds_nothing_in_an_open_dialog(
    windows: Windows, stack: Stack, screen: str, button: str, theme: Literal["light", "dark"]
) -> None:
    page = windows.open(place(stack, screen), color_scheme=theme)
    settled(page)
    page.get_by_role("button", name=button).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name=button).first).to_be_focused()


@pytest.mark.parametrize("screen", SCREENS)
def test_twice_as_large_nothing_has_to_be_scrolled_sideways(windows: Windows, stack: Stack, screen: str) -> None:
    page = windows.open(place(stack, screen), viewport={"width": 640, "height": 430}, device_scale_factor=2)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("motion", "moves"), [("reduce", False), ("no-preference", True)])
def test_whoever_wants_no_motion_sees_none_while_they_wait(
    windows: Windows, motion: Literal["reduce", "no-preference"], moves: bool
) -> None:
    page = windows.blank(reduced_motion=motion)
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/dashboard/stats", hold)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('read')}'")
    page.goto(f"{windows.stack.base_url}/")
    expect(page.locator(".waiting.late")).to_be_visible()
    assert page.evaluate("document.getAnimations().length > 0") is moves
    for route in held:
        route.continue_()


def test_in_high_contrast_bars_keep_their_colour_and_the_screen_its_mark(windows: Windows, stack: Stack) -> None:
    page = windows.open(place(stack, "today"), forced_colors="active")
    settled(page)
    levels = [bar.evaluate(_GROUND) for bar in page.locator(".distribution .fill").all()]
    assert len(set(levels)) == len(levels) > 0
    assert page.locator("body").evaluate(_GROUND) not in levels
    mark = page.locator(".rail a[aria-current]").first
    assert mark.evaluate("(link) => getComputedStyle(link).outlineStyle") == "solid"
