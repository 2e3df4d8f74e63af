"""An import into a real database: what comes in, and that it comes in once."""

import csv
import os
from pathlib import Path

import pytest

from churn.adapters.mysql import Database, DatabaseOperationError, imports
from churn.adapters.mysql import events as history
from churn.domain.events import EVENT_TYPES
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools import sample_shop
from infra.tools.importer import command, storing
from infra.tools.stack_environment import use_stack

ORDERS = """CustomerID,Invoice,InvoiceDate,Amount,Cancel
12346.0,1,2026-08-01 10:00:00,10.00,0
12346.0,2,2026-09-01 10:00:00,20.50,0
12346.0,2,2026-09-02 10:00:00,-20.50,1
12347.0,3,2026-09-03 10:00:00,7.00,0
12347.0,4,yesterday,7.00,0
"""


def customers(database: Database) -> dict[str, tuple[int, float, bool]]:
    """Return orders, spend and whether there is a prediction, by customer."""
    rows = database.run(
        lambda transaction: transaction.rows(
            "SELECT customer_id, total_orders, total_spent, churn_probability FROM customers"
        )
    )
    return {
        row["customer_id"]: (row["total_orders"], float(row["total_spent"]), row["churn_probability"] is not None)
        for row in rows
    }


def count(database: Database, table: str) -> int:
    row = database.run(lambda transaction: transaction.row(f"SELECT COUNT(*) AS number FROM {table}"))
    assert row is not None
    return int(row["number"])


