"""What a customer's page says: sums whole at every width and in the shop's currency, and nothing that is not known."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.contract.browser.conftest import Windows, place, settled
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
    spent = {"days_since_last_order": 3}
    for currency, known, value, note in (
        ("JPY", {"value_at_risk": 96.59, "expected_spend": 97.4} | spent, "¥97", "counted: ¥97"),
        ("KWD", {"value_at_risk": 0.25, "expected_spend": 1.5} | spent, "under KWD\xa01", "counted: KWD\xa01.500"),
        ("SEK", {"value_at_risk": -0.2, "expected_spend": -0.001} | spent, "SEK\xa00", "counted: SEK\xa00.00"),
        ("EUR", {"value_at_risk": 5.0, "expected_spend": None} | spent, "€5", "is not known"),
        ("EUR", {"value_at_risk": None, "expected_spend": None}, "not known", "is not known"),
    ):
        page = _shop(windows, {"currency": currency}, known | {"risk_percentile": None})
        page.goto(f"{stack.base_url}/#/customers/{who}")
        settled(page)
        figures = page.locator(".figures .figure")
        expect(figures.nth(1).locator(".value")).to_have_text(value)
        expect(figures.nth(1)).to_contain_text(note)
        expect(figures.nth(3)).to_have_text("Among allnot known")


def test_the_usual_gap_is_that_of_the_orders_and_not_of_the_account(windows: Windows, stack: Stack) -> None:
    who = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    known = {"name": "Sofia", "days_since_last_order": 100.2, "account_age_days": 400, "total_orders": 4}
    for overdue, said in ((3.04, "; about every 33 days is usual for them."), (None, "."), (0.01, ".")):
        page = _shop(windows, {}, known | {"overdue_factor": overdue})
        page.goto(f"{stack.base_url}/#/customers/{who}")
        expect(page.get_by_role("heading", level=1)).to_have_text(f"Sofia has not ordered for 100 days{said}")


def test_what_is_not_known_is_no_zero_in_a_selection_and_on_a_slider(windows: Windows, stack: Stack) -> None:
    def without_amounts(route: Route) -> None:
        response = route.fetch()
        listed = response.json()
        for one, value in zip(listed["customers"], (None, None, 400), strict=False):
            one["value_at_risk"] = value
        route.fulfill(response=response, json=listed)

    page = _shop(windows, {}, {"loyalty_points": None, "total_orders": 4})
    page.add_init_script(f"sessionStorage['churn-token'] = '{stack.token('predict')}'")
    page.route("**/api/customers?*", without_amounts)
    page.goto(f"{stack.base_url}/#/customers?status=current")
    bar = page.get_by_role("region", name="Selected customers")
    boxes = page.locator("tbody").get_by_role("checkbox")
    boxes.nth(0).check()
    expect(bar).to_contain_text("value at risk not known")
    boxes.nth(1).check()
    boxes.nth(2).check()
    expect(bar).to_contain_text("€400 at risk; not known of 2")
    # Who is filtered away stays selected, and the bar says so.
    page.get_by_role("searchbox").fill("nobody is called like that")
    expect(bar).to_contain_text("3 customers selected, 3 of them not in this list")
    page.goto(f"{stack.base_url}/{place(stack, 'customer')}")
    page.get_by_role("button", name="What if").click()
    slider = page.get_by_label("Loyalty points")
    expect(slider).to_have_attribute("aria-valuetext", "not known")
    slider.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0")


@pytest.mark.parametrize("width", [360, 1280])
def test_a_name_of_one_long_word_leaves_the_page_as_wide_as_the_window(
    windows: Windows, stack: Stack, width: int
) -> None:
    name = "Anna" * 50
    who = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    page = _shop(windows, {}, {"name": name, "email": f"{name}@example.com"}, viewport={"width": width, "height": 800})
    page.add_init_script(f"sessionStorage['churn-token'] = '{stack.token('act')}'")
    alert = {
        "id": 1, "change": 1, "customer_id": who, "customer_name": name, "alert_type": "payment_failure",
        "title": f"{name}: payment failed", "message": f"A payment of {name} failed.", "reason": name, "status": "new",
        "priority": "high", "created_at": "2026-11-26T08:00:00Z", "raised_at": None, "assigned_to": "anna" * 20,
        "snoozed_until": None, "risk_score": 0.4, "previous_risk_score": None, "actions": [],
    }  # fmt: skip
    page.route("**/api/alerts/1", lambda route: route.fulfill(json=alert))
    for address in (f"#/customers/{who}", "#/alerts/1"):
        page.goto(f"{stack.base_url}/{address}")
        settled(page)
        expect(page.get_by_text(name).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # On a phone the screen clips what is wider than it.
        assert page.locator("main").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    later = page.get_by_label("Put off").bounding_box()
    assert later
    assert later["x"] + later["width"] <= width


def test_no_sum_stands_in_another_currency_while_the_shops_figures_are_not_there(windows: Windows) -> None:
    def of_japan(route: Route) -> None:
        answer = route.fetch()
        text = re.sub(r'(<meta name="churn-currency" content=)"[^"]*"', r'\1"JPY"', answer.text())
        # A document that is exchanged may not open sockets of this machine.
        text = re.sub(r'(<meta name="churn-socket" content=)"[^"]*"', r'\1""', text)
        route.fulfill(response=answer, body=text)

    page = windows.blank()
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('read')}'")
    page.route(f"{windows.stack.base_url}/", of_japan)
    # Never answered.
    page.route("**/api/dashboard/stats", lambda _: None)
    page.goto(f"{windows.stack.base_url}/#/customers")
    expect(page.locator("tbody tr").first).to_contain_text("¥")
    expect(page.locator("body")).not_to_contain_text("€")
