"""The cohorts as a table, and the figures over time beside the period before."""

import re
from datetime import date

import pytest
from playwright.sync_api import Route, expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack


@pytest.mark.parametrize("by", ["month", "week"])
def test_the_table_shows_the_shares_of_the_api_and_nothing_for_what_has_not_begun(
    windows: Windows, stack: Stack, by: str
) -> None:
    cohorts = stack.get(f"/api/retention?by={by}&cohorts=12").json["cohorts"]
    first = next(number for number, cohort in enumerate(cohorts) if cohort["customers"])
    page = windows.open("#/retention")
    page.get_by_role("navigation", name="Cohorts").get_by_role("link", name=f"{by.capitalize()}s").click()
    expect(page).to_have_url(re.compile(f"by={by}"))
    rows = page.locator(".heat-map tbody tr")
    expect(rows).to_have_count(len(cohorts) - first)
    oldest = cohorts[first]
    name = date.fromisoformat(oldest["first_day"])
    expect(rows.first.get_by_role("rowheader")).to_contain_text(f"{name:%b}")
    known = [age["share"] for age in oldest["ages"] if age["share"] is not None]
    shown = rows.first.locator("td.cell").all_inner_texts()
    assert [int(text.partition("%")[0]) for text in shown] == [int(share * 100 + 0.5) for share in known]
    # Of the newest one nothing but its own month or week has begun.
    expect(rows.last.locator("td.cell")).to_have_count(1)
    expect(rows.last.locator("td.cell.running")).to_have_count(1)


@pytest.mark.parametrize("by", ["month", "week"])
def test_a_cell_and_a_cohort_open_the_customers_that_they_count(windows: Windows, stack: Stack, by: str) -> None:
    cohorts = [one for one in stack.get(f"/api/retention?by={by}&cohorts=12").json["cohorts"] if one["customers"]]
    counted = [(cohorts[1]["customers"], 1), *((age["customers"], age["age"] + 2) for age in cohorts[1]["ages"])]
    wanted = [(number, column) for number, column in counted if number]
    assert len(wanted) >= 3
    for number, column in wanted[:4]:
        page = windows.open(f"#/retention?by={by}")
        cells = page.locator(".heat-map tbody tr").nth(1).locator("th, td")
        cells.nth(column).get_by_role("link").click()
        expect(page).to_have_url(re.compile("customers.first_order_from="))
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(f"^{number:,} customers? match(es)?\\.$"))
        expect(page.locator(".chip", has_text="first order from")).to_be_visible()
        expect(page.locator("td.col-name")).to_have_count(min(number, 100))


def test_a_figure_over_time_says_what_the_period_before_was_and_opens_its_customers(
    windows: Windows, stack: Stack
) -> None:
    trends = stack.get("/api/dashboard/trends?period=90d&granularity=day").json["trends"]
    page = windows.open("#/retention?period=30d")
    card = page.locator(".trend", has_text="New customers")
    now = sum(trend["new_customers"] for trend in trends[-30:])
    before = sum(trend["new_customers"] for trend in trends[-60:-30])
    expect(card.locator(".value")).to_have_text(f"{now:,}")
    expect(card).to_contain_text(f"{before:,} in the period before")
    # No list counts the same: customers who were erased since are in the figure alone.
    expect(card.get_by_role("link")).to_have_count(0)
    # What is measured once an hour says of when it is.
    if trends[-1]["high_risk_customers"] is not None:
        expect(page.locator(".trend", has_text="Likely to leave")).to_contain_text(re.compile(r"at \d\d:00"))
    page.locator(".trend", has_text="Customers who lapsed").get_by_role("link").click()
    expect(page).to_have_url(re.compile(r"customers\?lapsed_since="))


@pytest.mark.parametrize(("again", "said"), [(0, "None of 12 new customers ordered again"), (6, "50% of 12 new")])
def test_the_first_line_says_of_how_many_customers_it_is_the_share(windows: Windows, again: int, said: str) -> None:
    def few(route: Route) -> None:
        response = route.fetch()
        table = response.json()
        for cohort in table["cohorts"]:
            cohort["customers"] = 0
        cohort = table["cohorts"][0]
        cohort["customers"] = 12
        cohort["ages"][1]["customers"], cohort["ages"][1]["share"] = again, again / 12
        route.fulfill(response=response, json=table)

    page = windows.open("#/data")
    page.route("**/api/retention?*", few)
    page.get_by_role("link", name="Retention").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(said)


def test_a_shop_without_orders_and_a_service_that_fails_are_told(windows: Windows) -> None:
    windows.expected = ("503",)
    page = windows.open("#/data")

    def fails(route: Route) -> None:
        route.fulfill(status=503, json={"detail": "The database is not available."})

    def is_empty(route: Route) -> None:
        table = {"by": "month", "cohorts": [], "is_complete": True, "generated_at": "2026-11-26T08:00:00Z"}
        route.fulfill(json=table)

    page.route("**/api/retention?*", fails)
    page.get_by_role("link", name="Retention").click()
    expect(page.get_by_role("alert")).to_contain_text("The database is not available.")
    page.unroute("**/api/retention?*")
    page.route("**/api/retention?*", is_empty)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Nobody ordered first")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text("retention is not known")
