"""The model's screen: its report, its versions, and who may change which one serves."""

import json
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.contract.browser.conftest import NO_MODEL, Windows
from tests.contract.conftest import Stack


def _answers_with(page: Page, path: str, body: dict[str, Any], status: int = 200) -> None:
    page.route(path, lambda route: route.fulfill(status=status, json=body))


def test_the_sentence_and_the_curve_are_those_of_the_version_that_serves(windows: Windows, stack: Stack) -> None:
    current = stack.get("/api/models").json["current"]
    report = stack.get(f"/api/models/{current}/report?format=json").json
    page = windows.open("#/model")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{int(report['forest']['accuracy'] * 100 + 0.5)}%")
    points = page.locator(".card", has_text="Is it right?").locator(".plot .dot")
    expect(points).to_have_count(len(report.get("reliability", [])))
    expect(page.locator(".effects li")).to_have_count(
        sum(effect["importance"] > 0 for effect in report.get("effects", []))
    )
    expect(page.locator(".versions li.shown")).to_contain_text(current)
    page.locator(".versions li.shown summary").click()
    expect(page.locator(".versions li.shown li").first).to_be_visible()


def test_whoever_may_read_alone_is_not_offered_training_or_promotion(windows: Windows) -> None:
    page = windows.open("#/model", role="act")
    expect(page.locator(".versions > li")).not_to_have_count(0)
    for name in ("Train a new version", "Promote", "Roll back"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)


def test_a_refused_promotion_shows_the_words_of_the_gate_and_asks_for_a_reason(windows: Windows, stack: Stack) -> None:
    windows.expected = ("409",)
    models = stack.get("/api/models").json
    older = models["versions"][0] | {"version": "2020-01-01T00-00-00Z-00000000", "role": None}
    page = windows.blank()
    sent: list[dict[str, Any]] = []

    def refuses(route: Route) -> None:
        sent.append(json.loads(route.request.post_data or "{}"))
        words = "On the newest window its ROC AUC is worse."
        if sent[-1].get("force"):
            route.fulfill(json={"current": older["version"], "challenger": None, "change": {}})
        else:
            route.fulfill(status=409, json={"detail": words})

    page.route("**/promote", refuses)
    _answers_with(page, "**/api/models?*", models | {"versions": [*models["versions"], older]})
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin')}'")
    page.goto(f"{stack.base_url}/#/model")
    page.get_by_role("button", name=f"Promote version {older['version']}").click()
    dialog = page.get_by_role("dialog", name="The gate says no")
    expect(dialog).to_contain_text("On the newest window its ROC AUC is worse.")
    action = dialog.get_by_role("button", name="Let it serve all the same")
    expect(action).to_be_disabled()
    dialog.get_by_label("Why, in words").fill("the newest window is a sale")
    action.click()
    expect(page.get_by_text(f"Version {older['version']} serves from now on.")).to_be_visible()
    assert sent == [{}, {"force": True, "reason": "the newest window is a sale"}]


def test_a_shop_without_a_model_and_a_run_that_is_under_way_are_told(windows: Windows, stack: Stack) -> None:
    run = {
        "run_id": "1", "state": "running", "requested_by": "anna", "progress": "growing 100 trees on 400 snapshots",
        "version": None, "promoted": None, "reason": None, "requested_at": "2026-11-26T08:00:00Z",
        "started_at": "2026-11-26T08:00:01Z", "updated_at": "2026-11-26T08:00:02Z", "ended_at": None,
    }  # fmt: skip
    page = windows.blank()
    _answers_with(page, "**/api/models?*", NO_MODEL | {"latest_run": run})
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin')}'")
    page.goto(f"{stack.base_url}/#/model")
    expect(page.get_by_role("heading", level=1)).to_have_text("No model serves yet, so no risk is known.")
    expect(page.get_by_text("Now: growing 100 trees on 400 snapshots.")).to_be_visible()
    expect(page.get_by_role("button", name="Training …")).to_be_disabled()
