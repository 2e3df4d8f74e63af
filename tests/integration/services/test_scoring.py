"""Events and the clock against a real database: each event once, whatever happens on the way."""

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pymysql
import pytest

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql import events as history
from churn.adapters.mysql.app_user import make_user
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.customer import replay
from churn.domain.events import Event
from churn.domain.features import Features, features_at
from churn.domain.model import Prediction
from churn.entrypoints.kafka import decode, failures, redrive, score_records
from churn.services.batch_result import BatchResult
from churn.services.rescoring import Swept, sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.kafka import batch_of as _batch
from tests.support.kafka import wire as _wire
from tests.support.models import RecencyModel
from tests.support.stored import customer, kept_and_counted, rows

_SETTINGS = Settings.from_environment({})


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _sweep(scoring: Scoring, days: float) -> Swept:
    return sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)


def test_an_order_is_stored_and_scored(database: Database, scoring: Scoring) -> None:
    registered = event("customer_registered", days_ago=100, name="Ann Lee", email="ann@example.com")
    applied = scoring.apply([registered, order(days_ago=70, value=30)], now=NOW)
    row = customer(database)
    assert (applied.events, applied.repeated) == (2, 0)
    assert (row["name"], row["status"], row["risk_level"]) == ("Ann Lee", "at_risk", "high")
    assert row["churn_probability"] == pytest.approx(0.7)
    assert [prediction["risk_level"] for prediction in rows(database, "SELECT * FROM predictions")] == ["high"]
    words = {row["word"] for row in rows(database, "SELECT word FROM customer_words")}
    assert {"ann", "lee", "cust-001"} <= words


def test_a_repeated_event_changes_nothing(database: Database, scoring: Scoring) -> None:
    one = order(value=30)
    scoring.apply([one, one], now=NOW)
    applied = scoring.apply([one], now=NOW)
    assert (applied.events, applied.repeated, applied.predictions) == (0, 1, [])
    assert customer(database)["total_orders"] == 1


def test_any_order_and_any_batches_give_the_same_rows_as_the_history_replayed(
    database: Database, scoring: Scoring
) -> None:
    chance = random.Random(5)
    kinds: list[Callable[[str], Event]] = [
        lambda who: order(who, days_ago=chance.uniform(0, 200), value=chance.randint(1, 100)),
        lambda who: event("payment_failed", who, days_ago=chance.uniform(0, 200)),
        lambda who: event("login", who, days_ago=chance.uniform(0, 60)),
        lambda who: event("profile_updated", who, days_ago=chance.uniform(0, 60), name=f"n{chance.random()}"),
    ]
    events = [chance.choice(kinds)(f"C-{chance.randint(1, 12)}") for _ in range(300)]
    delivered = events + chance.sample(events, 100)
    chance.shuffle(delivered)
    while delivered:
        size = chance.randint(1, 60)
        scoring.apply(delivered[:size], now=NOW)
        delivered = delivered[size:]
    stored = dict(history.histories(database, page=5))
    observed = database.run(history.observed)
    assert sum(len(mine) for mine in stored.values()) == len(events)
    for customer_id, mine in stored.items():
        features = features_at(replay(mine), NOW, observed)
        row = customer(database, customer_id)
        assert row["total_orders"] == features["total_orders"]
        assert float(row["total_spent"]) == features["total_spent"]
        assert {one.event_id for one in mine} == {one.event_id for one in events if one.customer_id == customer_id}
    kept, anew = kept_and_counted(database)
    assert kept == anew


def test_writers_at_once_count_each_event_once(mysql_url: str, database: Database) -> None:
    chance = random.Random(6)
    events = [order(f"C-{chance.randint(1, 20)}", days_ago=chance.uniform(0, 100)) for _ in range(400)]
    batches = [chance.sample(events, 100) for _ in range(4)]
    rest = [batch + events[number * 100 : number * 100 + 100] for number, batch in enumerate(batches)]

    def write(mine: list[Event]) -> None:
        own = Scoring(Database(mysql_url), RecencyModel(), _SETTINGS)
        for start in range(0, len(mine), 25):
            own.apply(mine[start : start + 25], now=NOW)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, rest))
    (row,) = rows(database, "SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS ids FROM events")
    assert (row["n"], row["ids"]) == (400, 400)
    (row,) = rows(database, "SELECT SUM(total_orders) AS orders FROM customers")
    assert row["orders"] == 400
    kept, anew = kept_and_counted(database)
    assert kept == anew