def test_importing_twice_changes_nothing(shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    file = folder / "shop.csv"
    file.write_text(ORDERS)

    assert command.main([str(file)]) == 0

    captured = capsys.readouterr()
    assert "{" not in captured.out + captured.err
    shown = captured.out
    assert "5 lines read, 4 events imported, 0 already there, 1 lines rejected; 2 customers" in shown
    assert str(folder / "shop.csv.rejects.csv") in shown
    assert not list(tmp_path.glob("*.rejects.csv"))
    with (folder / "shop.csv.rejects.csv").open(newline="") as rejects:
        [reject] = csv.DictReader(rejects)
    assert (reject["line"], "yesterday" in reject["reason"]) == ("6", True)
    first = customers(shop)
    (told,) = shop.run(lambda transaction: imports.newest(transaction, 5))
    assert (told["file_name"], told["kind"], told["file_lines"], told["rejected"]) == ("shop.csv", "orders", 5, 1)
    assert (told["events"], told["customers"], told["ended_at"] is None) == (4, 2, False)
    assert first == {"12346": (1, 10.0, True), "12347": (1, 7.0, True)}
    assert (count(shop, "alerts"), count(shop, "hourly_stats") > 0) == (0, True)
    predictions = count(shop, "predictions")

    assert command.main([str(file)]) == 0

    assert "0 events imported, 4 already there" in capsys.readouterr().out
    assert customers(shop) == first
    assert (count(shop, "events"), count(shop, "predictions")) == (4, predictions)


def test_a_file_without_a_good_line_fails(shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("customer,when,amount\nann,yesterday,1\n")
    assert command.main([str(file), "--column", "timestamp=when"]) == 1
    assert "1 lines rejected" in capsys.readouterr().out
    assert customers(shop) == {}


@pytest.mark.parametrize(
    ("name", "content"), [("shop.csv", "customer,date,value\n"), ("shop.jsonl", ""), ("a.csv", "x\n\n")]
)
def test_a_file_without_any_line_says_so_and_fails(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    assert command.main([str(tmp_path / name)]) == 1
    assert f"{name} holds no line to import" in capsys.readouterr().err
    assert customers(shop) == {}


def test_nobody_is_warned_about_and_comes_in_once_it_is_allowed(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("customer,date,value\n0,2026-08-01,1\nnull,2026-08-01,1\n-,2026-08-01,1\nann,2026-08-01,1\n")
    assert command.main([str(file)]) == 0
    assert "WARNING: 3 lines were rejected, as their ids stand for no customer" in capsys.readouterr().out
    assert customers(shop).keys() == {"ann"}
    assert command.main([str(file), "--allow-id=-"]) == 0
    monkeypatch.setenv("ALLOWED_CUSTOMER_IDS", "0, x")
    assert command.main([str(file)]) == 0
    assert customers(shop).keys() == {"ann", "-", "0"}


def test_a_failing_database_ends_an_import_with_a_sentence(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DatabaseOperationError("InternalError", 1114, "the table is full")

    (tmp_path / "shop.csv").write_text(ORDERS)
    monkeypatch.setattr(Scoring, "apply", full)
    assert command.main([str(tmp_path / "shop.csv")]) == 1
    assert capsys.readouterr().err == "import: the table is full\n"
    assert customers(shop) == {}


def test_an_import_without_a_database_says_what_to_do(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    assert command.main([str(tmp_path / "shop.csv")]) == 1
    assert "DATABASE_URL is not set" in capsys.readouterr().err
    assert customers(shop) == {}


def test_the_sample_shop_fills_once_and_goes_on_after_an_interruption(
    shop: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a first run that was interrupted after some of its transactions
    whole = Scoring.apply
    calls = iter(range(2))

    def interrupted(*arguments: object, **named: object) -> object:
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return whole(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(storing, "EVENTS_A_TRANSACTION", 500)
    with monkeypatch.context() as patched:
        patched.setattr(Scoring, "apply", interrupted)
        with pytest.raises(KeyboardInterrupt):
            sample_shop.main(["--customers", "40"])
    part = count(shop, "events")
    assert part > 0

    # When it is run again, and once more
    assert sample_shop.main(["--customers", "40"]) == 0
    stored = count(shop, "events")
    assert stored > part
    assert sample_shop.main(["--customers", "40"]) == 0

    # Then the shop is whole, and was filled once
    assert "0 events stored" in capsys.readouterr().out
    assert count(shop, "events") == stored
    assert len(customers(shop)) == 40
    kinds = shop.run(lambda transaction: transaction.rows("SELECT DISTINCT event_type FROM events"))
    assert {row["event_type"] for row in kinds} <= EVENT_TYPES
    assert "login_frequency" in shop.run(history.observed)


def test_what_runs_is_found_by_its_state_folder(shop: Database, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    (folder / "endpoints.json").write_text('{"kafka": "127.0.0.1:9", "database_url": "mysql://other"}')
    settings: Settings = use_stack("KAFKA_BOOTSTRAP_SERVERS")
    assert settings.kafka_bootstrap_servers == "127.0.0.1:9"
    assert settings.database_url == os.environ["DATABASE_URL"] != "mysql://other"
    assert customers(shop) == {}


def test_tuesdays_export_replaces_mondays(shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header = "customer,order,date,total,refunded_amount,status\n"
    monday, tuesday = tmp_path / "monday.csv", tmp_path / "tuesday.csv"
    monday.write_text(
        header + "ann,1,2026-01-05,10,0,paid\nann,2,2026-01-06,20,0,paid\nbob,3,2026-01-07,30,0,paid\n"
        "bob,4,2026-01-08,40,0,pending\n"
    )
    tuesday.write_text(
        header + "ann,1,2026-01-05,10,4,partially refunded\nann,2,2026-01-06,20,0,paid\n"
        "bob,3,2026-01-07,30,0,cancelled\nbob,4,2026-01-08,40,0,paid\n"
    )

    assert command.main([str(monday)]) == 0
    assert "replaced" not in capsys.readouterr().out
    assert customers(shop) == {"ann": (2, 30.0, True), "bob": (1, 30.0, True)}
    assert command.main([str(tuesday)]) == 0
    shown = capsys.readouterr().out
    assert "1 have a smaller value, 0 a larger one (-4.00 in all), 1 were cancelled" in shown
    expected = {"ann": (2, 26.0, True), "bob": (1, 40.0, True)}
    assert customers(shop) == expected

    # Neither changes anything when it is imported again.
    for file in (monday, tuesday, monday):
        assert command.main([str(file)]) == 0
        shown = capsys.readouterr().out
        assert "0 events imported" in shown
        assert "replaced" not in shown
        assert customers(shop) == expected


def test_a_column_of_changes_says_which_export_is_later(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "customer,order,date,total,updated_at\n"
    older, newer = tmp_path / "older.csv", tmp_path / "newer.csv"
    older.write_text(header + "ann,1,2026-01-05,10,2026-01-05\n")
    newer.write_text(header + "ann,1,2026-01-05,6,2026-02-01\n")
    assert command.main([str(newer)]) == command.main([str(older)]) == 0
    assert customers(shop) == {"ann": (1, 6.0, True)}
    said = capsys.readouterr().out
    assert "1 orders stay as they are stored: they were changed later than this file shows them" in said
    assert "replaced" not in said


def test_numbers_that_begin_again_in_a_later_file_are_told(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "customer,order,date,total\n"
    for year, orders in ((2025, "ann,1,{}-01-05,10\nbob,2,{}-03-05,10\n"), (2026, "ann,1,{}-01-05,10\n")):
        file = tmp_path / f"{year}.csv"
        file.write_text(header + orders.replace("{}", str(year)))
        assert command.main([str(file)]) == 0
    said = capsys.readouterr().out
    assert "1 orders were placed at another time than was stored, and count there now" in said
    assert "WARNING: 1 of them more than 90 days before or after (such as '1')" in said
    assert customers(shop) == {"ann": (1, 10.0, True), "bob": (1, 10.0, True)}
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(header + "bob,2,2025-03-06,10\n")
    assert command.main([str(corrected)]) == 0
    said = capsys.readouterr().out
    assert ("1 orders were placed at another time" in said, "90 days" in said) == (True, False)


@pytest.mark.parametrize("status", ["paid", "cancelled"])
def test_an_amount_of_a_trillion_is_stored_and_summed(shop: Database, tmp_path: Path, status: str) -> None:
    file = tmp_path / "dong.csv"
    file.write_text(
        "customer,order,date,amount,status\n"
        + "".join(
            f"ann,{number},2026-01-0{number},1.000.000.000.000 \N{DONG SIGN},{status}\n" for number in range(1, 6)
        )
        + "ann,9,2026-01-09,500.000 \N{DONG SIGN},paid\n"
    )
    assert command.main([str(file)]) == 0
    expected = (6, 5e12 + 500_000, True) if status == "paid" else (1, 500_000, True)
    assert customers(shop) == {"ann": expected}


def test_a_dry_run_needs_no_database_and_leaves_nothing(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / "shop.csv").write_text(ORDERS)
    monkeypatch.delenv("DATABASE_URL")
    assert command.main([str(folder / "shop.csv"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "4 events would be imported (nothing was stored)" in shown
    assert "1 timestamp: '...' is no known form" in shown
    assert [path.name for path in folder.iterdir()] == ["shop.csv"]
    assert customers(shop) == {}


def test_a_doubt_ends_with_2_and_stores_nothing(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.csv"
    file.write_text("customer,date,amount\nann,05/01/2026,1\n")
    assert command.main([str(file)]) == 2
    assert "5 January 2026" in capsys.readouterr().err
    assert customers(shop) == {}


def test_a_clean_run_removes_the_rejects_of_one_before(shop: Database, tmp_path: Path) -> None:
    file, rejects = tmp_path / "shop.csv", tmp_path / "shop.csv.rejects.csv"
    file.write_text(ORDERS)
    assert command.main([str(file)]) == 0
    assert rejects.exists()
    file.write_text(ORDERS.replace("yesterday", "2026-09-04"))
    assert command.main([str(file)]) == 0
    assert not rejects.exists()
    assert customers(shop).keys() == {"12346", "12347"}


def test_a_dry_run_of_events_says_the_numbers_of_the_import(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "events.csv"
    placed = "order_placed,ann,2026-08-05,{}\n"
    file.write_text("event_type,customer_id,timestamp,order_value\n" + "".join(map(placed.format, (10, 25, 25, 1))))
    assert command.main([str(file), "--dry-run"]) == 0
    assert "3 events would be imported (nothing was stored), 1 already there" in capsys.readouterr().out
    assert command.main([str(file)]) == 0
    assert "3 events imported, 1 already there" in capsys.readouterr().out
    assert customers(shop)["ann"][:2] == (3, 36.0)
    assert command.main([str(file)]) == 0
    captured = capsys.readouterr()
    assert "0 events imported, 4 already there" in captured.out
    assert not captured.err


def test_a_later_export_that_comes_again_warns_of_nothing(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.csv"
    for value in ("10", "7", "7"):
        file.write_text(f"customer,order,date,total,status\nann,1,2026-08-01,{value},paid\n")
        assert command.main([str(file)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert "WARNING" not in captured.out
    assert customers(shop)["ann"][:2] == (1, 7.0)


def test_an_event_under_the_id_of_another_is_told(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "events.csv"
    for value in (10, 7):
        file.write_text(
            f"event_id,event_type,customer_id,timestamp,order_value\ne,order_placed,ann,2026-08-05,{value}\n"
        )
        assert command.main([str(file)]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("1 events have the id of an earlier one with another content") == 1
    assert captured.err == ""
    assert customers(shop)["ann"][:2] == (1, 10.0)
