"""From the list of customers to a what-if, by pointer and by keyboard."""

import re
import uuid
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from churn.entrypoints.http.tokens import sign_in_address
from tests.contract.browser.conftest import PHONE, Windows
from tests.contract.conftest import Stack
from tests.support import eventually

_CURRENT = "#/customers?status=current"
_ADDRESS_NAMES_THE_FIRST_ROW = """() => {
    const row = Number(new URLSearchParams(location.hash.split("?")[1]).get("row"));
    return row > 0 && row === Math.floor(-document.querySelector("tbody").getBoundingClientRect().top / 44);
}"""


def _names(page: Page) -> list[str]:
    expect(page.locator("td.col-name").first).to_be_visible()
    return page.locator("td.col-name").all_inner_texts()


def test_from_the_most_valuable_customer_to_what_would_keep_them(windows: Windows, stack: Stack) -> None:
    page = windows.open(_CURRENT)
    wanted = stack.get("/api/customers?status=current&sort=value_at_risk&limit=5").json["customers"]
    assert _names(page)[:5] == [customer["name"] for customer in wanted]
    page.get_by_role("link", name=wanted[0]["name"]).first.click()
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    expect(page.locator(".signed li")).not_to_have_count(0)

    page.get_by_role("button", name="What if").click()
    drawer = page.get_by_role("dialog", name="What if")
    expect(drawer.get_by_text("as things are")).to_be_visible()
    body = {"customer_id": wanted[0]["customer_id"], "days_since_last_order": 2, "login_frequency": 8}
    answer = stack.post("/api/churn/predict", body).json
    drawer.get_by_label("Days since last order").fill("2")
    drawer.get_by_label("Log-ins").fill("8")
    change = round(answer["what_if"]["change"] * 100)
    sign = "\N{MINUS SIGN}" if change < 0 else "+" if change > 0 else ""
    expect(drawer.locator(".outcome")).to_contain_text(
        f"{sign}{abs(change)} {'point' if abs(change) == 1 else 'points'}"
    )


def test_the_keys_alone_lead_from_the_list_to_a_customer_and_back(windows: Windows) -> None:
    page = windows.open(_CURRENT)
    names = _names(page)
    for key in ("j", "j", "k", "j"):
        page.keyboard.press(key)
    expect(page.locator("tr.current td.col-name")).to_have_text(names[1])
    page.keyboard.press("x")
    expect(page.get_by_role("region", name="Selected customers")).to_contain_text("1 customer selected")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text(names[1])
    page.keyboard.press("Backspace")
    expect(page.locator("td.col-name").first).to_have_text(names[0])
    page.keyboard.press("/")
    page.keyboard.type(names[1])
    expect(page).to_have_url(re.compile("search="))
    expect(page.locator("td.col-name").first).to_have_text(names[1])


def test_filters_stand_in_the_address_and_count_what_the_api_counts(windows: Windows, stack: Stack) -> None:
    page = windows.open(_CURRENT)
    _names(page)
    page.get_by_role("button", name="Filter").click()
    page.get_by_label("Critical").check()
    page.get_by_label("Total spent, at least").fill("100")
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".chip", has_text="critical risk")).to_be_visible()
    expect(page).to_have_url(re.compile("risk_level=critical&min_total_spent=100"))
    listed = "/api/customers?status=current&risk_level=critical&min_total_spent=100&sort=value_at_risk&limit=20"
    wanted = stack.get(listed).json["customers"]
    expect(page.locator("td.col-name").first).to_have_text(wanted[0]["name"])
    names = [customer["name"] for customer in wanted]
    eventually(lambda: _names(page)[:20] == names)
    page.get_by_role("button", name="Without: critical risk").click()
    expect(page).not_to_have_url(re.compile("risk_level"))


def test_what_is_typed_into_a_filter_stays_when_the_page_is_drawn_meanwhile(windows: Windows) -> None:
    page = windows.open(_CURRENT)
    _names(page)
    page.get_by_role("button", name="Filter").click()
    least = page.get_by_label("Total spent, at least")
    least.press_sequentially("100")
    page.evaluate("location.hash += '&sort=total_spent'")
    expect(page.get_by_label("Sorted by")).to_have_value("total_spent")
    expect(least).to_have_value("100")
    page.get_by_role("button", name="Close").click()
    expect(page).to_have_url(re.compile("min_total_spent=100"))
    page.get_by_role("button", name=re.compile("Without: .*100")).click()
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_label("Total spent, at least")).to_have_value("")


