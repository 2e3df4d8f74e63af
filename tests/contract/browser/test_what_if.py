"""What-if sliders: one question at a time, the newest next, and what is shown in the end is the answer to the last."""

from typing import Any

from playwright.sync_api import expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack

# Counts the questions that are under way at once, and keeps what each asked.
_WATCH = """
    window.asked = { most: 0, now: 0, bodies: [] };
    const send = window.fetch;
    window.fetch = async (target, options) => {
        if (!String(target).endsWith("/api/churn/predict")) return send(target, options);
        window.asked.bodies.push(JSON.parse(options.body));
        window.asked.most = Math.max(window.asked.most, ++window.asked.now);
        try { return await send(target, options); } finally { window.asked.now--; }
    };
"""
_SLIDE = """async (slider) => {
    for (let value = 1; value <= 60; value++) {
        slider.value = String(value);
        slider.dispatchEvent(new InputEvent("input", { bubbles: true }));
        await new Promise((done) => setTimeout(done, 4));
    }
}"""

# A function: to evaluate a bare expression, the policy would have to allow that.
_IS_ANSWERED = "() => asked.now === 0 && asked.bodies.at(-1).days_since_last_order === 60"


def test_a_slider_that_moves_asks_one_question_at_a_time_and_the_newest_wins(windows: Windows, stack: Stack) -> None:
    who = stack.get("/api/customers?status=current&sort=value_at_risk&limit=1").json["customers"][0]["customer_id"]
    page = windows.blank()
    page.add_init_script(_WATCH)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('predict')}'")
    page.goto(f"{stack.base_url}/#/customers/{who}")
    page.get_by_role("button", name="What if").click()
    drawer = page.get_by_role("dialog", name="What if")
    expect(drawer.get_by_text("as things are")).to_be_visible()
    drawer.get_by_label("Days since last order").evaluate(_SLIDE)
    page.wait_for_function(_IS_ANSWERED)
    asked: dict[str, Any] = page.evaluate("window.asked")
    assert asked["most"] == 1
    # The one without changes, and fewer than there were steps.
    assert 2 <= len(asked["bodies"]) < 40
    last = stack.post("/api/churn/predict", {"customer_id": who, "days_since_last_order": 60}).json
    change = round(last["what_if"]["change"] * 100)
    sign = "\N{MINUS SIGN}" if change < 0 else "+" if change > 0 else ""
    expect(drawer.locator(".outcome")).to_contain_text(f"{sign}{abs(change)} points")
