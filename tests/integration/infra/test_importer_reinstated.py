"""A cancelled order that a later export shows as paid counts again, and a file that is imported again turns nothing."""

from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from tests.support.imports import import_csv
from tests.support.stored import assert_tables_agree, compare_with_histories, rows

_HEADER = "customer,order,date,total,status\n"
_PAID = "ann,1,2026-01-05,10,paid\n"
_CANCELLED = "ann,1,2026-01-05,10,cancelled\n"


def _orders(database: Database) -> int:
    (row,) = rows(database, "SELECT total_orders FROM customers WHERE customer_id = 'ann'")
    return int(row["total_orders"])


def test_paid_cancelled_paid_and_cancelled_again(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Each export has the orders that came meanwhile, as exports do.
    days = {"monday": _PAID, "tuesday": _CANCELLED, "wednesday": _PAID, "thursday": _CANCELLED, "friday": _PAID}
    files = {
        name: _HEADER + line + "".join(f"bob,{other},2026-01-06,5,paid\n" for other in range(number))
        for number, (name, line) in enumerate(days.items(), 2)
    }
    for name, text in files.items():
        assert import_csv(tmp_path, name, text) == 0
        said = capsys.readouterr().out
        assert (name in {"wednesday", "friday"}) == ("1 orders that were cancelled count again" in said)
        assert (name in {"tuesday", "thursday"}) == ("1 were cancelled" in said)
        assert _orders(shop) == (days[name] == _PAID)
        # Whatever was imported to its end changes nothing when it is imported again.
        for earlier, content in files.items():
            assert import_csv(tmp_path, earlier, content) == 0
            assert "0 events imported" in capsys.readouterr().out
            if earlier == name:
                break
        assert _orders(shop) == (days[name] == _PAID)
    assert compare_with_histories(shop) == 2
    assert_tables_agree(shop)


def test_an_order_that_was_first_seen_cancelled_counts_once_it_is_paid(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "before", _HEADER + _CANCELLED) == 0
    assert _orders(shop) == 0
    assert import_csv(tmp_path, "after", _HEADER + _PAID) == 0
    assert _orders(shop) == 1


def test_a_file_that_does_not_tell_what_was_cancelled_brings_nothing_back(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "before", _HEADER + _CANCELLED) == 0
    assert import_csv(tmp_path, "after", "customer,order,date,total\nann,1,2026-01-05,10\n") == 0
    assert _orders(shop) == 0


def test_a_row_that_changed_before_the_cancellation_brings_nothing_back(shop: Database, tmp_path: Path) -> None:
    header = "customer,order,date,total,cancelled_at,updated_at\n"
    cancelled = "ann,1,2026-01-05,10,2026-02-01,2026-02-01\n"
    assert import_csv(tmp_path, "newer", header + cancelled) == 0
    assert import_csv(tmp_path, "older", header + "ann,1,2026-01-05,12,,2026-01-20\n") == 0
    assert _orders(shop) == 0
    assert import_csv(tmp_path, "newest", header + "ann,1,2026-01-05,12,,2026-02-03\n") == 0
    assert _orders(shop) == 1


def test_an_order_and_its_cancellation_in_one_file_stay_cancelled(shop: Database, tmp_path: Path) -> None:
    text = _HEADER.replace("status", "cancelled_at") + "ann,1,2026-01-05,10,2026-01-09\n"
    assert import_csv(tmp_path, "one", text) == 0
    assert import_csv(tmp_path, "two", text + "bob,2,2026-01-06,5,\n") == 0
    assert _orders(shop) == 0


def test_an_import_of_the_release_before_is_known_by_its_name_and_its_lines(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "monday", _HEADER + _PAID) == import_csv(tmp_path, "tuesday", _HEADER + _CANCELLED) == 0
    shop.run(lambda transaction: transaction.execute("UPDATE imports SET digest = NULL"))
    assert import_csv(tmp_path, "monday", _HEADER + _PAID) == 0
    assert _orders(shop) == 0
