"""That the page says how up to date it is: without a socket, behind, and while the service cannot be reached."""

import re
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.contract.browser.conftest import PATIENCE_MS, Windows, fail_a_payment
from tests.contract.conftest import Stack

_POLL_MS = 10_000


def _open(windows: Windows, place: str) -> Page:
    page = windows.blank()
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('admin', subject='anna')}'")
    page.goto(f"{windows.stack.base_url}/{place}")
    return page


def _without_socket(route: Route) -> None:
    """Answer with the document as `sam local` serves it, which has no WebSocket."""
    answer = route.fetch()
    text = re.sub(r'(<meta name="churn-socket" content=)"[^"]*"', r'\1""', answer.text())
    route.fulfill(response=answer, body=text)


def test_without_a_socket_it_asks_every_ten_seconds_and_says_so(windows: Windows, stack: Stack) -> None:
    page = windows.blank()
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.route(f"{stack.base_url}/", _without_socket)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin', subject='anna')}'")
    page.goto(f"{stack.base_url}/#/alerts")
    expect(page.get_by_role("status").get_by_text("Asks every 10 seconds")).to_be_visible()
    row = page.locator(".inbox-list li", has_text=fail_a_payment(stack))
    expect(row).to_be_visible(timeout=_POLL_MS + PATIENCE_MS)
    assert sockets == []


def test_events_that_wait_are_told_with_how_long(windows: Windows) -> None:
    def is_behind(route: Route) -> None:
        answer = route.fetch()
        health: dict[str, Any] = answer.json()
        health["checks"]["ingestion"]["behind_seconds"] = 600
        route.fulfill(response=answer, json=health)

    page = windows.blank()
    page.route("**/health", is_behind)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{windows.stack.token('read')}'")
    page.goto(f"{windows.stack.base_url}/#/customers?status=current")
    expect(page.get_by_text("the oldest that waits came 10 min ago")).to_be_visible()
    expect(page.locator("td.col-name").first).to_be_visible()


def test_that_the_service_is_away_is_told_once_and_what_could_not_be_had_comes_by_itself(windows: Windows) -> None:
    windows.expected = ("ERR_FAILED",)
    page = _open(windows, "#/alerts")
    expect(page.locator(".standing.live")).to_be_visible()
    row = page.locator(".inbox-list li", has_text=fail_a_payment(windows.stack))
    expect(row).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    row.get_by_role("link").click()
    expect(page.get_by_text("We could not get the alert.")).to_be_visible()
    expect(page.locator(".banner")).to_be_visible()
    expect(page.get_by_text("cannot be reached")).to_have_count(1)
    page.unroute("**/api/**")
    expect(page.get_by_role("article")).to_be_visible(timeout=_POLL_MS + PATIENCE_MS)


def test_errors_of_the_service_are_told_at_once_and_what_stands_grows_old(windows: Windows, stack: Stack) -> None:
    windows.expected = ("503",)
    page = windows.blank()
    page.clock.install()
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin', subject='anna')}'")
    page.goto(f"{stack.base_url}/#/")
    expect(page.locator(".standing.live")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("likely to leave")
    page.route("**/api/**", lambda route: route.fulfill(status=503, json={"detail": "The database is away."}))
    fail_a_payment(stack)
    expect(page.locator(".banner")).to_contain_text("The service does not answer as it should.")
    expect(page.locator(".standing")).to_have_text("Not up to date")
    page.clock.fast_forward(10 * 60_000)
    expect(page.locator(".standings")).to_contain_text(re.compile(r"counted 1\d min ago"))
    page.unroute("**/api/**")
    expect(page.locator(".banner")).to_have_count(0, timeout=_POLL_MS + PATIENCE_MS)
    expect(page.locator(".standing")).to_have_text("Live")


def test_an_alert_of_somebody_else_leaves_a_timeline_as_it_stands(windows: Windows, stack: Stack) -> None:
    customers = stack.get("/api/customers?status=current&sort=total_spent&limit=20").json["customers"]
    who = max(customers, key=lambda customer: int(customer["total_orders"]))["customer_id"]
    page = windows.open(f"#/customers/{who}")
    expect(page.locator(".standing.live")).to_be_visible()
    items = page.locator(".timeline ol li")
    expect(items).to_have_count(30)
    page.get_by_role("button", name="Earlier").click()
    expect(items).not_to_have_count(30)
    before = items.count()
    page.evaluate(
        """() => {
            const list = document.querySelector(".timeline ol");
            window.fewest = list.children.length;
            new MutationObserver(() => (window.fewest = Math.min(window.fewest, list.children.length)))
                .observe(list, { childList: true });
        }"""
    )
    with page.expect_response(f"**/api/customers/{who}/timeline?*"):
        fail_a_payment(stack)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert (items.count(), page.evaluate("window.fewest")) == (before, before)


def test_while_figures_of_before_are_not_known_none_is_said_to_be_missing(windows: Windows, stack: Stack) -> None:
    windows.expected = ("500",)
    page = windows.blank()
    page.route("**/api/dashboard/trends?*", lambda route: route.fulfill(status=500, json={"detail": "It broke."}))
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('read')}'")
    page.goto(f"{stack.base_url}/#/")
    expect(page.locator(".today-figures").get_by_text("the figure of before could not be had")).to_have_count(2)
    expect(page.get_by_text("no figure to compare with")).to_have_count(0)


def test_what_was_known_stays_while_the_service_is_away_and_it_is_found_again_by_itself(windows: Windows) -> None:
    windows.expected = ("ERR_FAILED",)
    page = _open(windows, "#/")
    heading = page.get_by_role("heading", level=1)
    expect(page.locator(".standing.live")).to_be_visible()
    expect(heading).to_contain_text("likely to leave")
    said = heading.inner_text()
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_role("link", name="Data").click()
    expect(page.get_by_role("alert").filter(has_text="The service cannot be reached.").first).to_be_visible()
    page.get_by_role("link", name="Today").click()
    expect(heading).to_have_text(said)
    page.unroute("**/api/**")
    expect(page.locator(".banner")).to_have_count(0, timeout=_POLL_MS + PATIENCE_MS)
