"""A log without amounts in a real database, and what a later export with amounts makes of it."""

from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from infra.tools.importer import command

_LOG = "customer_id,timestamp,order_id\n" + "".join(
    f"C-{number % 4},2026-0{1 + number % 8}-1{number % 9} 10:00,A-{number}\n" for number in range(24)
)


def _valued(log: str) -> str:
    header, *lines = log.splitlines()
    return "\n".join([f"{header},order_value", *(f"{line},12.5" for line in lines), ""])


def _spent(database: Database) -> dict[str, tuple[int, float | None]]:
    rows = database.run(
        lambda transaction: transaction.rows("SELECT customer_id, total_orders, total_spent FROM customers")
    )
    return {
        row["customer_id"]: (
            row["total_orders"],
            None if row["total_spent"] is None else float(row["total_spent"]),
        )
        for row in rows
    }


def test_values_come_with_a_later_export_and_stay_when_the_log_is_imported_again(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log, export, renamed = tmp_path / "log.csv", tmp_path / "export.csv", tmp_path / "log-2.csv"
    log.write_text(_LOG)
    assert command.main([str(log)]) == 0
    assert "money          not known" in capsys.readouterr().out
    assert _spent(shop) == {f"C-{number}": (6, None) for number in range(4)}
    export.write_text(_valued(_LOG))
    assert command.main([str(export)]) == 0
    assert _spent(shop) == {f"C-{number}": (6, 75.0) for number in range(4)}
    renamed.write_text(_LOG.replace(" 10:00", " 10:30"))
    assert command.main([str(renamed)]) == 0
    assert _spent(shop) == {f"C-{number}": (6, 75.0) for number in range(4)}


def test_zeros_that_stood_for_unknown_values_make_way(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zeros = tmp_path / "zeros.csv"
    zeros.write_text(_valued(_LOG).replace(",12.5", ",0"))
    assert command.main([str(zeros)]) == 0
    assert "--column=order_value=" in capsys.readouterr().out
    assert _spent(shop) == {f"C-{number}": (0, 0.0) for number in range(4)}
    assert command.main([str(zeros), "--column=order_value="]) == 0
    assert "24 orders that were stored with a value of 0 count now, with an unknown value" in capsys.readouterr().out
    assert _spent(shop) == {f"C-{number}": (6, None) for number in range(4)}
    assert command.main([str(zeros), "--column=order_value="]) == 0
    assert "0 events imported, 24 already there" in capsys.readouterr().out
