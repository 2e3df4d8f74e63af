"""The inbox: alerts as they come, worked by keyboard, the same in two windows, without loss after a time offline."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.contract.browser.conftest import PATIENCE_MS, Windows, fail_a_payment
from tests.contract.conftest import Stack
from tests.support import eventually


def _raised(stack: Stack, customer_id: str) -> None:
    def alerts() -> list[dict[str, str]]:
        found: list[dict[str, str]] = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"]
        return found

    eventually(alerts)


def _row(page: Page, customer_id: str) -> Locator:
    return page.locator(".inbox-list li", has_text=customer_id)


def _live(page: Page) -> None:
    expect(page.locator(".standing.live")).to_be_visible()


def test_a_failed_payment_shows_by_itself_and_counts_as_unread(windows: Windows, stack: Stack) -> None:
    page = windows.open("#/alerts")
    _live(page)
    customer_id = fail_a_payment(stack)
    expect(_row(page, customer_id)).to_be_visible()
    unread = stack.get("/api/alerts?status=new&limit=1").json["total"]
    expect(page).to_have_title(f"({unread}) Alerts · Churn")


def test_an_alert_is_worked_by_keyboard_and_the_other_window_follows(windows: Windows, stack: Stack) -> None:
    anna, ben = windows.open("#/alerts", subject="anna"), windows.open("#/alerts", subject="ben")
    _live(anna)
    _live(ben)
    customer_id = fail_a_payment(stack)
    for page in (anna, ben):
        expect(_row(page, customer_id)).to_be_visible()
    _row(anna, customer_id).get_by_role("link").click()
    expect(anna.get_by_role("article")).to_contain_text(customer_id)
    anna.keyboard.press("n")
    anna.keyboard.type("New card is on its way.")
    anna.get_by_role("button", name="Save note").click()
    expect(anna.get_by_role("article")).to_contain_text("New card is on its way.")
    anna.get_by_role("heading", level=1).click()
    anna.keyboard.press("a")
    expect(anna.get_by_role("article")).to_contain_text("anna works on it")
    anna.keyboard.press("e")
    expect(_row(ben, customer_id)).to_have_count(0)
    ben.get_by_role("link", name="In work").click()
    expect(_row(ben, customer_id)).to_contain_text("anna")
    actions = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"][0]
    assert (actions["status"], actions["acknowledged_by"]) == ("acknowledged", "anna")


def test_an_alert_that_was_put_off_comes_back_by_itself_when_that_ends(windows: Windows, stack: Stack) -> None:
    customer_id = fail_a_payment(stack)
    _raised(stack, customer_id)
    [alert] = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"]
    until = (datetime.now(UTC) + timedelta(seconds=15)).isoformat()
    assert stack.ask("PATCH", f"/api/alerts/{alert['id']}", {"snoozed_until": until}).status == 200
    page = windows.open("#/alerts")
    expect(_row(page, customer_id)).to_be_visible(timeout=15_000 + PATIENCE_MS)
    # From an alert to its customer, the way back is still to the list.
    _row(page, customer_id).get_by_role("link").click()
    page.get_by_role("article").get_by_role("link", name=customer_id).click()
    page.get_by_role("main").get_by_role("link", name="Customers").click()
    expect(page).to_have_url(re.compile(r"#/customers\?status=current"))


def test_what_was_resolved_comes_back_by_undo(windows: Windows, stack: Stack) -> None:
    customer_id = fail_a_payment(stack)
    _raised(stack, customer_id)
    page = windows.open("#/alerts")
    row = _row(page, customer_id)
    row.get_by_role("link").click()
    expect(page.get_by_role("article")).to_contain_text(customer_id)
    page.keyboard.press("r")
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    assert stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"][0]["status"] == "new"


def _stands_still(page: Page) -> None:
    """Let a page see the alerts as they are now, whatever becomes of them."""
    seen: dict[str, APIResponse] = {}

    def answer(route: Route) -> None:
        address = route.request.url
        if route.request.method != "GET":
            route.continue_()
            return
        if address not in seen:
            seen[address] = route.fetch()
        route.fulfill(response=seen[address])

    page.route("**/api/alerts*", answer)
    page.route("**/api/alerts/*", answer)


def test_what_somebody_else_has_changed_is_not_overwritten_and_a_typed_reason_stays(
    windows: Windows, stack: Stack
) -> None:
    windows.expected = ("412",)
    customer_id = fail_a_payment(stack)
    _raised(stack, customer_id)
    [alert] = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"]
    page = windows.open("#/data")
    _stands_still(page)
    page.goto(f"{stack.base_url}/#/alerts/{alert['id']}")
    pane = page.get_by_role("article")
    expect(pane).to_contain_text(customer_id)
    ben = stack.token("act", subject="ben")
    worked = stack.ask("PATCH", f"/api/alerts/{alert['id']}", {"status": "in_progress"}, token=ben)
    assert worked.status == 200
    pane.get_by_label("Note, or why you dismiss it").fill("A test order.")
    pane.get_by_role("button", name="Dismiss for this reason").click()
    expect(page.get_by_text("That was not done. The alert has changed meanwhile.")).to_be_visible()
    expect(pane.get_by_label("Note, or why you dismiss it")).to_have_value("A test order.")
    after = stack.get(f"/api/alerts/{alert['id']}").json
    assert (after["status"], after["last_action"]["by"]) == ("in_progress", "ben")


def test_of_several_alerts_those_that_somebody_has_changed_stay_and_undo_is_of_the_others(
    windows: Windows, stack: Stack
) -> None:
    mine, theirs = fail_a_payment(stack), fail_a_payment(stack)
    for customer_id in (mine, theirs):
        _raised(stack, customer_id)
    page = windows.open("#/data")
    _stands_still(page)
    page.goto(f"{stack.base_url}/#/alerts")
    for customer_id in (mine, theirs):
        _row(page, customer_id).get_by_role("checkbox").check()
    ben = stack.token("act", subject="ben")
    numbers = [stack.get(f"/api/alerts?customer_id={one}").json["alerts"][0]["id"] for one in (mine, theirs)]
    assert stack.ask("PATCH", f"/api/alerts/{numbers[1]}", {"assigned_to": "me"}, token=ben).status == 200
    page.get_by_role("region", name="Selected alerts").get_by_role("button", name="Resolve").click()
    expect(page.get_by_text("Alert stayed as before. Somebody else was faster.")).to_be_visible()
    statuses = [stack.get(f"/api/alerts/{number}").json["status"] for number in numbers]
    assert statuses == ["resolved", "new"]
    page.locator(".toast", has_text="Alert resolved.").get_by_role("button", name="Undo").click()
    eventually(lambda: stack.get(f"/api/alerts/{numbers[0]}").json["status"] == "new")
    assert stack.get(f"/api/alerts/{numbers[1]}").json["assigned_to"] == "ben"


def test_undo_takes_back_what_one_did_oneself_and_not_what_others_did_after_it(windows: Windows, stack: Stack) -> None:
    windows.expected = ("412",)
    customer_id = fail_a_payment(stack)
    _raised(stack, customer_id)
    page = windows.open("#/alerts")
    _row(page, customer_id).get_by_role("link").click()
    expect(page.get_by_role("article")).to_contain_text(customer_id)
    # One key right after the other: the second is of the version that the first has made.
    page.keyboard.press("a")
    page.keyboard.press("e")
    expect(page.get_by_text("Alert acknowledged.")).to_be_visible()
    [alert] = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"]
    assert (alert["status"], alert["assigned_to"]) == ("acknowledged", "anna")
    ben = stack.token("act", subject="ben")
    stack.ask("PATCH", f"/api/alerts/{alert['id']}", {"status": "in_progress"}, token=ben)
    page.locator(".toast", has_text="Alert acknowledged.").get_by_role("button", name="Undo").click()
    expect(page.get_by_text("It could not be taken back. The alert has changed meanwhile.")).to_be_visible()
    assert stack.get(f"/api/alerts/{alert['id']}").json["status"] == "in_progress"


def test_offline_says_so_and_nothing_is_lost_or_doubled(windows: Windows, stack: Stack) -> None:
    windows.expected = ("ERR_INTERNET_DISCONNECTED", "WebSocket")
    page = windows.open("#/alerts")
    _live(page)
    before = fail_a_payment(stack)
    expect(_row(page, before)).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("The service cannot be reached.")).to_be_visible()
    missed = fail_a_payment(stack)
    _raised(stack, missed)
    page.context.set_offline(False)
    for customer_id in (missed, before):
        expect(_row(page, customer_id)).to_have_count(1)
    expect(page.get_by_text("The service cannot be reached.")).to_have_count(0)
