"""A Chromium that looks at the dashboard of the stack that the contract tests share.

Without a Chromium the tests are skipped, unless BROWSER=required, as in CI.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from infra.tools.dashboard import WEB, is_current
from tests.contract.conftest import Stack
from tests.support import eventually

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
# A machine that does other things besides is slow; nothing is waited for that is there.
PATIENCE_MS = 40_000
expect.set_options(timeout=PATIENCE_MS)
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SCREENS = {
    "today": "#/",
    "customers": "#/customers?status=current",
    "customer": "#/customers/{}",
    "alerts": "#/alerts",
    "alert": "#/alerts/{}",
    "retention": "#/retention",
    "model": "#/model",
    "version": "#/model/{}",
    "data": "#/data",
}
"""The addresses of the screens within the page."""
NO_MODEL: dict[str, Any] = {
    "current": None,
    "challenger": None,
    "versions": [],
    "total": 0,
    "history": [],
    "latest_run": None,
}
"""What `GET /api/models` answers while there is no version."""
# Reported by the page itself, before its own scripts run.
_LISTEN = """
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(event.violatedDirective));
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const { value, sources } of list.getEntries())
            window.shifts.push([value, ...sources.map(({ node }) => node?.outerHTML?.slice(0, 90))]);
    }).observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Windows:
    """Opens windows of the dashboard, and keeps what goes wrong in them."""

    stack: Stack
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()
    """What the console may say in this test."""

    def blank(self, **options: Any) -> Page:
        """Open a window of its own in which nobody is signed in."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 860}, **options})
        context.set_default_timeout(PATIENCE_MS)
        self.contexts.append(context)
        page = context.new_page()
        page.add_init_script(_LISTEN)
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.problems.append(f"{error}"))
        return page

    def open(
        self, place: str = "#/", *, role: str = "admin", subject: str = "anna", token: str = "", **options: Any
    ) -> Page:
        """Open a window of its own, signed in, at a place of the page."""
        page = self.blank(**options)
        page.add_init_script(f"sessionStorage['churn-token'] ??= '{token or self.stack.token(role, subject=subject)}'")
        page.goto(f"{self.stack.base_url}/{place}")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(known in message.text for known in self.expected):
            self.problems.append(f"{message.type}: {message.text} {message.location['url']}")

    def check(self) -> None:
        """Fail if a window has reported an error, or its policy has forbidden something."""
        for context in self.contexts:
            for page in context.pages:
                assert page.evaluate("window.violations") == []
        assert self.problems == []


def place(stack: Stack, screen: str) -> str:
    """Return the address of a screen; of the most valuable customer, the newest alert, the version that serves."""
    one = ""
    if screen == "customer":
        customers = stack.get("/api/customers?status=current&sort=value_at_risk&limit=1").json["customers"]
        one = customers[0]["customer_id"]
    if screen == "alert":
        alerts = stack.get("/api/alerts?limit=1&status=new,acknowledged,in_progress,resolved").json["alerts"]
        one = str(alerts[0]["id"]) if alerts else ""
    if screen == "version":
        one = stack.get("/api/models").json["current"]
    return SCREENS[screen].format(one)


def fail_a_payment(stack: Stack) -> str:
    """Publish a failed payment of a new customer; return the customer's id, which the alert's title names."""
    customer_id = f"PAY-{uuid.uuid4().hex[:8]}"
    reason = {"failure_reason": "card_expired", "retry_count": 1}
    stack.publish("payment_failed", customer_id, datetime.now(UTC), order_id=f"O-{customer_id}", **reason)
    return customer_id


def settled(page: Page) -> None:
    """Wait until nothing is waited for."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".waiting")).to_have_count(0)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds in the page as it is."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]} {one['nodes'][0]['failureSummary']}" for one in found]


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return where Chromium is."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found and is_current():
        return found
    reason = "the dashboard is not built: make build" if found else "no Chromium: apt-get install chromium"
    if os.environ.get("BROWSER") == "required":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Yield a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def watched(stack: Stack, browser: Browser) -> Iterator[Windows]:
    """Yield what opens windows; at the end none of them may have reported an error."""
    # Directly after its start a window would report what `/health` says.
    eventually(lambda: stack.get("/health", role=None).status == 200)
    opened = Windows(stack, browser)
    yield opened
    try:
        opened.check()
    finally:
        for context in opened.contexts:
            for page in context.pages:
                # What is still being answered needs no answer any more.
                page.unroute_all(behavior="ignoreErrors")
            context.close()


@pytest.fixture
def windows(browser: Browser, stack: Stack) -> Iterator[Windows]:
    """Yield what opens windows of the shared stack."""
    with watched(stack, browser) as opened:
        yield opened
