"""Lines that take back an order or a part of it, and those of orders that never were any."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.domain.customer import replay
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# An order of two lines that differ: a line is an item.
_ITEMS = "bob,9,2026-01-02,1,,\nbob,9,2026-01-02,2,,\n"


def _read(folder: Path, text: str) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW)


def _of_ann(file: ReadFile) -> tuple[int, float]:
    """Return orders and spend by the features, which say the same as the summary."""
    both = [replay(event for event in file.events if event.customer_id == customer) for customer in ("ann", "bob")]
    assert sum(state.purchases.orders for state in both) == file.figures.orders
    assert sum(state.purchases.cents for state in both) == round(file.figures.money * 100)
    return both[0].purchases.orders, both[0].purchases.cents / 100


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        # A credit note under the order's own number takes off what it says, however late.
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-05,-10,yes,\n", (0, 0)),
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-05,-4,yes,\n", (1, 6)),
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-01,-4,yes,\nann,1,2026-01-06,-5,yes,\n", (1, 1)),
        # So does an item that comes back later; one that was cancelled at once is no part of the order.
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-01,5,no,\nann,1,2026-01-05,5,yes,\n", (1, 10)),
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-05,10,yes,\n", (0, 0)),
        ("ann,1,2026-01-01,10,no,\nann,1,2026-01-01,7,yes,\n", (1, 10)),
        # A quantity below 0 is of what came back, also where the line's total is above.
        ("ann,1,2026-01-01,20,no,2\nann,1,2026-01-03,10,no,-1\n", (1, 10)),
        ("ann,1,2026-01-01,20,no,2\nann,1,2026-01-03,-10,no,-1\n", (1, 10)),
        # Whether it was cancelled may be said in other languages.
        ("ann,1,2026-01-01,20,nein,\nann,2,2026-01-01,20,ja,\nann,3,2026-01-01,20,s\u00ed,\n", (1, 20)),
    ],
)
def test_lines_of_an_order_that_take_it_back(tmp_path: Path, lines: str, expected: tuple[int, float]) -> None:
    file = _read(tmp_path, "customer,order,date,amount,cancelled,quantity\n" + lines + _ITEMS)
    assert _of_ann(file) == expected
    assert file.rejects == []


def test_items_that_were_cancelled_beside_others_are_told(tmp_path: Path) -> None:
    header = "customer,order,date,amount,status\n"
    text = header + "ann,1,2026-01-01,10,shipped\nann,1,2026-01-01,5,shipped\nann,1,2026-01-01,7,cancelled\n"
    file = _read(tmp_path, text)
    assert file.figures.money == 15
    assert "1 orders have lines that were cancelled, and stand with the others" in file.said


def test_a_whole_order_is_taken_back_where_a_line_is_an_order(tmp_path: Path) -> None:
    log = "customer,order,date,amount,status\nann,1,2026-01-01,10,paid\nann,1,2026-01-01,10,cancelled\n"
    file = _read(tmp_path, log + "bob,2,2026-01-01,3,paid\n")
    assert _of_ann(file) == (0, 0)
    assert (file.figures.cancelled, file.figures.cancelled_money) == (1, 10)


def test_where_all_quantities_are_below_0_they_say_nothing(tmp_path: Path) -> None:
    text = "customer,order,date,total,quantity\nann,1,2026-01-01,20,-2\nann,2,2026-01-03,10,-1\n"
    assert _of_ann(_read(tmp_path, text)) == (2, 30)
    rows = [{"customer": "ann", "order": str(n), "date": "2026-01-01", "total": 5 * n, "quantity": -n} for n in (1, 2)]
    assert _of_ann(_read(tmp_path, "\n".join(map(json.dumps, rows)))) == (2, 15)
    rows[0]["quantity"] = 1
    assert _of_ann(_read(tmp_path, "\n".join(map(json.dumps, rows)))) == (1, 5)


@pytest.mark.parametrize(
    "text",
    [
        # Shopify repeats the e-mail and the time of the order on each line.
        (
            "Name,Email,Financial Status,Total,Created at,Lineitem quantity,Lineitem name,Cancelled at\n"
            "#1,ann,paid,35,2026-01-05 10:00:00 +0100,1,Tea,\n#1,ann,,,2026-01-05 10:00:00 +0100,2,Cup,\n"
            "#2,bob,pending,70,2026-01-08 10:00:00 +0100,1,Pot,\n#2,bob,,,2026-01-08 10:00:00 +0100,1,Cup,\n"
        ),
        # eBay leaves all but the number empty.
        (
            '"Order Number","Buyer Username","Quantity","Sold For","Total Price","Sale Date","Order Status"\n'
            '"1","ann","1","35","35","Jan-05-26","Paid"\n"2","bob","2","70","70","Jan-06-26","Unpaid"\n'
            '"2","bob","1","30","","",""\n"2","","1","40","","",""\n'
        ),
    ],
)
def test_further_lines_of_an_order_that_never_was_one_are_none_either(tmp_path: Path, text: str) -> None:
    file = _read(tmp_path, text)
    assert _of_ann(file) == (1, 35)
    assert file.rejects == []
    assert (file.tally.continuations, file.tally.not_counted.total()) == (2, 1)
    assert {event.customer_id for event in file.events} == {"ann"}
    assert file.figures.customers == 1


@pytest.mark.parametrize("last", [",,,30", ",,,30.00", ",,,25"])
def test_the_sum_of_all_below_a_table_is_no_further_line_of_its_last_order(tmp_path: Path, last: str) -> None:
    text = f"customer,order,date,amount\nann,1,2026-01-05,10\nbob,2,2026-01-06,20\n{last}\n"
    file = _read(tmp_path, text)
    is_total = float(last.rpartition(",")[2]) == 30
    assert file.figures.money == (30 if is_total else 55)
    assert file.tally.not_counted == ({"lines of totals": 1} if is_total else {})
    assert ("1 lines with nothing but amounts are no sums" in file.said) != is_total


def test_a_refund_of_the_order_on_each_of_its_lines_counts_once(tmp_path: Path) -> None:
    rows = "ann,1,2026-01-05,A,10,5\nann,1,2026-01-05,B,20,5\nbob,2,2026-01-06,A,10,0\n"
    of_order = _read(tmp_path, f"customer,order,date,sku,line total,order refund amount\n{rows}")
    assert (of_order.figures.money, of_order.figures.refunded_money) == (35, 5)
    of_line = _read(tmp_path, f"customer,order,date,sku,line total,refunded\n{rows}")
    assert (of_line.figures.money, of_line.figures.refunded_money) == (30, 10)
    assert "1 orders have the same amount of 'refunded' on each of their lines" in of_line.said
    # More than was paid cannot come back.
    most = _read(tmp_path, "customer,order,date,sku,line total,refunded\n" + rows.replace(",5\n", ",20\n"))
    assert (most.figures.money, "on each of their lines" in most.said) == (20, False)


def test_sums_of_parts_of_a_table_are_no_further_lines_either(tmp_path: Path) -> None:
    text = "customer,order,date,amount\nann,1,2026-01-05,10\nbob,2,2026-01-06,20\n,,,30\n"
    text += "ann,3,2026-02-05,5\nbob,4,2026-02-06,6\n,,,11\nann,5,2026-03-05,7\n,,,7\n,,,48\n"
    file = _read(tmp_path, text)
    assert (file.figures.orders, file.figures.money, file.rejects) == (5, 48, [])
    assert file.tally.not_counted == {"lines of totals": 4}
    # Beside sums of other columns, numbers of lines and currencies.
    for row in (",,,30,3,EUR,7", ",,,30,,EUR,", ",,,30,3.00,,"):
        text = (
            "customer,order,date,amount,tax,currency,line\nann,1,2026-01-05,10,1,EUR,5\nbob,2,2026-01-06,20,2,EUR,6\n"
        )
        file = _read(tmp_path, f"{text}{row}\ncid,3,2026-01-07,5,1,EUR,8\n")
        assert (file.figures.orders, file.figures.money) == (3, 35), row
    # A further item may be worth as much as the others of its order.
    file = _read(tmp_path, "customer,order,date,amount\nann,1,2026-01-05,5\n,,,5\n,,,10\nbob,2,2026-01-06,20\n")
    assert (file.figures.orders, file.figures.money, file.tally.amounts_alone) == (2, 40, 2)
    # A file without numbers of orders, and lines that say what they are.
    for last in (",,30", "Total,,30", "Gesamt,,\n,,30", "Zwischensumme:,,12"):
        file = _read(tmp_path, f"customer,date,amount\nann,2026-01-05,10\nbob,2026-01-06,20\n{last}\n")
        assert (file.figures.money, file.rejects) == (30, []), last
