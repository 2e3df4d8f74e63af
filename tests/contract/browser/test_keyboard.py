"""The page by the keyboard alone: who may what is offered its keys, and Undo has one."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from tests.contract.browser.conftest import Windows, fail_a_payment
from tests.contract.conftest import Stack
from tests.support import eventually

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


def test_the_content_is_skipped_to_and_whoever_reads_alone_is_told_of_no_keys_that_change_something(
    windows: Windows,
) -> None:
    page = windows.open("#/alerts?box=work", role="read")
    expect(page.get_by_text("Choose an alert.")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("acknowledge")
    expect(page.locator("main")).not_to_contain_text("Press e")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Search customers")
    for meaning in ("Acknowledge", "Resolve", "Take", "Put", "note", "what if", "Undo"):
        expect(keys).not_to_contain_text(meaning)
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_text("Choose an alert.")).to_be_visible()
    _tab_to(page, "^Skip to the content$")
    expect(page.get_by_role("button", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.matches('main')")


def test_the_timeline_says_what_was_done_with_an_alert_and_undo_has_a_key(windows: Windows, stack: Stack) -> None:
    customer_id = fail_a_payment(stack)
    [alert] = eventually(lambda: stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"])
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    for work in ({"assigned_to": "me"}, {"assigned_to": None}, {"snoozed_until": later}, {"snoozed_until": None}):
        assert stack.ask("PATCH", f"/api/alerts/{alert['id']}", work).status == 200
    page = windows.open(f"#/alerts/{alert['id']}")
    expect(page.get_by_role("article")).to_contain_text(customer_id)
    page.keyboard.press("r")
    expect(page.get_by_text("Alert resolved.")).to_be_visible()
    page.keyboard.press("u")
    eventually(lambda: stack.get(f"/api/alerts/{alert['id']}").json["status"] == "new")
    page.goto(f"{stack.base_url}/#/customers/{customer_id}")
    done = page.locator(".timeline li.action")
    expect(done.filter(has_text="gave the alert back")).to_have_count(1)
    expect(done.filter(has_text="put the alert back in the list")).to_have_count(1)
    expect(done.filter(has_text="noted:")).to_have_count(0)
