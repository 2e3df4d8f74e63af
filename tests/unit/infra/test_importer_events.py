"""What an import of events says of them, and what it refuses."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer.command import main
from tests.support.imports import read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADER = "event_type,customer_id,timestamp,order_value\n"


def test_the_orders_of_a_file_of_events_and_their_money_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "events.csv"
    lines = "order_placed,ann,2026-01-05,10\norder_placed,ann,2026-01-05,25\norder_placed,bob,2026-02-05,\n"
    path.write_text(HEADER + lines + "order_placed,ann,2026-01-05,25\nlogin,ann,2026-03-05,\n")
    said = read_file(path, now=NOW).said
    assert "orders         3\n" in said
    assert "from           2026-01-05 to 2026-03-05\n" in said
    assert "money          35.00; of 1 orders the value is not known\n" in said
    assert "1 events without an id equal another of the file in every column, and count once" in said
    assert main([str(path), "--dry-run"]) == 0
    assert "4 events would be imported (nothing was stored), 1 already there" in capsys.readouterr().out


def test_an_id_that_comes_again_is_no_second_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.csv"
    path.write_text("event_id," + HEADER + "e,order_placed,ann,2026-01-05,10\ne,order_placed,ann,2026-01-06,10\n")
    assert main([str(path), "--dry-run"]) == 0
    assert "1 events would be imported (nothing was stored), 1 already there" in capsys.readouterr().out


def test_a_file_without_a_known_type_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "events.csv"
    path.write_text(HEADER + "purchase,ann,2026-01-05,10\n" * 2 + "zzz,ann,2026-01-05,10\n")
    assert main([str(path), "--dry-run"]) == 1
    told = capsys.readouterr().err
    assert "knows none of the file's types of events: 'purchase' (2; is it order_placed?), 'zzz' (1)" in told
