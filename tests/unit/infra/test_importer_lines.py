"""What a line is: an order, a part of one, a continuation, or an order's total that is repeated."""

from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.domain.events import parse_event
from churn.domain.timestamps import iso
from infra.tools.importer.faults import DoubtError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def lines(*cells: str, value: str = "amount") -> str:
    return f"customer,order,date,sku,{value}\n" + "".join(f"ann,{cell}\n" for cell in cells)


def figures(file: ReadFile) -> tuple[int, float]:
    return file.figures.orders, round(file.figures.money, 2)


def test_a_total_that_may_be_of_the_line_or_the_order_is_a_doubt_of_few_orders(tmp_path: Path) -> None:
    with pytest.raises(DoubtError) as doubt:
        read(tmp_path, lines("1,2026-01-01,A,10", "1,2026-01-01,B,10", "2,2026-01-02,A,10", value="total"))
    assert all(part in str(doubt.value) for part in ("10.00", "20.00", "--line=total", "--line=item"))


def test_the_amount_of_a_line_is_its_quantity_times_the_price_beside_it(tmp_path: Path) -> None:
    header = "customer,order,date,quantity,price,total\n"
    items = "ann,1,2026-01-01,1,10,10\nann,1,2026-01-01,2,5,10\nbob,2,2026-01-02,3,3.33,10\n"
    file = read(tmp_path, header + items)
    assert (file.line, figures(file)) == ("item", (2, 30))
    assert "'total' is the amount of a line: on each it is 'quantity' times 'price'" in file.said
    discounted = (
        "customer,order,date,quantity,price,discount,total\nann,1,2026-01-01,1,10,1,9\nann,1,2026-01-01,2,5,1,9\n"
    )
    assert figures(read(tmp_path, discounted)) == (1, 18)
    # Where one line says something else, the amounts may be those of orders.
    with pytest.raises(DoubtError):
        read(tmp_path, header + "ann,1,2026-01-01,1,10,16\nann,1,2026-01-01,1,5,16\n")


def test_the_amount_of_an_order_is_the_sum_of_its_quantities_times_their_prices(tmp_path: Path) -> None:
    header = "customer,order,date,quantity,price,total\n"
    items = "ann,1,2026-01-01,1,10,20\nann,1,2026-01-01,2,5,20\nbob,2,2026-01-02,3,3.33,10\n"
    file = read(tmp_path, header + items)
    assert (file.line, figures(file)) == ("total", (2, 30))
    assert "'total' is the amount of an order: it is the sum of 'quantity' times 'price'" in file.said


def test_values_that_differ_add_up(tmp_path: Path) -> None:
    file = read(tmp_path, lines("1,2026-01-01,A,10", "1,2026-01-01,B,5", "2,2026-01-02,A,10"))
    assert (file.line, figures(file)) == ("item", (2, 25))
    assert "values of an order's lines add up" in file.said


def test_a_total_on_each_line_counts_once(tmp_path: Path) -> None:
    file = read(tmp_path, lines("1,2026-01-01,A,15", "1,2026-01-01,B,15", "2,2026-01-02,A,10", value="order_total"))
    assert (file.line, figures(file)) == ("total", (2, 25))


def test_many_orders_whose_lines_are_all_equal_repeat_their_total(tmp_path: Path) -> None:
    cells = [f"{number},2026-01-01,{sku},{number}" for number in range(1, 26) for sku in "AB"]
    file = read(tmp_path, lines(*cells))
    assert (file.line, figures(file)) == ("total", (25, 325))


def test_few_orders_whose_lines_are_equal_are_a_doubt(tmp_path: Path) -> None:
    text = lines("1,2026-01-01,A,10", "1,2026-01-01,B,10")
    with pytest.raises(DoubtError) as doubt:
        read(tmp_path, text)
    assert all(part in str(doubt.value) for part in ("10.00", "20.00", "--line=total", "--line=item"))
    assert figures(read(tmp_path, text, line="total")) == (1, 10)
    assert figures(read(tmp_path, text, line="item")) == (1, 20)


def test_a_line_can_be_said_to_be_an_order(tmp_path: Path) -> None:
    file = read(tmp_path, lines("1,2026-01-01,A,10", "1,2026-01-01,B,5"), line="order")
    assert figures(file) == (1, 5)


def test_a_name_of_totals_does_not_go_against_the_values(tmp_path: Path) -> None:
    file = read(tmp_path, lines("1,2026-01-01,A,10", "1,2026-01-01,B,5", value="total"))
    assert (file.line, figures(file)) == ("item", (1, 15))


