"""The dashboard in Chromium: a cold first load, sliders of "what if", a million customers, and an hour of events.

`LOADS=7` is how often it is loaded, `CUSTOMERS=1000000` how many the list has, `MESSAGES=72000` the messages of an hour
at 20 a second, which come faster than that; 0 leaves a part out.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, WebSocketRoute, sync_playwright

from tests.benchmarks.frame import Bench, Row, Spread, one
from tests.contract.conftest import Stack, running_stack

LOADS = int(os.environ.get("LOADS", "7"))
CUSTOMERS = int(os.environ.get("CUSTOMERS", "1000000"))
MESSAGES = int(os.environ.get("MESSAGES", "72000"))
SHOPS = (CUSTOMERS,) if CUSTOMERS else ()
_SHOP = 2000
_SAMPLES = 6
_A_SECOND = 400
_PATIENCE_MS = 60_000
# Goes to the end of the list, and ends when it has become longer.
_DOWN = """new Promise((done) => {
    const root = document.documentElement;
    const before = root.scrollHeight;
    const look = () => root.scrollHeight > before ? done() : setTimeout(look, 5);
    scrollTo(0, before);
    look();
})"""
_CURRENT = "#/customers?status=current"
_SLIDES = 40
# Moves a slider; ends with the milliseconds until the answer to it is drawn.
_SLIDE = """(slider, value) => new Promise((done) => {
    const began = performance.now();
    const outcome = document.querySelector(".outcome");
    const before = outcome.innerHTML;
    const watch = new MutationObserver(() => {
        if (outcome.innerHTML === before) return;
        watch.disconnect();
        // The second frame begins when the first is drawn.
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - began)));
    });
    watch.observe(outcome, { childList: true, subtree: true, characterData: true, attributes: true });
    slider.value = String(value);
    slider.dispatchEvent(new InputEvent("input", { bubbles: true }));
})"""


def measure(bench: Bench) -> Iterator[Row]:
    """Measure each part against a stack of its own."""
    if LOADS or MESSAGES:
        with _stack(SAMPLE_CUSTOMERS=str(_SHOP)) as stack, _chromium() as browser:
            if LOADS:
                yield from _loads(browser, stack, "#/", ".figure", LOADS)
                yield _slide(browser, stack)
                yield _pushed(browser, stack, LOADS)
            for place in ("#/", "#/alerts") if MESSAGES else ():
                yield from _listen(browser, stack, place, MESSAGES // 2)
    if CUSTOMERS:
        with _stack(SAMPLE_CUSTOMERS="0", DATABASE_URL=bench.urls[CUSTOMERS]) as stack, _chromium() as browser:
            yield from _loads(browser, stack, _CURRENT, "td.col-name", max(LOADS, 3), CUSTOMERS)
            yield _scroll(browser, stack)


@contextmanager
def _stack(**environment: str) -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        state.mkdir()
        with running_stack(state, Path(folder) / "buckets", EVENT_RATE="0", **environment) as stack:
            yield stack


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def _page(browser: Browser, stack: Stack) -> Page:
    """Return a page of a window of its own, with an empty cache, signed in."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin', seconds=7200)}'")
    return page


def _load(browser: Browser, stack: Stack, place: str, filled: str) -> tuple[float, float]:
    """Return the milliseconds to the first paint of a screen, and until it shows its figures."""
    page = _page(browser, stack)
    # Told by the page itself: the clock of a test that asks again and again would add its own pauses.
    page.add_init_script(
        f"""new MutationObserver(() => {{
            if (!window.filledAt && document.querySelector("{filled}")) window.filledAt = performance.now();
        }}).observe(document, {{childList: true, subtree: true}});"""
    )
    page.goto(f"{stack.base_url}/{place}")
    page.locator(filled).first.wait_for()
    filled_at: float = page.evaluate("window.filledAt")
    painted: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1")
    page.context.close()
    return painted, filled_at


def _loads(
    browser: Browser, stack: Stack, place: str, filled: str, times: int, size: int | None = None
) -> Iterator[Row]:
    taken = [_load(browser, stack, place, filled) for _ in range(times)]
    for what, each in zip(("first paint", "figures shown"), zip(*taken, strict=True), strict=True):
        yield Row(f"dashboard {place}: {what}", "ms", Spread.of(each), size=size)


