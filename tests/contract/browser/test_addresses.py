"""Addresses that a person has typed: with a stray character, of no page, or with a value that is none."""

import re

import pytest
from playwright.sync_api import expect

from tests.contract.browser.conftest import Windows, settled, violations


def test_a_percent_sign_in_the_address_leaves_the_page_as_it_is(windows: Windows) -> None:
    windows.expected = ("404",)
    page = windows.open("#/customers/100%")
    expect(page.get_by_role("heading", level=1, name="There is no customer 100%.")).to_be_visible()
    assert violations(page) == []
    page.goto(f"{windows.stack.base_url}/#/alerts?%")
    settled(page)


def test_a_code_that_is_none_leads_to_the_sign_in_page(windows: Windows) -> None:
    windows.expected = ("40",)
    page = windows.blank()
    page.goto(f"{windows.stack.base_url}/#code=%")
    expect(page.get_by_label("Token")).to_be_visible()


def test_an_address_of_no_page_says_so_and_leads_to_today(windows: Windows) -> None:
    page = windows.open("#/nosuch")
    expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()
    expect(page).to_have_title(re.compile("No such page · Churn$"))
    expect(page.locator(".rail [aria-current]")).to_have_count(0)
    assert violations(page) == []
    page.get_by_role("link", name="Go to Today").click()
    settled(page)
    expect(page.locator(".rail [aria-current]")).to_have_text("Today")


@pytest.mark.parametrize("customer_id", [".", ".."])
def test_an_id_that_browsers_read_as_a_folder_is_told(windows: Windows, customer_id: str) -> None:
    page = windows.open(f"#/customers/{customer_id}")
    expect(page.get_by_role("alert")).to_contain_text(f"A browser cannot ask for the id “{customer_id}”.")
    assert violations(page) == []


@pytest.mark.parametrize(
    "query", ["segment=nosegment", "status=bogus", "min_total_spent=abc", "lapsed_since=foo&row=1e9"]
)
def test_a_filter_that_is_none_is_told_once_and_not_asked_again(windows: Windows, query: str) -> None:
    windows.expected = ("400",)
    page = windows.open(f"#/customers?{query}")
    name = query.split("=", maxsplit=1)[0]
    problem = page.locator(".list").get_by_role("alert")
    expect(problem).to_contain_text("We could not get the customers.")
    assert problem.inner_text().count(f"{name}:") == 1
    expect(problem.get_by_role("button")).to_have_count(0)
    expect(page.get_by_text("NaN")).to_have_count(0)
    expect(page.locator("main")).to_have_count(1)
    expect(page.locator(".chip")).to_have_count(0 if name == "segment" else 1)


def test_the_title_of_the_tab_names_the_customer(windows: Windows) -> None:
    customer = windows.stack.get("/api/customers?status=current&limit=1").json["customers"][0]
    page = windows.open(f"#/customers/{customer['customer_id']}")
    expect(page).to_have_title(re.compile(f"{re.escape(customer['name'])} · Churn$"))
    page.get_by_role("link", name="Model", exact=True).click()
    expect(page).to_have_title(re.compile("Model · Churn$"))