def test_a_line_without_a_time_has_that_of_its_own_order_alone(tmp_path: Path) -> None:
    text = "customer,order,date,amount\nann,1,2026-01-05,10\nann,1,,5\nann,2,,20\nann,,,20\n"
    file = read(tmp_path, text)
    assert figures(file) == (1, 15)
    assert [reject.line for reject in file.rejects if "timestamp: is required" in reject.reason] == [4, 5]
    without_numbers = read(tmp_path, "customer,date,amount\nann,2026-01-05,10\nann,,20\n")
    assert (figures(without_numbers), len(without_numbers.rejects)) == ((1, 10), 1)


def test_a_line_of_the_same_number_without_a_customer_goes_on_with_the_order(tmp_path: Path) -> None:
    text = "order,customer,email,date,sku,amount\n1,ann,,2026-01-05,A,10\n1,,,2026-01-05,B,5\n"
    file = read(tmp_path, text + "2,bob,,2026-01-06,A,7\n2,,guest@example.org,2026-01-06,A,9\n3,,,2026-01-07,A,3\n")
    assert figures(file) == (3, 31)
    assert [reject.line for reject in file.rejects] == [6]


def test_a_customer_who_is_called_as_lines_of_totals_are_is_told(tmp_path: Path) -> None:
    text = "customer,date,order,amount\nTOTAL,2026-01-31,,30\nann,2026-01-05,1,10\nbob,2026-01-06,2,20\n"
    assert "WARNING: a customer is called 'TOTAL', as lines of totals are" in read(tmp_path, text).said


def test_what_stands_in_columns_without_a_name_is_of_no_order(tmp_path: Path) -> None:
    text = "customer,date,order,amount,,\nann,2026-01-05,1,10,late,\nbob,2026-01-06,2,20,,call back\n"
    file = read(tmp_path, text)
    assert (figures(file), file.rejects) == ((2, 30), [])
    # A further field than the header's line has is a fault.
    assert len(read(tmp_path, text + "cid,2026-01-06,3,20,,,x\n").rejects) == 1


def test_numbers_that_begin_again_are_told(tmp_path: Path) -> None:
    text = lines("1,2025-01-05,A,10", "2,2025-01-06,A,20", "1,2026-01-05,A,40")
    file = read(tmp_path, text)
    assert figures(file) == (2, 70)
    assert "WARNING: 1 order numbers have lines more than 90 days apart (such as '1')" in file.said
    again = read(tmp_path, text, columns={"order_id": ""})
    assert (figures(again), "apart" in again.said) == ((3, 70), False)
    # What pays an order back may come late.
    assert "apart" not in read(tmp_path, lines("1,2025-01-05,A,10", "1,2026-01-05,A,-4")).said


def test_unit_prices_are_multiplied_and_totals_of_lines_are_not(tmp_path: Path) -> None:
    header = "customer,order,date,quantity,"
    assert figures(read(tmp_path, f"{header}unit price\nann,1,2026-01-01,3,5\nann,1,2026-01-01,1,4\n")) == (1, 19)
    assert figures(read(tmp_path, f"{header}line total\nann,1,2026-01-01,3,15\nann,1,2026-01-01,1,4\n")) == (1, 19)


def test_lines_whose_order_cells_are_empty_continue_the_order_before(tmp_path: Path) -> None:
    text = "customer,order,date,sku,amount\nann,1,2026-01-01,A,10\n,1,,B,5\n,,,C,2\n"
    text += "bob,2,2026-01-02,A,\nbob,2,2026-01-02,A,7\n"
    file = read(tmp_path, text)
    assert figures(file) == (2, 24)
    # Of Bob's first line the value is not known, and that of the second is the order's.
    assert file.rejects == []
    text = "customer,order,date,sku,total\nann,1,2026-01-01,A,10\nann,1,2026-01-01,B,\n,,,C,\nbob,2,2026-01-02,A,7\n"
    file = read(tmp_path, text)
    assert (figures(file), file.tally.continuations, file.rejects) == ((2, 17), 2, [])


def test_a_cancelled_item_leaves_the_others_of_its_order(tmp_path: Path) -> None:
    text = "customer,order,date,sku,amount,status\nann,1,2026-01-01,A,10,shipped\nann,1,2026-01-01,B,5,shipped\n"
    text += "ann,1,2026-01-01,C,7,cancelled\nbob,2,2026-01-01,A,9,cancelled\n"
    file = read(tmp_path, text)
    assert figures(file) == (1, 15)
    assert [event.event_type for event in file.events] == ["order_placed", "order_cancelled"]


