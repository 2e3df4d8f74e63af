"""Lists that are longer than an answer of the API go on."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Route, expect

from tests.contract.browser.conftest import Windows, place
from tests.contract.conftest import Stack

_ROWS_AT_MOST = 500
_AT = "2026-11-26T08:00:00Z"


def _alert(number: int) -> dict[str, Any]:
    return {
        "id": number, "change": number, "customer_id": "C-1", "alert_type": "payment_failure", "title": f"No. {number}",
        "message": "", "reason": None, "status": "new", "priority": "high", "created_at": _AT, "raised_at": None,
        "assigned_to": None, "snoozed_until": None,
    }  # fmt: skip


def _letter(number: int) -> dict[str, Any]:
    return {
        "topic": "user-events", "partition": 0, "offset": number, "reason": f"No. {number}", "failed_at": _AT,
        "redriven_at": None, "has_content": False, "value": None, "bytes": None, "encoding": None, "customer_id": None,
    }  # fmt: skip


def _note(number: int) -> dict[str, Any]:
    return {"id": number, "at": _AT, "by": "ben", "note": f"No. {number}"}


def _pages(name: str, row: Callable[[int], dict[str, Any]], rows: int) -> Callable[[Route], None]:
    """Return what answers as the API does of a list of so many rows, the newest first."""

    def answer(route: Route) -> None:
        asked = parse_qs(urlsplit(route.request.url).query)
        limit, first = int(asked["limit"][0]), int(asked.get("cursor", ["0"])[0])
        assert limit <= _ROWS_AT_MOST
        end = min(rows, first + limit)
        found = [row(rows - number) for number in range(first, end)]
        route.fulfill(json={name: found, "next_cursor": str(end) if end < rows else None, "total": rows})

    return answer


@pytest.mark.parametrize(
    ("screen", "name", "row", "listed", "button"),
    [
        ("alerts", "alerts", _alert, ".inbox-list li", ".more"),
        ("data", "dead_letters", _letter, ".letters > li", ".letters ~ button"),
        ("customer", "notes", _note, ".customer-notes li", ".customer-notes ol ~ button"),
    ],
)
def test_a_list_goes_on_after_what_the_api_answers_at_once(
    windows: Windows,
    stack: Stack,
    screen: str,
    name: str,
    row: Callable[[int], dict[str, Any]],
    listed: str,
    button: str,
) -> None:
    rows = _ROWS_AT_MOST + 130
    address = place(stack, screen)
    page = windows.open("#/retention")
    page.route(f"**/{name.replace('_', '-')}?*", _pages(name, row, rows))
    page.goto(f"{stack.base_url}/{address}")
    more = page.locator(button)
    found = page.locator(listed)
    expect(found.first).to_be_visible()
    shown = found.count()
    while shown < rows:
        more.click()
        expect(found).not_to_have_count(shown)
        shown = found.count()
    expect(found).to_have_count(rows)
    expect(found.last).to_contain_text("No. 1")
    expect(more).to_have_count(0)