def test_silence_is_noticed_by_the_sweep(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=0)], now=NOW)
    assert _sweep(scoring, 1.5).scored == 1
    assert _sweep(scoring, 1.6).scored == 0
    swept = _sweep(scoring, 60)
    assert (swept.scored, swept.alerts, swept.resume_after) == (1, 1, None)
    row = customer(database)
    assert row["churn_probability"] == pytest.approx(0.6)
    # The sweep's clock was 60 days ahead: what lies up to it counts.
    scoring.apply([replace(event("payment_failed"), timestamp=NOW + timedelta(days=60))], now=NOW)
    assert customer(database)["churn_probability"] == pytest.approx(0.7, abs=0.01)
    types = [row["alert_type"] for row in rows(database, "SELECT alert_type FROM alerts ORDER BY id")]
    assert types == ["churn_risk", "payment_failure"]
    kept, anew = kept_and_counted(database)
    assert kept == anew


def test_who_has_left_is_reported_as_lapsed_and_not_alerted_on(database: Database, scoring: Scoring) -> None:
    scoring.apply([order(days_ago=300)], now=NOW)
    assert _sweep(scoring, 30).alerts == 0
    assert customer(database)["status"] == "lapsed"


def test_at_most_one_open_alert_of_a_kind(database: Database, scoring: Scoring) -> None:
    first = scoring.apply([event("payment_failed"), event("payment_failed")], now=NOW)
    second = scoring.apply([event("payment_failed"), event("refund_requested")], now=NOW)
    assert (len(first.alert_ids), len(second.alert_ids)) == (1, 1)
    (row,) = rows(database, "SELECT COUNT(*) AS n FROM alerts WHERE alert_type = 'payment_failure'")
    assert row["n"] == 1


def test_alert_ids_rise_without_gaps(scoring: Scoring) -> None:
    events = [event("payment_failed", f"C-{number}") for number in range(5)]
    ids = [number for one in events for number in scoring.apply([one], now=NOW).alert_ids]
    assert ids == [1, 2, 3, 4, 5]


def test_a_history_that_is_brought_in_raises_no_alert_and_none_later_for_the_same_risk(scoring: Scoring) -> None:
    events = [order(days_ago=85), event("payment_failed", days_ago=1)]
    assert scoring.apply(events, now=NOW, raise_alerts=False).alert_ids == []
    assert _sweep(scoring, 2).alerts == 0


def test_a_deleted_customer_leaves_nothing_behind(database: Database, scoring: Scoring) -> None:
    scoring.apply([event("customer_registered", name="Ann Lee"), order(), event("payment_failed")], now=NOW)
    scoring.apply([event("customer_deleted")], now=NOW)
    scoring.apply([event("profile_updated", name="Ann Lee")], now=NOW)
    for table in ("events", "predictions", "alerts", "customer_words"):
        assert rows(database, f"SELECT * FROM {table}") == []
    (row,) = rows(database, "SELECT * FROM customers")
    assert (row["deleted"], row["name"]) == (1, None)
    kept, anew = kept_and_counted(database)
    assert kept == anew == Counter()


class _Challenger(RecencyModel):
    """Answers with what a test says, or raises it."""

    version = "challenger-1"

    def __init__(self, answer: float | Exception) -> None:
        super().__init__()
        self.answer = answer

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return [self.answer] * len(rows)


def test_the_challengers_answers_are_stored_beside_those_that_serve(database: Database) -> None:
    scoring = Scoring(database, RecencyModel(), _SETTINGS, lambda: _Challenger(0.25))
    scoring.apply([order("C-1"), order("C-2", days_ago=70)], now=NOW)
    _sweep(scoring, 30)
    served = rows(database, "SELECT customer_pk, created_at FROM predictions ORDER BY id")
    shadows = rows(database, "SELECT * FROM shadow_predictions ORDER BY id")
    assert len(served) == 4
    assert [(row["customer_pk"], row["created_at"]) for row in shadows] == [
        (row["customer_pk"], row["created_at"]) for row in served
    ]
    assert {(row["model_version"], row["churn_probability"]) for row in shadows} == {("challenger-1", 0.25)}
    assert customer(database, "C-1")["churn_probability"] == pytest.approx(0.3)
    scoring.apply([event("customer_deleted", "C-1")], now=NOW)
    left = rows(
        database, "SELECT c.customer_id FROM shadow_predictions AS s JOIN customers AS c ON c.id = s.customer_pk"
    )
    assert {row["customer_id"] for row in left} == {"C-2"}


