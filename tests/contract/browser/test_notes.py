"""Notes about a customer: written by keyboard, seen by others and in the timeline, taken back by who wrote them."""

import uuid
from datetime import UTC, datetime

from playwright.sync_api import expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack
from tests.support import eventually


def _customer(stack: Stack) -> str:
    return str(stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"])


def test_a_note_is_written_seen_by_others_and_taken_back(windows: Windows, stack: Stack) -> None:
    customer_id, text = _customer(stack), f"Moves abroad in spring {uuid.uuid4().hex[:6]}"
    page = windows.open(f"#/customers/{customer_id}")
    notes = page.get_by_role("region", name="Notes")
    expect(notes.get_by_label("What is worth knowing")).to_be_visible()
    page.keyboard.press("n")
    page.keyboard.type(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(notes.locator("li", has_text=text)).to_contain_text("anna")
    expect(page.locator(".timeline li.note", has_text=text)).to_be_visible()
    other = windows.open(f"#/customers/{customer_id}", subject="ben")
    theirs = other.get_by_role("region", name="Notes").locator("li", has_text=text)
    expect(theirs).to_be_visible()
    expect(theirs.get_by_role("button")).to_have_count(0)
    notes.get_by_role("button", name=f"Delete the note: {text}").click()
    expect(notes.locator("li", has_text=text)).to_have_count(0)
    expect(page.locator(".timeline li.note", has_text=text)).to_have_count(0)
    assert text not in str(stack.get(f"/api/customers/{customer_id}/notes").json)
    page.locator(".toast", has_text="Note deleted").get_by_role("button", name="Undo").click()
    expect(notes.locator("li", has_text=text)).to_have_count(1)


def test_a_note_that_is_not_saved_stays_in_the_field(windows: Windows, stack: Stack) -> None:
    windows.expected = ("ERR_FAILED",)
    page = windows.open(f"#/customers/{_customer(stack)}")
    field = page.get_by_label("What is worth knowing")
    field.fill("Asks for a call.")
    page.route("**/notes", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("The note was not saved.")).to_be_visible()
    expect(field).to_have_value("Asks for a call.")


def test_whoever_reads_alone_sees_notes_and_writes_none(windows: Windows, stack: Stack) -> None:
    customer_id = _customer(stack)
    written = stack.post(f"/api/customers/{customer_id}/notes", {"note": "Likes to be called."}).json
    page = windows.open(f"#/customers/{customer_id}", role="predict")
    expect(page.get_by_role("region", name="Notes")).to_contain_text("Likes to be called.")
    expect(page.get_by_label("What is worth knowing")).to_have_count(0)
    assert stack.ask("DELETE", f"/api/customers/{customer_id}/notes/{written['id']}").status == 204


def test_a_note_that_was_begun_is_there_after_a_click_elsewhere_and_a_new_sign_in(
    windows: Windows, stack: Stack
) -> None:
    # Signing out at once may close a socket that is not open yet.
    windows.expected = ("401", "WebSocket")
    payer = f"PAY-{uuid.uuid4().hex[:8]}"
    reason = {"order_id": f"O-{payer}", "failure_reason": "card_expired", "retry_count": 1}
    stack.publish("payment_failed", payer, datetime.now(UTC), **reason)
    alert = eventually(lambda: stack.get(f"/api/alerts?customer_id={payer}").json["alerts"])[0]["id"]
    fields = {
        f"#/customers/{_customer(stack)}": "What is worth knowing",
        f"#/alerts/{alert}": "Note, or why you dismiss it",
    }
    page = windows.open()
    for place, label in fields.items():
        page.goto(f"{stack.base_url}/{place}")
        page.get_by_label(label).fill("Asks for a call.")
        page.get_by_role("link", name="Model").click()
        page.goto(f"{stack.base_url}/{place}")
        expect(page.get_by_label(label)).to_have_value("Asks for a call.")
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"detail": "expired"}))
    # By its address: what the page asks by itself may have ended the session already, and taken the link away.
    page.goto(f"{stack.base_url}/#/retention")
    expect(page.get_by_text("notes that you began are kept")).to_be_visible()
    page.unroute_all(behavior="wait")
    page.get_by_label("Token").fill(stack.token("admin", subject="ben"))
    page.get_by_role("button", name="Sign in").click()
    for kept in ("", "Asks for a call."):
        for place, label in fields.items():
            page.goto(f"{stack.base_url}/{place}")
            expect(page.get_by_label(label)).to_have_value(kept)
        # The window signs anna in again where no token is kept.
        page.evaluate("sessionStorage.removeItem('churn-token')")
        page.reload()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.evaluate("Object.keys(sessionStorage).filter((name) => name.startsWith('churn-draft'))") == []
