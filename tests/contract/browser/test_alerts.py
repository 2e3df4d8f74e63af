"""The inbox: alerts as they come, worked by keyboard, the same in two windows, without loss after a time offline."""

import time
import uuid
from datetime import UTC, datetime

from playwright.sync_api import Locator, Page, expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack
from tests.support import eventually


def _fail_a_payment(stack: Stack) -> str:
    """Publish a failed payment of a new customer; return the customer's id, which the alert's title names."""
    customer_id = f"PAY-{uuid.uuid4().hex[:8]}"
    reason = {"failure_reason": "card_expired", "retry_count": 1}
    stack.publish("payment_failed", customer_id, datetime.now(UTC), order_id=f"O-{customer_id}", **reason)
    return customer_id


def _raised_at(stack: Stack, customer_id: str) -> float:
    def alerts() -> list[dict[str, str]]:
        found: list[dict[str, str]] = stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"]
        return found

    [alert] = eventually(alerts, within=30)
    return datetime.fromisoformat(alert["created_at"]).timestamp()


def _row(page: Page, customer_id: str) -> Locator:
    return page.locator(".inbox-list li", has_text=customer_id)


def _live(page: Page) -> None:
    expect(page.locator(".standing.live")).to_be_visible()


def test_a_failed_payment_shows_within_two_seconds_and_counts_as_unread(windows: Windows, stack: Stack) -> None:
    page = windows.open("#/alerts")
    _live(page)
    customer_id = _fail_a_payment(stack)
    expect(_row(page, customer_id)).to_be_visible()
    shown_at = time.time()
    assert shown_at - _raised_at(stack, customer_id) < 2
    unread = stack.get("/api/alerts?status=new&limit=1").json["total"]
    expect(page).to_have_title(f"({unread}) Alerts · Churn")


def test_an_alert_is_worked_by_keyboard_and_the_other_window_follows(windows: Windows, stack: Stack) -> None:
    anna, ben = windows.open("#/alerts", subject="anna"), windows.open("#/alerts", subject="ben")
    _live(anna)
    _live(ben)
    customer_id = _fail_a_payment(stack)
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


def test_what_was_resolved_comes_back_by_undo(windows: Windows, stack: Stack) -> None:
    customer_id = _fail_a_payment(stack)
    _raised_at(stack, customer_id)
    page = windows.open("#/alerts")
    row = _row(page, customer_id)
    row.get_by_role("link").click()
    expect(page.get_by_role("article")).to_contain_text(customer_id)
    page.keyboard.press("r")
    expect(row).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(row).to_be_visible()
    assert stack.get(f"/api/alerts?customer_id={customer_id}").json["alerts"][0]["status"] == "new"


def test_offline_says_so_and_nothing_is_lost_or_doubled(windows: Windows, stack: Stack) -> None:
    windows.expected = ("ERR_INTERNET_DISCONNECTED", "WebSocket")
    page = windows.open("#/alerts")
    _live(page)
    before = _fail_a_payment(stack)
    expect(_row(page, before)).to_be_visible()
    page.context.set_offline(True)
    expect(page.get_by_text("The service cannot be reached.")).to_be_visible()
    missed = _fail_a_payment(stack)
    _raised_at(stack, missed)
    page.context.set_offline(False)
    for customer_id in (missed, before):
        expect(_row(page, customer_id)).to_have_count(1)
    expect(page.get_by_text("The service cannot be reached.")).to_have_count(0)
