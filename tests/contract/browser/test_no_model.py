"""What a shop without a model sees: words, and no zero for what is unknown."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.contract.browser.conftest import NO_MODEL, Windows
from tests.contract.conftest import Stack


def _scoreless(customer: dict[str, Any]) -> dict[str, Any]:
    """Return a customer as a service without a model shows them."""
    unknown = ("churn_probability", "risk_level", "confidence", "value_at_risk", "revenue_at_risk", "risk_percentile")
    others = ("risk_change_7d", "probability_interval", "base_probability", "last_prediction_at", "model_version")
    lists = {"drivers", "recommended_actions", "recommendations"} & customer.keys()
    return {**customer, **dict.fromkeys((*unknown, *others)), **{name: [] for name in lists}}


def _without_model(page: Page) -> None:
    def models(route: Route) -> None:
        route.fulfill(json=NO_MODEL)

    def stats(route: Route) -> None:
        answer = route.fetch()
        none = dict.fromkeys(("low", "medium", "high", "critical"), 0)
        figures = {"high_risk_customers": 0, "revenue_at_risk": 0, "model_accuracy": None, "risk_distribution": none}
        route.fulfill(response=answer, json=answer.json() | figures)

    def customers(route: Route) -> None:
        answer = route.fetch()
        body = answer.json()
        route.fulfill(response=answer, json=body | {"customers": [_scoreless(one) for one in body["customers"]]})

    def customer(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=_scoreless(answer.json()))

    page.route("**/api/models?*", models)
    page.route("**/api/dashboard/stats", stats)
    page.route("**/api/customers?*", customers)
    page.route("**/api/customers/*", customer)


@pytest.mark.parametrize("place", ["#/", "#/customers?status=current", "customer", "#/model"])
def test_without_a_model_no_risk_is_known(windows: Windows, stack: Stack, place: str) -> None:
    who = stack.get("/api/customers?status=current&limit=1").json["customers"][0]["customer_id"]
    page = windows.blank()
    _without_model(page)
    page.add_init_script(f"sessionStorage['churn-token'] ??= '{stack.token('admin')}'")
    page.goto(f"{stack.base_url}/{f'#/customers/{who}' if place == 'customer' else place}")
    main = page.get_by_role("main")
    if place == "#/":
        expect(main.get_by_role("heading", level=1)).to_have_text("No current customer has been scored yet.")
        expect(main.get_by_text("No model serves yet, so no risk is known.")).to_be_visible()
    elif place == "#/model":
        expect(main.get_by_role("heading", level=1)).to_have_text("No model serves yet, so no risk is known.")
        expect(main.get_by_text("No version has been trained.")).to_be_visible()
    else:
        expect(main.get_by_text("not known").first).to_be_visible()
        expect(main.get_by_text("0%", exact=True)).to_have_count(0)
        expect(page.get_by_role("button", name="What if")).to_have_count(0)