def test_one_customer_with_an_odd_share_and_customers_with_one_order_are_told(tmp_path: Path) -> None:
    guests = "customer,email,date,amount\n" + "".join(f"guest,p{n}@x.example,2026-01-01,{n}\n" for n in range(1, 30))
    assert "100%" in read(tmp_path, guests).said
    mixed = guests + "".join(f"c{n},p{n}@x.example,2026-01-01,{n}\n" for n in range(1, 20))
    assert "60% of all orders are of one customer, 'guest'" in read(tmp_path, mixed).said
    single = "user,email,date,amount\n" + "".join(f"{n},p{n % 3}@x.example,2026-01-01,{n}\n" for n in range(1, 30))
    assert "every customer has one order: is 'user' the customer? 'email' names persons" in read(tmp_path, single).said


def test_identifiers_come_out_of_what_spreadsheets_wrap_around_them(tmp_path: Path) -> None:
    cells = ['"=""007"""', "'007", "007", "\ufeff007\u00a0", "=007"]
    text = "customer,date,amount\n" + "".join(f"{cell},2026-01-0{n},1\n" for n, cell in enumerate(cells, 1))
    file = read(tmp_path, text)
    assert {event.customer_id for event in file.events} == {"007"}
    lost = read(tmp_path, "customer,date,amount\n1.23457E+15,2026-01-01,1\nann,2026-01-01,1\n")
    assert ["lost its digits" in reject.reason for reject in lost.rejects] == [True]


def test_a_header_that_is_ambiguous_is_told(tmp_path: Path) -> None:
    file = read(tmp_path, "customer,user_id,date,created,amount\nann,1,2026-01-01,2026-01-02,5\n")
    assert "customer_id is 'customer'; 'user_id' could be it too" in file.said
    assert "timestamp is 'date'; 'created' could be it too" in file.said
    twice = read(tmp_path, "customer,date,amount,amount\nann,2026-01-01,3,30\n")
    assert "order_value is 'amount'; 'amount (2)' could be it too" in twice.said


def test_the_summary_has_months_money_and_reasons(tmp_path: Path) -> None:
    text = "customer,date,amount,currency,status\nann,2026-01-05,10,EUR,paid\nann,2026-02-05,30,EUR,paid\n"
    said = read(tmp_path, text + "bob,2026-02-06,1,EUR,draft\nbob,never,1,EUR,paid\n").said
    for part in (
        "lines read     4",
        "orders         2",
        "2026-01-05 to 2026-02-05",
        "40.00 EUR",
        "never an order: status 'draft'",
    ):
        assert part in said
    assert "1 timestamp: '...' is no known form" in said
    assert "2026-01 ########################################" in said


_CELLS = st.tuples(
    st.sampled_from(["ann", "Zo\u00eb", "Zoe\u0308", "12345", "0x", "C-1"]),
    st.sampled_from(["", "1", "A-2", "No\u0308", "7.0"]),
    st.datetimes(datetime(1971, 1, 2), datetime(2026, 11, 22)).map(lambda at: at.isoformat(sep=" ")),  # noqa: DTZ001
    st.floats(0, 2e12).map(lambda value: f"{value:.2f}"),
    st.sampled_from(["", "5", "0", "SPRING"]),
    st.sampled_from(["", "yes", "2026-10-01"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_CELLS, min_size=1, max_size=6))
def test_events_of_orders_are_those_that_the_check_of_all_events_makes(
    tmp_path: Path, rows: list[tuple[str, ...]]
) -> None:
    text = "customer,order,date,amount,discount,cancelled\n" + "".join(",".join(row) + "\n" for row in rows)
    for event in read(tmp_path, text, line="item").events:
        customer_id, event_id = event.sent_ids or (event.customer_id, event.event_id)
        wire = {"customer_id": customer_id, "event_id": event_id, "event_type": event.event_type}
        checked = parse_event(wire | {"timestamp": iso(event.timestamp), "data": event.data}, now=NOW)
        # The placing of an order that the file cancels is an event with a mark of its own.
        assert (astuple(checked), checked.sent_ids) == (astuple(event), event.sent_ids)


@pytest.mark.parametrize(
    "times", [["0026-01-02", "0026-03-04"], ["2199-01-02", "2199-02-03"], ["1026-01-02", "2199-01-02"]]
)
def test_a_column_of_times_that_no_shop_has_is_one_question(tmp_path: Path, times: list[str]) -> None:
    text = lines(*(f"{number},{time},A,10" for number, time in enumerate(times)))
    with pytest.raises(DoubtError, match="--date-format") as doubt:
        read(tmp_path, text)
    assert repr(times[0]) in str(doubt.value)
    # Beside a good line they are faults of their own lines.
    file = read(tmp_path, text + "ann,9,2026-01-05,A,10\n")
    assert (figures(file), len(file.rejects)) == ((1, 10), 2)
