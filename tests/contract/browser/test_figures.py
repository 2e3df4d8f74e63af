"""Sums of money: whole at every width, in the signs and the decimals of the shop's currency."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.contract.browser.conftest import Windows, settled
from tests.contract.conftest import Stack

_CUT_OFF = """[...document.querySelectorAll(".figure .value > span")].filter((value) => {
    const [text, room] = [value.getBoundingClientRect(), value.closest(".figure").getBoundingClientRect()];
    return text.right > room.right || text.left < room.left || parseFloat(getComputedStyle(value).fontSize) < 14;
}).map((value) => value.textContent)"""
"""The figures that are wider than their card, or too small to be read."""


def _changed(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        change(body)
        route.fulfill(response=response, json=body)

    return answer


def _shop(windows: Windows, figures: dict[str, Any], customer: dict[str, Any], **options: Any) -> Page:
    """Open a shop whose figures, and those of each of its customers, are others."""
    page = windows.blank(**options)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('read')}'")
    page.route("**/api/dashboard/stats", _changed(lambda stats: stats.update(figures)))
    page.route("**/api/customers/*", _changed(lambda one: one.update(customer)))
    return page


@pytest.mark.parametrize("width", [360, 1024, 1280])
def test_no_digit_of_a_large_figure_is_cut_off(windows: Windows, stack: Stack, width: int) -> None:
    who = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    large = {"currency": "JPY", "revenue_at_risk": 1_007_591_866_012, "high_risk_customers": 1_234_567}
    page = _shop(
        windows,
        large,
        {"value_at_risk": 9_999_999, "churn_probability": 0.995, "risk_level": "critical"},
        viewport={"width": width, "height": 800},
    )
    page.goto(f"{stack.base_url}/#/")
    settled(page)
    figure = page.locator(".today-figures .figure").first
    expect(figure.locator(".value")).to_have_text("¥1.008tn")
    expect(figure).to_contain_text("¥1,007,591,866,012, of what current customers would spend")
    assert page.evaluate(_CUT_OFF) == []
    page.goto(f"{stack.base_url}/#/customers/{who}")
    expect(page.locator(".figures .value").nth(1)).to_have_text("¥10,000,000")
    assert page.evaluate(_CUT_OFF) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_sums_have_the_decimals_of_their_currency_and_nothing_is_made_of_what_is_not_known(
    windows: Windows, stack: Stack
) -> None:
    who = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    place = f"{stack.base_url}/#/customers/{who}"
    spent = {"expected_spend_basis": "rate_of_life", "days_since_last_order": 3}
    for currency, known, value, note in (
        ("JPY", {"value_at_risk": 96.59, "expected_spend": 97.4} | spent, "¥97", "of ¥97 that they would spend"),
        ("KWD", {"value_at_risk": 0.25, "expected_spend": 1.5} | spent, "under KWD\xa01", "of KWD\xa01.500 that"),
        ("SEK", {"value_at_risk": -0.2, "expected_spend": -0.001} | spent, "SEK\xa00", "of SEK\xa00.00 that"),
        ("EUR", {"value_at_risk": 5.0, "expected_spend": None} | spent, "€5", "is not known"),
        ("EUR", {"value_at_risk": 0, "expected_spend": 0, "days_since_last_order": None}, "€0", "before the first"),
    ):
        page = _shop(windows, {"currency": currency}, known | {"risk_percentile": None})
        page.goto(place)
        settled(page)
        figures = page.locator(".figures .figure")
        expect(figures.nth(1).locator(".value")).to_have_text(value)
        expect(figures.nth(1)).to_contain_text(note)
        expect(figures.nth(3)).to_have_text("Among allnot known")
