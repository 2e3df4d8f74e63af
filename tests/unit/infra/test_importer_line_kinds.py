"""What a line is where orders have several: versions of one order, items that are taken back, items of one price."""

from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest

from infra.tools.importer.faults import DoubtError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def figures(file: ReadFile) -> tuple[str | None, int, float]:
    return file.line, file.figures.orders, round(file.figures.money, 2)


@pytest.mark.parametrize("amount", ["amount", "order total"])
@pytest.mark.parametrize("places", [*permutations(range(3))])
def test_of_versions_of_an_order_the_one_that_was_changed_last_counts(
    tmp_path: Path, amount: str, places: tuple[int, ...]
) -> None:
    """The order of the lines says nothing: some logs have the newest first."""
    versions = {
        "ann": ["30,pending,2026-01-05", "30,completed,2026-01-06", "30,refunded,2026-01-09"],
        "bob": ["30,completed,2026-01-05", "35,completed,2026-01-07", "20,completed,2026-01-08"],
        "cid": ["40,cancelled,2026-01-06", "40,completed,2026-01-08", "40,processing,2026-01-07"],
    }
    rows = [f"{who[0]},{who},2026-01-05,{own[place]}" for place in places for who, own in versions.items()]
    text = "\n".join([f"order id,customer,date,{amount},status,updated at", *rows, ""])
    with pytest.raises(DoubtError, match=r"--line=item.*versions of their orders.*--line=total"):
        read(tmp_path, text)
    file = read(tmp_path, text, line="total")
    assert figures(file) == ("total", 2, 60)
    assert file.figures.cancelled == 1
    assert "lines are other versions of their orders" in file.said


@pytest.mark.parametrize("places", [*permutations(range(2))])
def test_an_order_whose_newest_version_is_none_is_none(tmp_path: Path, places: tuple[int, ...]) -> None:
    versions = ["1,ann,2026-01-05,30,completed,2026-01-05", "1,ann,2026-01-05,30,pending,2026-01-06"]
    rows = [versions[place] for place in places] + ["2,bob,2026-01-05,20,completed,2026-01-06"]
    rows.append("2,bob,2026-01-05,20,pending,2026-01-05")
    file = read(tmp_path, "\n".join(["order id,customer,date,amount,status,updated at", *rows, ""]))
    assert figures(file) == ("total", 1, 20)


def test_versions_in_the_export_of_a_system_are_versions_too(tmp_path: Path) -> None:
    header = "order_id,order_number,order_date,status,order_total,order_currency,customer_id,billing_email"
    ends = ["processing,100,EUR,5,a@x.de,2026-01-05 10:00:00", "completed,80,EUR,5,a@x.de,2026-01-09 10:00:00"]
    ends.append("processing,90,EUR,5,a@x.de,2026-01-07 10:00:00")
    rows = [f"1,1,2026-01-05 10:00:00,{end}" for end in ends]
    file = read(tmp_path, "\n".join([f"{header},date_modified", *rows, ""]))
    assert ("WooCommerce" in file.said, *figures(file)) == (True, "total", 1, 80)


def test_items_of_an_order_that_were_changed_at_different_times_add_up(tmp_path: Path) -> None:
    rows = "1,ann,2026-01-05,A,30,2026-01-06\n1,ann,2026-01-05,B,35,2026-01-07\n"
    file = read(tmp_path, f"order id,customer,date,sku,amount,updated at\n{rows}")
    assert figures(file) == ("item", 1, 65)


def test_an_item_that_is_taken_back_leaves_the_others_also_where_no_order_has_two_that_count(tmp_path: Path) -> None:
    rows = "1,ann,2026-01-05,A,30,completed\n1,ann,2026-01-05,B,20,refunded\n2,bob,2026-01-05,A,30,refunded\n"
    rows += "2,bob,2026-01-05,B,20,completed\n3,cid,2026-01-05,A,30,cancelled\n3,cid,2026-01-05,B,20,cancelled\n"
    file = read(tmp_path, f"order id,customer,date,sku,amount,status\n{rows}")
    assert figures(file) == ("item", 2, 50)
    assert file.figures.cancelled == 1


def test_lines_of_one_time_some_of_which_are_taken_back_are_a_doubt_where_nothing_names_items(tmp_path: Path) -> None:
    rows = "1,ann,2026-01-05,30,cancelled\n1,ann,2026-01-05,25,completed\n2,bob,2026-01-06,10,completed\n"
    text = f"order id,customer,date,amount,status\n{rows}"
    with pytest.raises(DoubtError, match=r"--line=item.*--line=order"):
        read(tmp_path, text)
    assert figures(read(tmp_path, text, line="item")) == ("item", 2, 35)
    assert figures(read(tmp_path, text, line="order")) == ("order", 1, 10)


@pytest.mark.parametrize(
    ("prices", "money_of_totals"),
    # Everything costs the same, or all tickets of an event do.
    [((10.0,), 600.0), ((15.0, 25.0), 1200.0)],
)
def test_equal_values_show_no_total_where_those_of_items_are_equal_too(
    tmp_path: Path, prices: tuple[float, ...], money_of_totals: float
) -> None:
    rows = [
        f"{order},c{order},2026-01-05,s{line},{prices[order % len(prices)]}"
        for order in range(60, 120)
        for line in range(1 + order % 3)
    ]
    text = "\n".join(["order id,customer,date,sku,amount", *rows, ""])
    with pytest.raises(DoubtError) as doubt:
        read(tmp_path, text)
    assert "--line=total" in str(doubt.value)
    assert figures(read(tmp_path, text, line="total")) == ("total", 60, money_of_totals)


def test_a_refund_in_a_line_of_its_own_is_no_version_of_the_order(tmp_path: Path) -> None:
    rows = ["1,ann,2026-01-05,100,2026-01-05", "1,ann,2026-01-07,-40,2026-01-07", "2,bob,2026-01-06,60,2026-01-06"]
    header = "order id,customer,date,{},updated at"
    kinds: list[tuple[str, dict[str, object]]] = [("amount", {}), ("order total", {}), ("amount", {"line": "total"})]
    for amount, line in kinds:
        for ordered in (rows, rows[::-1]):
            file = read(tmp_path, "\n".join([header.format(amount), *ordered, ""]), **line)
            assert figures(file)[1:] == (2, 120), (amount, line, ordered)


def test_totals_grow_with_the_lines_of_an_order(tmp_path: Path) -> None:
    rows = [
        f"{order},c{order},2026-01-05,s{line},{10 * (1 + order % 3)}"
        for order in range(60, 120)
        for line in range(1 + order % 3)
    ]
    file = read(tmp_path, "\n".join(["order id,customer,date,sku,amount", *rows, ""]))
    assert figures(file) == ("total", 60, 1200)