@pytest.mark.parametrize("answer", [RuntimeError("broken"), math.nan, 1.5])
def test_a_broken_challenger_disturbs_nothing(
    database: Database, answer: float | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    scoring = Scoring(database, RecencyModel(), _SETTINGS, lambda: _Challenger(answer))
    applied = scoring.apply([order(days_ago=70)], now=NOW)
    assert (applied.events, len(applied.predictions)) == (1, 1)
    assert customer(database)["risk_level"] == "high"
    assert rows(database, "SELECT * FROM shadow_predictions") == []
    assert '"ChallengerFailures"' in capsys.readouterr().out


def test_an_event_of_tomorrows_type_is_kept_and_counted(database: Database, scoring: Scoring) -> None:
    applied = scoring.apply([event("a_type_of_tomorrow", colour="green")], now=NOW)
    assert (applied.events, applied.unknown_types) == (1, 1)
    (row,) = rows(database, "SELECT data FROM events")
    assert json.loads(row["data"]) == {"colour": "green"}


def test_bad_records_become_dead_letters_and_hold_nothing_up(database: Database, scoring: Scoring) -> None:
    source = _batch(b"no json", _wire(order()), _wire(order(), timestamp="never"), None, b"\xff")
    for _ in range(2):
        _, failed = score_records(decode(source, NOW), scoring, NOW)
        assert failures(failed) == {"batchItemFailures": []}
    letters = rows(database, "SELECT * FROM dead_letters ORDER BY record_offset")
    # Offset 3 is a tombstone.
    assert [(letter["topic"], letter["partition_id"], letter["record_offset"]) for letter in letters] == [
        ("user-events", 0, offset) for offset in (0, 2, 4)
    ]
    assert "timestamp" in letters[1]["reason"]
    assert letters[0]["record_value"] == b"no json"
    assert customer(database)["total_orders"] == 1


@pytest.fixture
def refusing(database: Database) -> Iterator[None]:
    """Let the database refuse one name."""
    constraint = "ALTER TABLE customers ADD CONSTRAINT no_poison CHECK (name IS NULL OR name <> 'poison')"
    database.run(lambda transaction: transaction.execute(constraint))
    yield
    database.run(lambda transaction: transaction.execute("ALTER TABLE customers DROP CONSTRAINT no_poison"))


@pytest.mark.usefixtures("refusing")
def test_a_record_that_the_database_refuses_is_found_and_put_aside(database: Database, scoring: Scoring) -> None:
    poison = _wire(event("profile_updated", "CUST-002", name="poison"))
    source = _batch(_wire(order()), poison, _wire(order()))
    done, failed = score_records(decode(source, NOW), scoring, NOW)
    assert failed == []
    assert sum(applied.events for applied in done) == 2
    (letter,) = rows(database, "SELECT record_offset FROM dead_letters")
    assert letter["record_offset"] == 1


@pytest.mark.parametrize("code", [1290, 1317, 1114, 1969, 1021, 1146, 3024, 9999])
def test_a_servers_error_is_not_the_records_fault(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    connection = database.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))

    def refuse(*_: object) -> None:
        raise pymysql.err.InternalError(code, "a server's own trouble")

    records = decode(_batch(_wire(order("C-1")), b"no json", _wire(order("C-2"))), NOW)
    with monkeypatch.context() as troubled:
        troubled.setattr(history, "add", refuse)
        troubled.setattr("time.sleep", lambda _: None)
        assert score_records(records, scoring, NOW) == ([], records)
    assert rows(database, "SELECT * FROM dead_letters") == []
    # After a fail-over the old connection leads to the demoted server.
    assert database.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id")) != connection

    [done], failed = score_records(records, scoring, NOW)
    assert (failed, done.events, done.dead_letters) == ([], 2, 1)


@contextmanager
def _read_only(url: str) -> Iterator[None]:
    """Make the whole server read-only, as a demoted one is."""
    parts = urlsplit(url)
    with pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        autocommit=True,
    ) as owner:
        owner.cursor().execute("SET GLOBAL read_only = ON")
        try:
            yield
        finally:
            owner.cursor().execute("SET GLOBAL read_only = OFF")


