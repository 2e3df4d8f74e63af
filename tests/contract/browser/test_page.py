"""The page as a whole: what it weighs, whom it serves, and that its figures open what they count."""

import gzip
import re
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from infra.tools.dashboard import BUNDLE
from tests.contract.browser.conftest import AXE, Windows
from tests.contract.conftest import Stack

_BYTES_AT_MOST = 120 * 1024
_PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
_SCREENS = ("#/", "#/customers?status=current", "customer", "#/alerts", "alert", "#/retention", "#/model", "#/data")


def _place(stack: Stack, name: str) -> str:
    if name == "customer":
        customer = stack.get("/api/customers?status=current&sort=value_at_risk&limit=1").json["customers"][0]
        return f"#/customers/{customer['customer_id']}"
    if name == "alert":
        alerts = stack.get("/api/alerts?limit=1&status=new,acknowledged,in_progress,resolved").json["alerts"]
        return f"#/alerts/{alerts[0]['id']}" if alerts else "#/alerts"
    return name


def _settled(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".waiting")).to_have_count(0)


def _violations(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}" for one in found]


def test_all_of_it_is_below_120_kb_compressed(chromium: str) -> None:
    assert chromium
    # The API reference is a page of its own, whose viewer weighs more than all of the dashboard.
    files = [path for path in BUNDLE.rglob("*") if path.is_file() and not path.name.startswith("docs")]
    sizes = {path.name: len(gzip.compress(path.read_bytes())) for path in files}
    assert sum(sizes.values()) < _BYTES_AT_MOST, sizes


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("screen", _SCREENS)
def test_axe_finds_nothing_on_any_screen(
    windows: Windows, stack: Stack, screen: str, theme: Literal["light", "dark"]
) -> None:
    page = windows.open(_place(stack, screen), color_scheme=theme)
    _settled(page)
    assert _violations(page) == []


@pytest.mark.parametrize("screen", _SCREENS)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(windows: Windows, stack: Stack, screen: str) -> None:
    page = windows.open(_place(stack, screen), **_PHONE)
    _settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for button in page.locator("main button:visible, nav a:visible").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 40, button.inner_text()
    assert _violations(page) == []


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
    _settled(page)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light
    page.reload()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate(ground) != light


def test_nothing_moves_while_the_page_fills(windows: Windows) -> None:
    page = windows.open("#/customers?status=current")
    _settled(page)
    shift = page.evaluate(
        """new Promise((resolve) => new PerformanceObserver((list) =>
            resolve(list.getEntries().reduce((sum, entry) => sum + entry.value, 0))
        ).observe({type: "layout-shift", buffered: true}) || setTimeout(() => resolve(0), 500))"""
    )
    assert shift < 0.1
