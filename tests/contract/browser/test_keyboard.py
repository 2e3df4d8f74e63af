"""The screens by the keyboard alone."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.contract.browser.conftest import Windows

_TABS_AT_MOST = 80


def _tab_to(page: Page, words: str) -> None:
    """Press Tab until what has the focus is called so."""
    for _ in range(_TABS_AT_MOST):
        page.keyboard.press("Tab")
        name = "(({ ariaLabel, textContent }) => ariaLabel ?? textContent)(document.activeElement)"
        if re.search(words, str(page.evaluate(f"() => {name}"))):
            return
    pytest.fail(f"nothing that is called {words} can be reached by Tab")


def test_a_cell_of_the_cohorts_is_reached_and_opened(windows: Windows) -> None:
    page = windows.open("#/retention")
    expect(page.locator(".heat-map td a").first).to_be_visible()
    _tab_to(page, "^Weeks$")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("by=week"))
    expect(page.get_by_role("columnheader", name="Same week")).to_be_visible()
    _tab_to(page, "ordered again in")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("customers.first_order_from=.*&ordered_again_from="))


def test_the_button_that_trains_is_reached_and_shows_that_it_is(windows: Windows) -> None:
    page = windows.open("#/model")
    expect(page.get_by_role("button", name=re.compile("^Train"))).to_be_visible()
    _tab_to(page, "^Train")
    assert page.evaluate("() => document.activeElement.matches('main button:focus-visible')")


def test_minutes_and_hours_of_events_are_chosen(windows: Windows) -> None:
    page = windows.open("#/data")
    expect(page.get_by_role("link", name="Hours")).to_be_visible()
    _tab_to(page, "^Hours$")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("step=hour"))
    expect(page.get_by_role("link", name="Hours")).to_have_attribute("aria-current", "true")


def test_enter_on_the_list_of_customers_presses_what_has_the_focus(windows: Windows) -> None:
    page = windows.open("#/customers?status=current")
    expect(page.locator("td.col-name").first).to_be_visible()
    page.keyboard.press("j")
    page.get_by_role("button", name="Columns").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Columns")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("link", name="Retention").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("#/retention$"))