def test_a_database_that_is_read_only_for_a_while_loses_nothing(mysql_url: str, database: Database) -> None:
    make_user(database, "writer", "its password")
    writer = Database(mysql_url.replace("root@", "writer:its%20password@"))
    scoring = Scoring(writer, RecencyModel(), _SETTINGS)
    records = decode(_batch(*(_wire(order(f"C-{number}")) for number in range(20)), b"no json"), NOW)
    with _read_only(mysql_url):
        for _ in range(3):
            assert score_records(records, scoring, NOW) == ([], records)
    [done], failed = score_records(records, scoring, NOW)
    writer.close()
    assert (failed, done.events, done.dead_letters) == ([], 20, 1)
    letters = rows(database, "SELECT record_value FROM dead_letters")
    assert [letter["record_value"] for letter in letters] == [b"no json"]


def test_a_refused_record_is_tried_again_alone_on_a_new_connection(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, connections = history.add, []

    def refuse_once(transaction: Transaction, events: Sequence[tuple[int, Event]]) -> None:
        connections.append(transaction.row("SELECT CONNECTION_ID() AS id"))
        if len(connections) == 1:
            raise pymysql.err.DataError(1406, "data too long")
        add(transaction, events)

    monkeypatch.setattr(history, "add", refuse_once)
    done, failed = score_records(decode(_batch(_wire(order())), NOW), scoring, NOW)
    assert ([result.events for result in done], failed) == ([1], [])
    assert connections[0] != connections[1]
    assert rows(database, "SELECT * FROM dead_letters") == []


def test_no_number_however_long_stops_a_partition(database: Database, scoring: Scoring) -> None:
    long = [
        _wire(order()).replace(b'"order_value": 50', f'"order_value": {"9" * digits}'.encode())
        for digits in (309, 400, 4300)
    ]
    _, failed = score_records(decode(_batch(*long, _wire(order())), NOW), scoring, NOW)
    assert failed == []
    letters = rows(database, "SELECT reason FROM dead_letters ORDER BY record_offset")
    assert ["order_value" in letter["reason"] for letter in letters] == [True] * 3
    assert customer(database)["total_orders"] == 1


def test_a_tombstone_is_passed_over() -> None:
    assert len(decode(_batch(None, _wire(order()), None), NOW)) == 1


def test_a_topic_that_begins_again_keeps_its_new_bad_records(database: Database, scoring: Scoring) -> None:
    for value in (b"of the first cluster", b"of the second"):
        for _ in range(2):
            score_records(decode(_batch(value), NOW), scoring, NOW)
    letters = rows(database, "SELECT record_value FROM dead_letters WHERE record_offset = 0 ORDER BY record_value")
    assert [letter["record_value"] for letter in letters] == [b"of the first cluster", b"of the second"]


@pytest.mark.parametrize("batches", [1, 2])
def test_the_first_content_under_an_id_counts_in_one_batch_as_in_two(
    database: Database, scoring: Scoring, batches: int
) -> None:
    first = order("C-1", value=10)
    other = replace(first, data={**first.data, "order_value": 99})
    results = (
        [scoring.apply([first, other], now=NOW)]
        if batches == 1
        else [scoring.apply([one], now=NOW) for one in (first, other)]
    )
    assert float(customer(database, "C-1")["total_spent"]) == 10
    assert sum(result.conflicting for result in results) == 1
    assert replay([first, other]).to_json() == replay([first]).to_json()
    # The very same event again is a repetition, and no conflict.
    assert scoring.apply([first], now=NOW).conflicting == 0


def test_a_database_that_is_away_fails_all_records_and_does_nothing(database: Database) -> None:
    away = Scoring(Database("mysql://root@127.0.0.1:9/churn", connect_timeout=0.2), RecencyModel(), _SETTINGS)
    with pytest.raises(Exception, match="does not answer"):
        away.apply([order()], now=NOW)
    assert rows(database, "SELECT * FROM customers") == []


def test_a_models_first_transaction_says_so(database: Database, scoring: Scoring) -> None:
    assert scoring.apply([order()], now=NOW).new_model == "recency-1"
    assert scoring.apply([order()], now=NOW).new_model is None
    elsewhere = Scoring(database, RecencyModel(), _SETTINGS)
    assert elsewhere.apply([order()], now=NOW).new_model is None


def test_a_dead_letter_that_has_become_an_event_is_applied_once(database: Database, scoring: Scoring) -> None:
    letters = [
        DeadLetter("user-events", 0, 1, None, b"no json", "why"),
        DeadLetter("user-events", 0, 2, b"CUST-001", _wire(order()), "an older version did not know it"),
        DeadLetter("user-events", 0, 3, None, None, "has no value"),
    ]
    scoring.apply([], now=NOW, dead=letters)
    done, page = redrive(database, scoring, NOW)
    assert ([applied.events for applied in done], page) == ([1], letters[:2]), "without a value there is nothing to try"
    assert customer(database)["total_orders"] == 1
    done, page = redrive(database, scoring, NOW)
    assert (done, page) == ([], letters[:1])
    assert redrive(database, scoring, NOW, after=letters[0].position) == ([], [])


def test_a_dead_letter_is_kept_once(scoring: Scoring) -> None:
    letter = DeadLetter("user-events", 1, 7, b"key", b"value", "why")
    results: list[BatchResult] = [scoring.apply([], now=NOW, dead=[letter]) for _ in range(2)]
    assert [applied.dead_letters for applied in results] == [1, 0]


def test_who_was_stored_in_another_form_of_unicode_stays_onecustomer(database: Database, scoring: Scoring) -> None:
    old_form, form = "Zoe\u0308", "Zo\u00eb"
    before = Event("e\u0301-1", "order_placed", old_form, NOW - timedelta(days=9), {"order_value": 5})
    scoring.apply([before], now=NOW)
    again, more = (
        _wire(replace(before, event_id=event_id, timestamp=before.timestamp + timedelta(days=later)))
        for event_id, later in (("e\u0301-1", 0), ("e\u0301-2", 1))
    )
    # When the event comes again as it was sent, and another one
    [done], failed = score_records(decode(_batch(again, more), NOW), scoring, NOW)
    # Then it is known again, and the other belongs to the same customer
    assert (failed, done.events, done.repeated) == ([], 1, 1)
    assert customer(database, old_form)["total_orders"] == 2
    # In today's form they are no other.
    score_records(decode(_batch(_wire(order(form))), NOW), scoring, NOW)
    assert customer(database, old_form)["total_orders"] == 3
    # Who is new is stored in the one form, whichever was sent.
    for customer_id in ("Ame\u0301lie", "Am\u00e9lie"):
        score_records(decode(_batch(_wire(order(customer_id))), NOW), scoring, NOW)
    assert customer(database, "Am\u00e9lie")["total_orders"] == 2
    names = {row["customer_id"] for row in rows(database, "SELECT customer_id FROM customers")}
    assert names == {old_form, "Am\u00e9lie"}
    assert form not in names


def test_an_order_is_cancelled_by_its_number_in_any_form(database: Database, scoring: Scoring) -> None:
    placed = [order("C-1", order_id=17), order("C-1", order_id="Zo\u00eb"), order("C-1", order_id="kept")]
    cancelled = [event("order_cancelled", "C-1", order_id=17.0), event("order_cancelled", "C-1", order_id="Zoe\u0308")]
    score_records(decode(_batch(*map(_wire, [*placed, *cancelled])), NOW), scoring, NOW)
    assert customer(database, "C-1")["total_orders"] == 1


def test_records_of_nobody_are_kept_counted_and_applied_once_they_are_allowed(
    database: Database, scoring: Scoring, caplog: pytest.LogCaptureFixture
) -> None:
    source = _batch(_wire(order("null")), _wire(order("0")), _wire(order("C-1")))
    score_records(decode(source, NOW), scoring, NOW)
    assert [row["customer_id"] for row in rows(database, "SELECT customer_id FROM customers")] == ["C-1"]
    letters = rows(database, "SELECT reason FROM dead_letters ORDER BY record_offset")
    assert ["ALLOWED_CUSTOMER_IDS" in letter["reason"] for letter in letters] == [True, True]
    assert [record.__dict__["records"] for record in caplog.records if "no customer" in record.message] == [2]
    done, _ = redrive(database, scoring, NOW, allowed={"0"})
    assert [result.events for result in done] == [1]
    assert customer(database, "0")["total_orders"] == 1


def test_a_model_that_fails_for_everybody_makes_no_dead_letters(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_rows: Sequence[Features]) -> list[Prediction]:
        raise KeyError("a column that the model lost")

    batch = decode(_batch(*(_wire(order(f"C-{number}")) for number in range(5))), NOW)
    with monkeypatch.context() as patch:
        patch.setattr(scoring._model, "predict", fail)
        done, failed = score_records(batch, scoring, NOW)
    assert (done, len(failed)) == ([], 5)
    assert rows(database, "SELECT * FROM dead_letters") == []
    done, failed = score_records(batch, scoring, NOW)
    assert (sum(result.events for result in done), failed) == (5, [])