def _slide(browser: Browser, stack: Stack) -> Row:
    """Move a slider of "what if" to and fro; return how long each answer took to be drawn."""
    page = _page(browser, stack)
    who = stack.get(f"/api/customers{_CURRENT.partition('customers')[2]}&limit=1").json["customers"][0]["customer_id"]
    page.goto(f"{stack.base_url}/#/customers/{who}")
    page.get_by_role("button", name="What if").click()
    slider = page.get_by_role("dialog").get_by_label("Days since last order")
    took = [slider.evaluate(_SLIDE, 5 + 11 * (number % 9)) for number in range(_SLIDES)]
    page.context.close()
    return Row("“what if”: from the move of a slider until its answer is drawn", "ms", Spread.of(took), at_most=200)


def _pushed(browser: Browser, stack: Stack, times: int) -> Row:
    """Let payments fail; return how long after its alert was raised each stood in an open window."""
    page = _page(browser, stack)
    page.goto(f"{stack.base_url}/#/alerts")
    page.locator(".standing.live").wait_for()
    took = []
    for number in range(times):
        customer = f"PUSHED-{number}"
        stack.publish("payment_failed", customer, datetime.now(UTC), order_id="O-1", failure_reason="card_expired")
        page.locator(".inbox-list li", has_text=customer).wait_for()
        shown = time.time()
        (alert,) = stack.get(f"/api/alerts?customer_id={customer}").json["alerts"]
        took.append(1000 * (shown - datetime.fromisoformat(alert["created_at"]).timestamp()))
    page.context.close()
    return Row("dashboard: from an alert until it shows in an open window", "ms", Spread.of(took), at_most=2000)


def _scroll(browser: Browser, stack: Stack) -> Row:
    """Go down a long list for ten pages; return how long the next rows took to come."""
    page = _page(browser, stack)
    page.goto(f"{stack.base_url}/{_CURRENT}")
    page.locator("td.col-name").first.wait_for()
    took = []
    for _ in range(10):
        began = time.perf_counter()
        page.evaluate(_DOWN)
        took.append(1000 * (time.perf_counter() - began))
    page.context.close()
    return Row("dashboard: ten pages further down the list, each", "ms", Spread.of(took), size=CUSTOMERS)


def _listen(browser: Browser, stack: Stack, place: str, messages: int) -> Iterator[Row]:
    """Let messages come by the socket of the page; yield its heap and its nodes as they come."""
    page = _page(browser, stack)
    sockets: list[WebSocketRoute] = []

    def through(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    page.route_web_socket(lambda url: url.startswith("ws"), through)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{stack.base_url}/{place}")
    page.locator(".standing.live").wait_for()
    template = _alert(stack)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    began, sent, figures = time.monotonic(), 0, []
    for sample in range(_SAMPLES + 1):
        if sample:
            for _ in range(messages // _SAMPLES):
                sent += 1
                sockets[-1].send(_message(template, sent))
                ahead = began + sent / _A_SECOND - time.monotonic()
                if ahead > 0.1:
                    page.wait_for_timeout(1000 * ahead)
        page.wait_for_timeout(2000)
        figures.append(_memory(session))
    page.context.close()
    for number, (heap, nodes) in enumerate(figures):
        told = f"dashboard {place}, after {number * (messages // _SAMPLES):,} messages"
        yield Row(f"{told}: heap", "MB", one(heap / 2**20))
        yield Row(f"{told}: nodes", "nodes", one(nodes))
    yield Row(f"dashboard {place}: requests of the page for {sent:,} messages", "requests", one(len(asked)))


def _memory(session: CDPSession) -> tuple[float, int]:
    """Return the bytes of the heap in use and the number of nodes, after the garbage was collected."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    return metrics["JSHeapUsedSize"], int(metrics["Nodes"])


def _alert(stack: Stack) -> dict[str, Any]:
    """Return an alert of the shop, raised by a failed payment."""
    customer = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    reason = {"failure_reason": "card_expired", "retry_count": 1}
    stack.publish("payment_failed", customer, datetime.now(UTC), order_id="O-1", **reason)
    for _ in range(300):
        alerts: list[dict[str, Any]] = stack.get("/api/alerts?limit=1").json["alerts"]
        if alerts:
            return alerts[0]
        time.sleep(0.1)
    raise RuntimeError("a failed payment has raised no alert")


def _message(template: dict[str, Any], number: int) -> str:
    """Return a message: by turns a new alert, one that was worked on, and two scores."""
    alert = template | {"id": template["id"] + number, "change": template["change"] + number}
    if number % 4 == 0:
        return json.dumps({"event": "churn_alert", "data": alert})
    if number % 4 == 1:
        return json.dumps({"event": "alert_updated", "data": alert})
    score = {"customer_id": template["customer_id"], "churn_probability": number % 100 / 100}
    return json.dumps({"event": "prediction_update", "data": score})
