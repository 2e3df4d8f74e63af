"""Segments are renamed, changed and deleted; of two windows the slower one hears of the other, and loses nothing."""

import re
import uuid

import pytest
from playwright.sync_api import Page, expect

from tests.contract.browser.conftest import Windows
from tests.contract.conftest import Stack

_FILTER = {"status": ["new", "active", "at_risk"], "min_total_orders": 2}


@pytest.fixture
def segment(stack: Stack) -> int:
    name = f"Regulars {uuid.uuid4().hex[:6]}"
    return int(stack.post("/api/segments", {"name": name, "filter": _FILTER}).json["id"])


def _opened(windows: Windows, segment: int, **options: str) -> Page:
    page = windows.open(f"#/customers?segment={segment}", **options)
    page.get_by_role("button", name="Change segment").click()
    return page


def test_another_name_and_other_filters_are_saved(windows: Windows, stack: Stack, segment: int) -> None:
    name = f"Called often {uuid.uuid4().hex[:6]}"
    page = _opened(windows, segment)
    dialog = page.get_by_role("dialog", name="Segment")
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("button", name="Save name").click()
    expect(page.locator("select.segments")).to_have_text(re.compile(name))
    page.get_by_role("button", name="Change segment").click()
    dialog.get_by_role("link", name="Change filters").click()
    expect(page).to_have_url(re.compile(rf"min_total_orders=2&editing={segment}\.2"))
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Critical").check()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name=f"Save in “{name}”").click()
    expect(page).to_have_url(re.compile(f"segment={segment}$"))
    filters = "The segment is: New or Active or At risk; critical risk; orders 2 or more"
    expect(page.get_by_text(filters)).to_be_visible()
    stored = stack.get(f"/api/segments/{segment}").json
    assert (stored["name"], stored["filter"]) == (name, {**_FILTER, "risk_level": ["critical"]})


def test_the_slower_of_two_windows_hears_who_was_faster_and_keeps_what_it_wrote(
    windows: Windows, stack: Stack, segment: int
) -> None:
    windows.expected = ("412",)
    mine, theirs = f"Mine {uuid.uuid4().hex[:6]}", f"Theirs {uuid.uuid4().hex[:6]}"
    slow, fast = _opened(windows, segment), _opened(windows, segment, subject="ben")
    for page, name in ((fast, theirs), (slow, mine)):
        page.get_by_role("dialog", name="Segment").get_by_label("Name").fill(name)
        page.get_by_role("button", name="Save name").click()
        if page is fast:
            expect(page.get_by_role("dialog")).to_have_count(0)
    expect(slow.get_by_role("alert")).to_contain_text(f"ben was faster and has changed “{theirs}”.")
    expect(slow.get_by_role("dialog").get_by_label("Name")).to_have_value(mine)
    assert stack.get(f"/api/segments/{segment}").json["name"] == theirs
    slow.get_by_role("button", name="Save name").click()
    expect(slow.get_by_role("dialog")).to_have_count(0)
    assert stack.get(f"/api/segments/{segment}").json["name"] == mine


def test_filters_that_somebody_has_changed_meanwhile_are_not_overwritten_unasked(
    windows: Windows, stack: Stack, segment: int
) -> None:
    windows.expected = ("412",)
    page = _opened(windows, segment)
    page.get_by_role("link", name="Change filters").click()
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_label("Total spent, at least").fill("50")
    page.get_by_role("button", name="Close").click()
    theirs = {"status": ["lapsed"]}
    assert stack.ask("PATCH", f"/api/segments/{segment}", {"filter": theirs}).status == 200
    page.get_by_role("button", name=re.compile("^Save in")).click()
    expect(page.get_by_role("alert")).to_contain_text("contract was faster")
    expect(page.locator(".chip", has_text="spent")).to_be_visible()
    assert stack.get(f"/api/segments/{segment}").json["filter"] == theirs
    page.get_by_role("button", name="Save mine all the same").click()
    expect(page).to_have_url(re.compile(f"segment={segment}$"))
    assert stack.get(f"/api/segments/{segment}").json["filter"] == {**_FILTER, "min_total_spent": 50.0}


def test_a_segment_may_have_the_name_of_none(windows: Windows, stack: Stack) -> None:
    made = stack.post("/api/segments", {"name": "No segment", "filter": _FILTER})
    [number] = [one["id"] for one in stack.get("/api/segments").json["segments"] if one["name"] == "No segment"]
    assert made.status in {201, 409}
    page = windows.open(f"#/customers?segment={number}")
    chosen = "(list) => list.selectedOptions[0].textContent"
    segments = page.get_by_label("Segment", exact=True)
    expect(segments).to_have_value(str(number))
    assert segments.evaluate(chosen) == "“No segment”"
    segments.select_option("No segment")
    expect(page).to_have_url(re.compile("customers.status=current$"))
    assert segments.evaluate(chosen) == "No segment"


def test_a_segment_is_deleted_once_that_was_meant(windows: Windows, stack: Stack, segment: int) -> None:
    page = _opened(windows, segment)
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Keep it").click()
    assert stack.get(f"/api/segments/{segment}").status == 200
    page.get_by_role("button", name="Delete …").click()
    page.get_by_role("button", name="Delete it").click()
    expect(page).to_have_url(re.compile("customers.status=current$"))
    assert stack.get(f"/api/segments/{segment}").status == 404


def test_what_comes_with_the_service_is_not_deleted_and_whoever_reads_alone_changes_nothing(
    windows: Windows, stack: Stack
) -> None:
    built_in = next(one["id"] for one in stack.get("/api/segments").json["segments"] if one["is_built_in"])
    page = _opened(windows, built_in)
    expect(page.get_by_text("cannot be deleted")).to_be_visible()
    expect(page.get_by_role("button", name="Delete …")).to_have_count(0)
    reader = windows.open(f"#/customers?segment={built_in}", role="predict")
    expect(reader.get_by_label("Segment")).to_have_value(str(built_in))
    expect(reader.get_by_role("button", name="Change segment")).to_have_count(0)
