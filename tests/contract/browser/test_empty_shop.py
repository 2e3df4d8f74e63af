"""What a shop sees that has nothing yet, or is young: words on what fills a screen, and no zero for the unknown."""

import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack
from tests.support import eventually

_EMPTY = {
    "#/": ("No customers yet.", "hand them in at"),
    "#/customers?status=current": ("No customers yet.", "hand them in at"),
    "#/alerts": ("Everything has been looked at.", "Nothing here."),
    "#/retention": ("retention is not known", "Nobody ordered first in these 12 months."),
    "#/data": ("", "No file has been imported."),
}


@pytest.mark.slow
def test_an_empty_shop_is_told_what_fills_each_screen_and_a_young_one_what_is_not_known_yet(
    own_stack: Stack, browser: Browser
) -> None:
    # On a slow machine a stack that has just begun refuses some questions, which the page asks again.
    windows = Windows(own_stack, browser, expected=("503",))
    paths = ("/health", "/api/customers", "/api/alerts", "/api/retention", "/api/ingestion", "/api/dashboard/stats")
    for path in paths:
        eventually(lambda path=path: own_stack.get(path).status == 200)  # type: ignore[misc]
    page = windows.open()
    for place, (headline, words) in _EMPTY.items():
        page.goto(f"{own_stack.base_url}/{place}")
        expect(page.get_by_role("heading", level=1)).to_contain_text(headline)
        expect(page.get_by_text(words).first).to_be_visible()
    who = f"FIRST-{uuid.uuid4().hex[:8]}"
    own_stack.publish("order_placed", who, datetime.now(UTC), order_id="o1", order_value=20)
    eventually(lambda: own_stack.get(f"/api/customers/{who}").status == 200)
    page.goto(f"{own_stack.base_url}/#/retention")
    page.reload()
    expect(page.locator(".heat-map tbody tr")).to_have_count(1)
    expect(page.get_by_text("not known").first).to_be_visible()
    page.locator(".heat-map tbody tr td").first.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("1 customer matches.")
    page.get_by_role("link", name=who).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{who} has ordered today.")
    expect(page.get_by_text("no score of a week ago")).to_be_visible()
    page.goto(f"{own_stack.base_url}/#/")
    expect(page.get_by_text("Not known yet.")).to_be_visible()
    windows.check()
