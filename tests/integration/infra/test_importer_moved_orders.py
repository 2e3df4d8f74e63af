"""An order that a later file shows under another customer counts for that one, and for nobody else."""

from pathlib import Path

import pytest

from churn.adapters.mysql import Database, orders
from churn.domain.timestamps import to_millis
from infra.tools.importer import command
from tests.support.events import NOW
from tests.support.imports import import_csv
from tests.support.stored import assert_tables_agree, compare_with_histories, rows

_HEADER = "customer,order,date,total,status\n"
_GUEST = "ann@example.org,1001,2026-01-05 10:11:12,10,paid\n"
_ACCOUNT = "17,1001,2026-01-05 10:11:12,10,paid\n"
_OTHER = "bob,1002,2026-01-06 09:00:00,5,paid\n"


def _totals(database: Database) -> dict[str, tuple[int, float]]:
    """Return how many orders each customer who has any has, and what they come to."""
    stored = rows(database, "SELECT customer_id, total_orders, total_spent FROM customers WHERE total_orders > 0")
    return {row["customer_id"]: (int(row["total_orders"]), float(row["total_spent"])) for row in stored}


def test_a_guest_who_gets_an_account_is_counted_once(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _GUEST + _OTHER) == 0
    assert "another customer" not in capsys.readouterr().out
    tuesday = _HEADER + _ACCOUNT + _OTHER + "17,1003,2026-01-06 12:00:00,7,paid\n"
    assert import_csv(tmp_path, "tuesday", tuesday) == 0
    said = capsys.readouterr().out
    assert "1 orders were stored under another customer" in said
    assert "'1001'" in said
    expected = {"17": (2, 17.0), "bob": (1, 5.0)}
    assert _totals(shop) == expected
    # Neither file says anything new when it is imported again, nor does one of before the move that was not imported.
    for name, text in {"monday": _HEADER + _GUEST + _OTHER, "tuesday": tuesday, "old": _HEADER + _GUEST}.items():
        assert import_csv(tmp_path, name, text) == 0
        assert "0 events imported" in capsys.readouterr().out
        assert _totals(shop) == expected
    compare_with_histories(shop)
    assert_tables_agree(shop)


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_move_the_same_orders(
    shop: Database, tmp_path: Path, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "processes_for", lambda _: processes)
    numbers = range(1, 301)
    ends = {
        number: f"{number},2026-01-{1 + number % 28:02}T10:{number % 60:02}:00Z,{number},paid\n" for number in numbers
    }
    before = "".join(f"guest{number},{ends[number]}" for number in numbers)
    after = "".join(f"{1 + number % 40},{ends[number]}" for number in numbers)
    assert import_csv(tmp_path, "before", _HEADER + before) == 0
    assert import_csv(tmp_path, "after", _HEADER + after) == 0
    assert sum(count for count, _ in _totals(shop).values()) == 300
    assert _totals(shop).keys() == {str(number) for number in range(1, 41)}
    compare_with_histories(shop)
    assert_tables_agree(shop)


def test_what_was_cancelled_meanwhile_counts_for_nobody(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _GUEST + _OTHER) == 0
    assert import_csv(tmp_path, "tuesday", _HEADER + _ACCOUNT.replace("paid", "refunded") + _OTHER) == 0
    assert _totals(shop) == {"bob": (1, 5.0)}


def test_another_value_is_told_and_both_count(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _GUEST) == 0
    assert import_csv(tmp_path, "tuesday", _HEADER + _ACCOUNT.replace(",10,", ",12,")) == 0
    assert "WARNING: 1 orders have the number and the time of one that is stored" in capsys.readouterr().out
    assert _totals(shop) == {"ann@example.org": (1, 10.0), "17": (1, 12.0)}


@pytest.mark.parametrize(
    "line",
    ["17,1001,2026-01-05 10:11:13,10,paid\n", "17,1004,2026-01-05 10:11:12,10,paid\n"],
    ids=["another time", "another number"],
)
def test_another_time_or_number_is_another_order(shop: Database, tmp_path: Path, line: str) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _GUEST) == 0
    assert import_csv(tmp_path, "tuesday", _HEADER + line) == 0
    assert _totals(shop) == {"ann@example.org": (1, 10.0), "17": (1, 10.0)}


def test_numbers_of_each_customer_move_nothing(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + "ann,1,2026-01-05,10,paid\n") == 0
    own = "bob,1,2026-01-05,10,paid\ncid,1,2026-01-07,10,paid\ncid,2,2026-01-08,10,paid\n"
    assert import_csv(tmp_path, "tuesday", _HEADER + own) == 0
    assert _totals(shop) == {"ann": (1, 10.0), "bob": (1, 10.0), "cid": (2, 20.0)}
    assert "WARNING" not in capsys.readouterr().out


def test_one_number_under_two_customers_of_one_file_is_told(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_csv(tmp_path, "both", _HEADER + _GUEST + _ACCOUNT + _OTHER) == 0
    assert "WARNING: 1 order numbers stand under several customers" in capsys.readouterr().out
    assert _totals(shop) == {"ann@example.org": (1, 10.0), "17": (1, 10.0), "bob": (1, 5.0)}


def test_an_order_is_found_by_time_and_number_alone(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _GUEST + _OTHER) == 0
    (row,) = rows(shop, "SELECT placed_at FROM orders WHERE order_id = '1001'")
    at = to_millis(row["placed_at"])
    wanted = {(at, "1001"), (at, "1002"), (to_millis(NOW), "1001")}
    found = shop.run(lambda transaction: orders.standing(transaction, wanted))
    assert {key: [one.customer_id for one in standing] for key, standing in found.items()} == {
        (at, "1001"): ["ann@example.org"]
    }