def test_filters_are_saved_as_a_segment_that_others_find(windows: Windows, stack: Stack) -> None:
    page = windows.open("#/customers?status=current&risk_level=high,critical&min_total_orders=2")
    names = _names(page)
    name = f"Worth a call {uuid.uuid4().hex[:6]}"
    page.get_by_role("button", name="Save as segment").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"segment=\d+$"))
    [segment] = [one for one in stack.get("/api/segments").json["segments"] if one["name"] == name]
    expect(page).to_have_url(re.compile(f"segment={segment['id']}$"))
    other = windows.open("#/customers?status=current", subject="ben")
    other.get_by_label("Segment").select_option(f"“{name}”")
    expect(other).to_have_url(re.compile(f"segment={segment['id']}$"))
    expect(other.locator("td.col-name").first).to_have_text(names[0])
    assert _names(other)[:20] == names[:20]


def test_a_long_list_has_few_rows_at_a_time_and_keeps_its_place(windows: Windows, stack: Stack) -> None:
    page = windows.open("#/customers")
    total = stack.get("/api/customers?limit=1").json["total"]
    assert total >= 500
    _names(page)
    for _ in range(8):
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(200)
    page.wait_for_function(_ADDRESS_NAMES_THE_FIRST_ROW)
    assert page.locator("tbody tr:not(.space)").count() < 100
    place = page.locator("td.col-name").nth(20).inner_text()
    page.reload()
    expect(page.get_by_role("link", name=place).first).to_be_visible()
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("likely to leave")
    page.go_back()
    expect(page.get_by_role("link", name=place).first).to_be_in_viewport()
    # Another list begins at its beginning, also where the address named a row of the one before.
    page.reload()
    expect(page.get_by_role("link", name=place).first).to_be_visible()
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("button", name="Spent").click()
    first = stack.get("/api/customers?sort=total_spent&limit=1").json["customers"][0]["name"]
    expect(page.locator("td.col-name").first).to_have_text(first)
    expect(page.locator("td.col-name").first).to_be_in_viewport()


def test_whoever_comes_back_to_the_list_sees_what_has_come_meanwhile(windows: Windows, stack: Stack) -> None:
    who = f"BACK-{uuid.uuid4().hex[:8]}"

    def order(number: int, spent: int) -> None:
        stack.publish("order_placed", who, datetime.now(UTC), order_id=f"{who}-{number}", order_value=30)
        eventually(lambda: stack.get(f"/api/customers/{who}").json.get("total_spent") == spent)

    order(1, 30)
    page = windows.open(f"#/customers?search={who}")
    row = page.locator("tbody tr", has_text=who)
    expect(row).to_contain_text("€30")
    expect(page.get_by_text(re.compile(r"^Read (just now|\d+ min ago)$"))).to_be_visible()
    page.get_by_role("link", name="Today").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("likely to leave")
    order(2, 60)
    page.go_back()
    expect(row).to_contain_text("€60")


def test_whoever_may_read_alone_is_offered_no_more(windows: Windows, stack: Stack) -> None:
    customer = stack.get("/api/customers?status=current&limit=1").json["customers"][0]
    page = windows.open(f"#/customers/{customer['customer_id']}", role="read")
    expect(page.get_by_role("heading", name="Why")).to_be_visible()
    expect(page.get_by_role("button", name="What if")).to_have_count(0)


def test_an_address_signs_in_once_in_a_new_tab_and_in_one_that_shows_the_page(windows: Windows, stack: Stack) -> None:
    if not stack.secret:
        pytest.skip("makes a code of its own: JWT_SECRET is not set")
    # A session that ends at once may close a socket that is not open yet.
    windows.expected = ("401", "WebSocket")
    page, again = windows.blank(), windows.blank()
    for name in ("anna", "ben"):
        address = sign_in_address(stack.base_url, stack.secret, name, "act")
        page.goto(address)
        expect(page.get_by_role("button", name=f"Sign out {name}")).to_be_visible()
        expect(page.get_by_role("heading", level=1)).to_contain_text("likely to leave")
        assert page.url == f"{stack.base_url}/#/"
        page.get_by_role("link", name="Data").click()
    page.goto(address)
    expect(page.locator(".toast")).to_contain_text("is used once")
    expect(page.get_by_role("button", name="Sign out ben")).to_be_visible()
    again.goto(address)
    expect(again.get_by_role("status")).to_contain_text("is used once")
    again.goto(sign_in_address(stack.base_url, stack.secret, "carl", "act"))
    expect(again.get_by_role("button", name="Sign out carl")).to_be_visible()


