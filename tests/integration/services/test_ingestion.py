"""What comes in, over a real database: counts of events, dead letters page by page, imports, and what is missing."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn.adapters.aws_clients import InvocationError
from churn.adapters.mysql import Database, event_counts, imports
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.timestamps import from_millis, hour_of, iso
from churn.services.cursors import InvalidCursorError
from churn.services.ingestion import IngestionReports
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.settings import Retention, Settings
from tests.support.events import event, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})
# Later than the tables were made, as everything before is not counted.
_LATER = datetime.now(UTC).replace(minute=30, second=20, microsecond=0) + timedelta(days=2)


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


@pytest.fixture
def handed_on() -> list[Mapping[str, Any]]:
    return []


@pytest.fixture
def reports(database: Database, handed_on: list[Mapping[str, Any]]) -> IngestionReports:
    return IngestionReports(database, "", handed_on.append)


def _letters(*values: bytes, key: bytes | None = b"k") -> list[DeadLetter]:
    return [DeadLetter("user-events", 0, place, key, value, "why") for place, value in enumerate(values)]


def test_events_are_counted_once_by_minute_hour_and_type(scoring: Scoring, reports: IngestionReports) -> None:
    first = [order(), event("login"), event("made_up_by_the_shop"), event("login", "CUST-002")]
    scoring.apply(first, now=_LATER - timedelta(minutes=2))
    scoring.apply([*first, event("login")], now=_LATER - timedelta(minutes=1))
    scoring.apply([event("login")], now=_LATER - timedelta(hours=1))
    found = reports.overview(_LATER)
    assert [point["events"] for point in found["per_minute"][-3:]] == [0, 4, 1]
    assert (len(found["per_minute"]), len(found["per_hour"])) == (60, 24)
    running = _LATER.replace(second=0)
    assert found["per_minute"][-1]["start"] == iso(running - timedelta(minutes=1))
    # The running hour is not whole yet.
    assert [point["events"] for point in found["per_hour"][-2:]] == [0, 1]
    assert found["per_hour"][-1]["start"] == iso(hour_of(_LATER) - timedelta(hours=1))
    kinds = {kind["event_type"]: kind["last_24_hours"] for kind in found["kinds"]}
    assert {name: number for name, number in kinds.items() if number} == {"order_placed": 1, "login": 4, "other": 1}
    assert (found["waiting"], found["behind_seconds"], found["cause"]) == (None, None, None)


def test_what_was_not_counted_whole_is_left_out(
    scoring: Scoring, reports: IngestionReports, database: Database
) -> None:
    (row,) = rows(database, "SELECT applied_at FROM schema_migrations WHERE name = '0024_ingestion'")
    scoring.apply([event("login")], now=row["applied_at"])
    found = reports.overview(row["applied_at"] + timedelta(minutes=3))
    assert found["counted_since"] == iso(row["applied_at"])
    assert len(found["per_minute"]) == 2
    assert found["per_hour"] == []


def test_an_imported_history_is_no_stream(scoring: Scoring, database: Database) -> None:
    scoring.apply([order(), event("login")], now=_LATER, raise_alerts=False)
    assert rows(database, "SELECT COUNT(*) AS n FROM event_counts") == [{"n": 0}]


def test_a_failed_batch_is_not_counted(database: Database) -> None:
    class Broken(RecencyModel):
        def estimate(self, rows: Sequence[Any]) -> list[Any]:
            raise ValueError(len(rows))

        def predict(self, rows: Sequence[Any]) -> list[Any]:
            raise ValueError(len(rows))

    with pytest.raises(Exception):  # noqa: B017, PT011 (whatever the model's failure becomes)
        Scoring(database, Broken(), _SETTINGS).apply([event("login")], now=_LATER)
    assert rows(database, "SELECT COUNT(*) AS n FROM event_counts") == [{"n": 0}]


def test_features_are_unknown_for_want_of_their_kinds(scoring: Scoring, reports: IngestionReports) -> None:
    before = reports.overview(_LATER)["features"]
    assert {source["known_since"] for source in before} == {None}
    sent = event("email_sent")
    scoring.apply([sent, event("login", days_ago=-30)], now=_LATER - timedelta(days=1))
    after = {source["feature"]: source for source in reports.overview(_LATER)["features"]}
    assert after["email_engagement"] == {
        "feature": "email_engagement",
        "event_types": ["email_sent"],
        "known_since": iso(from_millis(sent.at)),
    }
    # The first log-in lies ahead.
    assert after["login_frequency"]["known_since"] is None


def test_dead_letters_come_newest_first_page_by_page(scoring: Scoring, reports: IngestionReports) -> None:
    for day in range(3):
        letters = [DeadLetter("t", part, day, None, b"%d" % part, "why") for part in range(3)]
        scoring.apply([], now=_LATER - timedelta(days=day), dead=letters)

    def page(limit: int, cursor: str | None = None, *, only_waiting: bool = False) -> Any:
        return reports.dead_letters(limit=limit, cursor=cursor, only_waiting=only_waiting, with_values=True)

    whole = page(500)["dead_letters"]
    assert [(letter["offset"], letter["partition"]) for letter in whole] == [
        (day, part) for day in range(3) for part in (2, 1, 0)
    ]
    for limit in (1, 2, 4):
        seen: list[Any] = []
        cursor = None
        while not seen or cursor:
            found = page(limit, cursor, only_waiting=limit == 2)
            seen += found["dead_letters"]
            cursor = found["next_cursor"]
        assert seen == whole
    with pytest.raises(InvalidCursorError):
        page(1, "WyJkZWFkX2xldHRlcnMiXQ")


def test_contents_are_shown_to_who_may_see_them(scoring: Scoring, reports: IngestionReports) -> None:
    values = (b'{"customer_id": "C-1"}', b"\xff\xfe", "ü".encode() * 1500, b"")
    scoring.apply([], now=_LATER, dead=_letters(*values))

    def read(*, with_values: bool) -> dict[int, Any]:
        page = reports.dead_letters(limit=9, cursor=None, only_waiting=False, with_values=with_values)
        return {letter["offset"]: letter for letter in page["dead_letters"]}

    shown = read(with_values=True)
    assert [(shown[n]["key"], shown[n]["value"], shown[n]["encoding"], shown[n]["bytes"]) for n in range(4)] == [
        ("k", '{"customer_id": "C-1"}', "utf-8", 22),
        ("aw==", "//4=", "base64", 2),
        ("k", "ü" * 1000, "utf-8", 3000),
        ("k", "", "utf-8", 0),
    ]
    assert shown[0]["customer_id"] == "C-1"
    for letter in read(with_values=False).values():
        assert (letter["key"], letter["value"], letter["customer_id"], letter["encoding"]) == (None,) * 4
        assert letter["has_content"]
        assert letter["reason"] == "why"


def test_of_an_erased_customer_the_reason_alone_is_left(scoring: Scoring, reports: IngestionReports) -> None:
    scoring.apply([event("login", "C-1")], now=_LATER, dead=_letters(b'{"customer_id": "C-1"}', key=None))
    assert reports.overview(_LATER)["dead_letters"]["waiting"] == 1
    scoring.apply([event("customer_deleted", "C-1")], now=_LATER)
    (letter,) = reports.dead_letters(limit=9, cursor=None, only_waiting=False, with_values=True)["dead_letters"]
    assert (letter["has_content"], letter["value"], letter["customer_id"], letter["reason"]) == (
        *(False, None, None, "why"),
    )
    assert reports.overview(_LATER)["dead_letters"]["waiting"] == 0


def test_a_redrive_is_handed_on_where_something_waits(
    scoring: Scoring, reports: IngestionReports, handed_on: list[Mapping[str, Any]], database: Database
) -> None:
    assert reports.redrive(_LATER) == {"status": "started", "waiting": 0, "waiting_is_lower_bound": False}
    assert handed_on == []
    scoring.apply([], now=_LATER, dead=_letters(b"1", b"2"))
    assert reports.redrive(_LATER)["waiting"] == 2
    assert handed_on == [{"redrive": None, "whole": True}]

    def away(_payload: Mapping[str, Any]) -> None:
        raise InvocationError("away")

    with pytest.raises(InvocationError):
        IngestionReports(database, "", away).redrive(_LATER)


def test_imports_are_told_while_they_run_and_when_they_have_ended(
    reports: IngestionReports, database: Database
) -> None:
    assert reports.overview(_LATER)["last_import"] is None
    key = database.run(lambda transaction: imports.begin(transaction, "a.csv", "orders", _LATER))
    (running,) = reports.imports(5)["imports"]
    assert (running["lines"], running["rejected"], running["ended_at"], running["events"]) == (None,) * 4
    counts = {"file_lines": 9, "rejected": 2, "events": 5, "repeated": 1, "too_late": 0, "refused": 1, "customers": 3}
    database.run(lambda transaction: imports.end(transaction, key, counts, _LATER))
    database.run(lambda transaction: imports.begin(transaction, "b.csv", "events", _LATER))
    last, ended = reports.imports(5)["imports"]
    assert reports.overview(_LATER)["last_import"] == last
    shown: Any = {**ended, "file_lines": ended["lines"]}
    assert {name: shown[name] for name in imports.COUNTS} == counts
    assert (ended["ended_at"], last["file_name"]) == (iso(_LATER), "b.csv")


def test_old_counts_and_imports_go_at_night(scoring: Scoring, database: Database) -> None:
    scoring.apply([event("login")], now=_LATER)
    database.run(lambda transaction: imports.begin(transaction, "a.csv", "orders", _LATER))

    def kept(days: int) -> tuple[int, int, int]:
        prune(database, Retention(hours=400), now=_LATER + timedelta(days=days), time_left=lambda: True)
        stored = rows(database, "SELECT minutes FROM event_counts")
        lengths = [row["minutes"] for row in stored]
        return lengths.count(1), lengths.count(60), len(rows(database, "SELECT id FROM imports"))

    assert [kept(1), kept(3), kept(402)] == [(1, 1, 1), (0, 1, 1), (0, 0, 0)]


def test_lists_and_counts_are_read_from_an_index(
    scoring: Scoring, reports: IngestionReports, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for minute in range(30):
        now = _LATER - timedelta(minutes=minute)
        scoring.apply([event("login", f"C-{minute % 3}")], now=now, dead=_letters(b"%d" % minute))
    done = "UPDATE dead_letters SET redriven_at = failed_at WHERE MINUTE(failed_at) % 8 > 0"
    database.run(lambda transaction: transaction.execute(done.replace("%", "%%")))
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE event_counts, dead_letters"))
    cursor = reports.dead_letters(limit=2, cursor=None, only_waiting=False, with_values=False)["next_cursor"]
    watched = watch_plans(
        monkeypatch, lambda statement: "event_counts" in statement or "FROM dead_letters" in statement
    )
    for state in (False, True):
        reports.dead_letters(limit=2, cursor=cursor, only_waiting=state, with_values=True)
    reports.overview(_LATER)
    plans = rows_of(watched)
    assert {plan["key"] for plan in plans} == {"dead_letters_by_time", "dead_letters_by_state", "PRIMARY"}
    assert not [plan for plan in plans if plan["type"] == "ALL" or "filesort" in (plan["Extra"] or "")]
    assert not [plan for plan in plans if "temporary" in (plan["Extra"] or "")]
    assert event_counts.OTHER == "other"
