"""Imports in several processes, and imports that were killed, come to the same as one that folds event by event."""

import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from churn.services import hourly_stats
from churn.settings import Settings
from infra.tools.importer import command, storing
from tests.support.killed_import import PHASES
from tests.support.stored import assert_tables_agree, compare_with_histories, kept_and_counted, rows

_LINES = 1600
_CUSTOMERS = 120
# A day ago at noon: what is generated does not depend on the hour of the test.
_TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write orders of several lines, some cancelled, paid back or free; one customer has a third of them."""
    chance = random.Random(1)
    lines = ["customer_id,order_id,timestamp,order_value,discount,status,refunded_total"]
    for number in range(_LINES):
        customer = f"C{chance.randrange(_CUSTOMERS)}" if chance.random() < 0.7 else "C-LARGE"
        at = _TODAY - timedelta(minutes=chance.randrange(24 * 60 * 700))
        value = chance.choice(("0", "12.50", f"{chance.lognormvariate(3, 1):.2f}"))
        refunded = value if chance.random() < 0.05 else ""
        status = chance.choice(("paid", "paid", "paid", "cancelled", "pending"))
        line = f"{customer},{number},{at:%Y-%m-%d %H:%M:%S},{value},{chance.choice(('', '1.00'))},{status},{refunded}"
        lines += [line] * (1 + (chance.random() < 0.1))
    path = tmp_path / "shop.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def _content(database: Database) -> list[object]:
    """Return what is stored of a file whenever it is imported: neither keys nor instants of the clock."""
    events = (
        "SELECT c.customer_id, e.event_id, e.event_type, e.occurred_at, e.data FROM events e "
        "JOIN customers c ON c.id = e.customer_pk ORDER BY 1, 2"
    )
    orders = (
        "SELECT c.customer_id, o.order_id, o.placed_at, o.cents, o.discounted, o.cancelled_at, o.revised_at, "
        "o.reinstated_at, o.cancelled_as_of "
        "FROM orders o JOIN customers c ON c.id = o.customer_pk ORDER BY 1, 2"
    )
    columns = "customer_id, first_seen_at, last_order_at, total_orders, total_spent, order_days"
    queries = (events, orders, f"SELECT {columns} FROM customers ORDER BY 1")
    return [rows(database, query) for query in queries]


def _hours(database: Database) -> list[object]:
    columns = "hour, active_customers, new_customers, churned_customers, left_customers"
    return [*rows(database, f"SELECT {columns} FROM hourly_stats ORDER BY hour")]


def _assert_whole(database: Database) -> None:
    assert compare_with_histories(database) > _CUSTOMERS
    assert_tables_agree(database)
    kept, counted = kept_and_counted(database)
    assert kept == counted
    now = datetime.now(UTC)
    settings = Settings.from_environment({})
    hourly_stats.refresh(database, settings, now)
    stored = _hours(database)
    hourly_stats.rebuild(database, settings, now)
    assert stored == _hours(database)


def test_processes_store_what_a_replay_event_by_event_gives(
    shop: Database, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(storing, "EVENTS_A_TRANSACTION", 200)
    monkeypatch.setattr(command, "processes_for", lambda _: 2)
    assert command.main([str(file)]) == 0
    stored = rows(shop, "SELECT COUNT(*) AS number FROM events")[0]["number"]
    said = capsys.readouterr().out
    assert f"{stored:,} events imported, 0 already there" in said
    assert f"; {_CUSTOMERS + 1} customers;" in said
    _assert_whole(shop)
    content = _content(shop)
    monkeypatch.setattr(command, "processes_for", lambda _: 1)
    assert command.main([str(file)]) == 0
    assert f"0 events imported, {stored:,} already there" in capsys.readouterr().out
    assert _content(shop) == content


def test_a_failure_in_a_process_ends_the_import_with_its_sentence(
    shop: Database, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(storing, "EVENTS_A_TRANSACTION", 200)
    monkeypatch.setattr(command, "processes_for", lambda _: 2)
    shop.run(lambda transaction: transaction.execute("RENAME TABLE orders TO orders_away"))
    try:
        assert command.main([str(file)]) == 1
    finally:
        shop.run(lambda transaction: transaction.execute("RENAME TABLE orders_away TO orders"))
    assert capsys.readouterr().err.startswith("import: Table ")
    assert rows(shop, "SELECT COUNT(*) AS number FROM events") == [{"number": 0}]


def _ended_by(name: str, phase: str, file: Path, temporary: Path) -> subprocess.CompletedProcess[str]:
    """Import a file and end it by a signal; what was read of the shop's file does not stay behind."""
    temporary.mkdir()
    ended = subprocess.run(
        [sys.executable, "-m", "tests.support.killed_import", phase, str(file), name],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=False,
        start_new_session=True,
    )
    assert list(temporary.iterdir()) == []
    return ended


_SENTENCES = {
    "reading": "import: interrupted while the file was read: nothing was stored",
    "storing": "import: interrupted: at least ",
    "hours": "import: interrupted: all events are stored; the same command",
}


@pytest.mark.parametrize(
    ("phase", "name", "code"),
    [("reading", "SIGINT", 130), ("storing", "SIGINT", 130), ("storing", "SIGTERM", 143), ("hours", "SIGINT", 130)],
)
def test_an_import_that_was_interrupted_says_what_is_stored_and_goes_on(
    shop: Database,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    name: str,
    code: int,
) -> None:
    ended = _ended_by(name, phase, file, tmp_path / "temporary")
    assert ended.returncode == code
    [told] = [line for line in ended.stderr.splitlines() if not line.startswith("importing, events: ")]
    assert told.startswith(_SENTENCES[phase])
    part = rows(shop, "SELECT COUNT(*) AS number FROM events")[0]["number"]
    if phase == "storing":
        assert 0 < int(told.split("at least ")[1].split()[0].replace(",", "")) <= part
    monkeypatch.setattr(storing, "EVENTS_A_TRANSACTION", 200)
    assert command.main([str(file)]) == 0
    _assert_whole(shop)


@pytest.mark.parametrize("phase", PHASES)
def test_an_import_that_was_killed_goes_on_and_ends_the_same(
    shop: Database,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    phase: str,
) -> None:
    killed = _ended_by("SIGKILL", phase, file, tmp_path / "temporary")
    assert killed.returncode == -9, killed.stderr
    part = rows(shop, "SELECT COUNT(*) AS number FROM events")[0]["number"]
    monkeypatch.setattr(storing, "EVENTS_A_TRANSACTION", 200)
    assert command.main([str(file)]) == 0
    whole = rows(shop, "SELECT COUNT(*) AS number FROM events")[0]["number"]
    assert (part == 0, part == whole) == (phase == "reading", phase in {"hours", "end"})
    # What is stored are the file's own events and no other.
    capsys.readouterr()
    assert command.main([str(file)]) == 0
    assert f"0 events imported, {whole:,} already there" in capsys.readouterr().out
    _assert_whole(shop)