def test_a_token_that_is_no_longer_valid_leads_to_signing_in(windows: Windows) -> None:
    windows.expected = ("401", "403")
    good = windows.stack.token("read")
    page = windows.open(_CURRENT, token=good.rsplit(".", 1)[0] + ".AAAA")
    expect(page.get_by_role("heading", name="Sign in to Churn")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Your session has ended")
    # One that was never good has not ended; one that ran out while the tab was closed has.
    page.get_by_label("Token").fill(good.rsplit(".", 1)[0] + ".AAAA")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("The service does not take this token.")).to_be_visible()
    late = windows.open(_CURRENT, token=windows.stack.token("read", -60))
    expect(late.get_by_text("Your session has ended")).to_be_visible()
    page.get_by_label("Token").fill("nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not a token")
    page.get_by_label("Token").fill(good)
    page.get_by_role("button", name="Sign in").click()
    assert _names(page)


def test_the_number_of_customers_found_is_known_at_once_and_stays(windows: Windows, stack: Stack) -> None:
    query, size = "/api/customers?status=current&min_total_spent=1&limit=100", 0
    cursor: str | None = ""
    while cursor is not None:
        answer = stack.get(query + (cursor and f"&cursor={cursor}")).json
        size, cursor = size + len(answer["customers"]), answer["next_cursor"]
    assert (answer["total"], answer["total_is_lower_bound"]) == (size, False)
    assert size > 100
    page = windows.open(f"{_CURRENT}&min_total_spent=1")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text(f"{size:,} customers match.")
    listed = page.locator("table.customers")
    expect(listed).to_have_attribute("aria-rowcount", str(size))
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_function("document.querySelector('tr.space').getBoundingClientRect().height > 0")
    expect(heading).to_have_text(f"{size:,} customers match.")


def test_the_value_at_risk_is_not_a_part_of_a_smaller_amount(windows: Windows, stack: Stack) -> None:
    listed = stack.get("/api/customers?status=current&sort=value_at_risk&limit=100").json["customers"]
    customer = next(one for one in listed if one["value_at_risk"] > one["expected_spend"])
    page = windows.open(f"#/customers/{customer['customer_id']}")
    figure = page.locator(".figure", has_text="Value at risk")
    expect(figure).to_contain_text("expected, with the risk counted")
    expect(figure).not_to_contain_text("that they would spend")


def test_all_columns_scroll_within_the_card_and_the_names_stay(windows: Windows) -> None:
    page = windows.open(_CURRENT)
    name = page.locator("td.col-name").first
    expect(name).to_be_visible()
    expect(page.locator(".list .wide")).to_have_count(0)
    page.get_by_role("button", name="Columns").click()
    boxes = page.get_by_role("dialog").get_by_role("checkbox")
    expect(boxes.first).to_be_visible()
    for box in boxes.all():
        box.check()
    page.get_by_role("button", name="Close").click()
    expect(page.locator(".list .wide")).to_be_visible()
    before = name.bounding_box()
    scrolled = page.locator(".list .wide").evaluate("(list) => (list.scrollTo(9999, 0), list.scrollLeft)")
    assert scrolled > 100
    assert name.bounding_box() == before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    head = page.get_by_role("columnheader", name="Customer", exact=True)
    page.evaluate("scrollTo(0, 900)")
    page.wait_for_function("scrollY === 900")
    eventually(lambda: round((head.bounding_box() or {"y": -1})["y"]) == 0)


def test_whoever_comes_back_from_a_customer_finds_the_selection(windows: Windows) -> None:
    page = windows.open(_CURRENT)
    names = _names(page)
    for number in (0, 2):
        page.locator("tbody").get_by_role("checkbox").nth(number).check()
    page.get_by_role("link", name=names[1]).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(names[1])
    page.go_back()
    expect(page.get_by_role("region", name="Selected customers")).to_contain_text("2 customers selected")
    expect(page.locator(".standing.live")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Token").fill(windows.stack.token("admin", subject="ben"))
    page.get_by_role("button", name="Sign in").click()
    assert _names(page)
    expect(page.get_by_role("region", name="Selected customers")).to_have_count(0)


def test_on_a_phone_the_columns_that_are_chosen_are_lines_of_the_card(windows: Windows, stack: Stack) -> None:
    customer = stack.get("/api/customers?status=current&sort=value_at_risk&limit=1").json["customers"][0]
    page = windows.open(_CURRENT, **PHONE)
    card = page.locator("tbody tr").first
    expect(card).to_contain_text(customer["name"])
    before = card.bounding_box()
    page.get_by_role("button", name="Columns").click()
    for name in ("Orders", "E-mail"):
        page.get_by_role("dialog").get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Close").click()
    line = card.locator("td.line", has_text=customer["email"])
    expect(line).to_be_visible()
    assert line.evaluate("(line) => getComputedStyle(line, '::before').content") == '"E-mail"'
    expect(card.locator("td.line")).to_have_text([customer["email"], str(customer["total_orders"])])
    after, box = card.bounding_box(), line.bounding_box()
    assert before
    assert after
    assert box
    assert after["height"] == before["height"] + 48
    assert box["y"] + box["height"] <= after["y"] + after["height"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
