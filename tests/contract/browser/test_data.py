"""What comes in, and what could not be applied; and the API reference."""

import json
import re
import uuid

import pytest
from kafka import KafkaProducer
from playwright.sync_api import Route, expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack
from tests.support import eventually


def _publish_what_is_no_event(stack: Stack) -> str:
    """Publish a record that no redrive helps; return the word in its content."""
    word = f"broken-{uuid.uuid4().hex}"
    producer = KafkaProducer(bootstrap_servers=stack.kafka)
    try:
        producer.send("user-events", json.dumps({"customer_id": word, "event_type": 7}).encode()).get(timeout=30)
    finally:
        producer.close()

    def kept() -> list[str]:
        letters = stack.get("/api/dead-letters?limit=20", role="admin").json["dead_letters"]
        return [letter["reason"] for letter in letters if word in (letter["value"] or "")]

    [reason] = eventually(kept)
    assert reason
    return word


def test_a_record_that_is_no_event_shows_with_its_reason_and_its_content_for_admin_alone(
    windows: Windows, stack: Stack
) -> None:
    word = _publish_what_is_no_event(stack)
    newest = stack.get("/api/dead-letters?limit=1").json["dead_letters"][0]
    for role in ("read", "admin"):
        page = windows.open("#/data?letters=all", role=role)
        row = page.locator(".letters > li").first
        expect(row).to_contain_text(newest["reason"])
        expect(page.locator(".letters pre", has_text=word)).to_have_count(1 if role == "admin" else 0)
        expect(page.get_by_role("button", name="again")).to_have_count(1 if role == "admin" else 0)


def test_a_redrive_says_how_many_were_tried_again_and_what_became_of_them(windows: Windows, stack: Stack) -> None:
    _publish_what_is_no_event(stack)
    page = windows.open("#/data")
    with page.expect_response("**/api/dead-letters/redrive") as answer:
        page.get_by_role("button", name="again").click()
    assert answer.value.status == 202
    waiting = answer.value.json()["waiting"]
    became = page.get_by_role("status").filter(has_text="tried again at")
    expect(became).to_contain_text(re.compile(f"^{waiting} records? (was|were) tried again at"))
    expect(became).to_contain_text(f"0 applied so far, {waiting} could not be applied")

    def one_was_applied(route: Route) -> None:
        response = route.fetch()
        ingestion = response.json()
        ingestion["dead_letters"]["waiting"] = waiting - 1
        route.fulfill(response=response, json=ingestion)

    page.route("**/api/ingestion", one_was_applied)
    expect(became).to_contain_text(f"1 applied so far, {waiting - 1} could not be applied")


def test_every_feature_says_since_when_it_is_known_or_what_is_to_be_sent(windows: Windows, stack: Stack) -> None:
    features = stack.get("/api/ingestion").json["features"]
    page = windows.open("#/data")
    expect(page.locator(".features li")).to_have_count(len(features))
    unknown = [feature for feature in features if feature["known_since"] is None]
    expect(page.locator(".features .missing")).to_have_count(len(unknown))
    for feature in unknown:
        expect(page.locator(".features .missing", has_text=feature["event_types"][0])).not_to_have_count(0)


@pytest.mark.parametrize("width", [1100, 1280])
def test_what_is_missing_is_not_printed_over_its_name(windows: Windows, width: int) -> None:
    def is_young(route: Route) -> None:
        response = route.fetch()
        ingestion = response.json()
        for feature in ingestion["features"]:
            feature["known_since"] = None
        route.fulfill(response=response, json=ingestion)

    page = windows.open(viewport={"width": width, "height": 800})
    page.route("**/api/ingestion", is_young)
    page.get_by_role("link", name="Data", exact=True).click()
    rows = page.locator(".features li")
    expect(rows.filter(has_text="Loyalty points")).to_contain_text("not known: send")
    assert (
        rows.evaluate_all(
            """(rows) => rows.filter(({ firstElementChild: name, lastElementChild: words }) => {
            const letters = document.createRange();
            letters.selectNodeContents(name);
            const [one, other] = [letters.getBoundingClientRect(), words.getBoundingClientRect()];
            return one.right > other.left && one.bottom > other.top;
        }).map((row) => row.textContent)"""
        )
        == []
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_api_reference_shows_every_subject_and_asks_this_service_alone(
    windows: Windows, stack: Stack, theme: str
) -> None:
    page = windows.blank(color_scheme=theme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{stack.base_url}/docs")
    expect(page.get_by_text("/api/customers/{customer_id}").first).to_be_visible()
    assert [url for url in asked if not url.startswith((stack.base_url, "data:"))] == []
