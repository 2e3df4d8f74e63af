"""New predictions reach the sockets that asked for them, and no others."""

import time
from typing import Any

import pytest

from churn.adapters.mysql import Database, prediction_subscriptions, segments, websocket_connections
from churn.domain.prediction_filter import MAX_CUSTOMERS, PredictionFilter
from churn.services import broadcasts
from churn.services.customer_filters import CustomerFilters
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.sockets import FakePush, ask_for_predictions, open_socket

RISKY, CALM = 0.9, 0.1


def prediction(customer_id: str, risk: float = 0.5) -> dict[str, Any]:
    return {"customer_id": customer_id, "churn_probability": risk, "risk_level": "low"}


def broadcast_predictions(database: Database, push: FakePush, predictions: list[dict[str, Any]]) -> int:
    return broadcasts.broadcast_predictions(database, push, predictions, NOW, 180)


def told(push: FakePush, connection_id: str) -> list[str]:
    messages = push.messages(connection_id)
    assert {message["event"] for message in messages} <= {"prediction_update"}
    return [message["data"]["customer_id"] for message in messages]


def asking(database: Database, connection_id: str, wanted: PredictionFilter | None = None) -> None:
    open_socket(database, connection_id, limit=2000)
    ask_for_predictions(database, connection_id, wanted)


def test_only_who_asked_is_told_the_riskiest_of_a_batch_first(database: Database) -> None:
    push = FakePush()
    open_socket(database, "silent")
    asking(database, "asks")
    asking(database, "gone")
    push.gone.add("gone")
    predictions = [prediction(f"C{number}", number / 100) for number in range(50)]

    assert broadcast_predictions(database, push, predictions) == 20
    assert broadcast_predictions(database, push, predictions[:1]) == 1

    assert told(push, "asks") == [*(f"C{number}" for number in range(49, 29, -1)), "C0"]
    assert push.messages("silent") == []
    assert push.attempts["gone"] == 1


def test_each_socket_is_told_of_what_it_asked_for(database: Database) -> None:
    push = FakePush()
    asking(database, "from a risk on", PredictionFilter(min_risk=RISKY))
    asking(database, "of two", PredictionFilter(("A", "B")))
    asking(database, "of one, if risky", PredictionFilter(("A",), RISKY))
    asking(database, "of a stranger", PredictionFilter(("Z",)))

    broadcast_predictions(database, push, [prediction("A", CALM), prediction("B", RISKY), prediction("C", RISKY)])

    assert told(push, "from a risk on") == ["B", "C"]
    assert told(push, "of two") == ["B", "A"]
    assert told(push, "of one, if risky") == told(push, "of a stranger") == []


def test_who_names_customers_is_told_of_all_of_them_in_a_large_batch(database: Database) -> None:
    push = FakePush()
    named = tuple(f"C{number}" for number in range(MAX_CUSTOMERS))
    asking(database, "a", PredictionFilter(named))

    broadcast_predictions(database, push, [prediction(f"C{number}") for number in range(2000)])

    assert sorted(told(push, "a")) == sorted(named)


def test_a_customer_who_is_stored_in_another_unicode_form_is_found(database: Database) -> None:
    push = FakePush()
    composed, decomposed = "K\N{LATIN SMALL LETTER U WITH DIAERESIS}", "Ku\N{COMBINING DIAERESIS}"
    asking(database, "a", PredictionFilter((composed,)))

    broadcast_predictions(database, push, [prediction(decomposed)])

    assert told(push, "a") == [decomposed]


def test_another_subscription_takes_the_place_of_the_one_before(database: Database) -> None:
    push = FakePush()
    asking(database, "a", PredictionFilter(("A",)))
    ask_for_predictions(database, "a", PredictionFilter(("B",)))
    broadcast_predictions(database, push, [prediction("A"), prediction("B")])
    ask_for_predictions(database, "a", PredictionFilter(min_risk=RISKY))
    broadcast_predictions(database, push, [prediction("B"), prediction("C", RISKY)])
    database.run(lambda transaction: prediction_subscriptions.unsubscribe(transaction, "a"))
    broadcast_predictions(database, push, [prediction("B", RISKY)])

    assert told(push, "a") == ["B", "C"]


def test_a_subscription_ends_with_its_socket(database: Database) -> None:
    asking(database, "a", PredictionFilter(("A",)))
    database.run(lambda transaction: websocket_connections.forget(transaction, ["a"]))
    assert database.run(lambda transaction: prediction_subscriptions.named_by(transaction, ["A"])) == {}
    open_socket(database, "a")
    assert broadcast_predictions(database, FakePush(), [prediction("A")]) == 0


def test_a_slow_socket_is_left_alone_for_a_while(database: Database) -> None:
    push = FakePush()
    asking(database, "slow")
    asking(database, "b")
    push.not_now["slow"] = [60]

    for _ in range(2):
        broadcast_predictions(database, push, [prediction("A")])

    assert told(push, "b") == ["A", "A"]
    assert push.attempts["slow"] == 1


def test_a_thousand_sockets_are_matched_within_the_time_of_a_batch(database: Database) -> None:
    push = FakePush()
    for number in range(1000):
        named = tuple(f"C{customer}" for customer in range(number, number + 20)) if number % 2 else None
        asking(database, f"s{number}", PredictionFilter(named, min_risk=number % 10 / 10))
    batch = [prediction(f"C{number}", number / 2000) for number in range(2000)]

    began = time.process_time()
    posted = broadcast_predictions(database, push, batch)
    spent = time.process_time() - began

    assert posted > 5000
    assert len(told(push, "s0")) == 20
    assert told(push, "s201") == [f"C{number}" for number in range(220, 200, -1)]
    # Looking through the batch for each socket takes ten times as long.
    assert spent < 2


def test_who_is_told_is_read_from_indexes_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    events = [order(f"C{number}", days_ago=number % 90) for number in range(300)]
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply(events, now=NOW)
    late = CustomerFilters(min_days_since_last_order=30, has_open_alert=False, search="c").to_json()
    segment = database.run(lambda transaction: segments.add(transaction, "Late", late, "ann", NOW))
    for number in range(100):
        named = tuple(f"C{number}-{each}" for each in range(20))
        asking(database, f"s{number}", PredictionFilter(named, segment=segment))
        for each in range(4):
            open_socket(database, f"silent{number}-{each}", limit=2000)
    database.run(lambda transaction: transaction.execute("ANALYZE TABLE sockets, prediction_customers, customers"))
    watched = watch_plans(monkeypatch, lambda statement: statement.startswith("SELECT"))
    broadcast_predictions(database, FakePush(), [prediction(f"C{number}") for number in range(20)])

    plans = rows_of(watched)
    keys = {plan["table"]: plan["key"] for plan in plans}
    assert (keys["sockets"], keys["prediction_customers"]) == ("sockets_by_predictions", "PRIMARY")
    assert keys["c"] == "customers_customer_id"
    assert [plan for plan in plans if plan["type"] in {"ALL", "index"}] == []


def test_erasing_a_customer_forgets_that_they_were_named(database: Database) -> None:
    asking(database, "a", PredictionFilter(("A", "B")))
    database.run(lambda transaction: prediction_subscriptions.erase(transaction, "A"))
    assert database.run(lambda transaction: prediction_subscriptions.named_by(transaction, ["A", "B"])) == {"a": {"B"}}


def test_a_segment_chooses_by_its_filter_at_the_moment_of_the_prediction(database: Database) -> None:
    push = FakePush()
    events = [order(f"C-{number}", days_ago=number, value=100 * number) for number in (1, 2, 3)]
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply(events, now=NOW)
    big = CustomerFilters(min_total_spent=150, search="c").to_json()
    number = database.run(lambda transaction: segments.add(transaction, "Big", big, "ann", NOW))
    for connection_id, wanted, segment in (
        ("by name", PredictionFilter(), " big "),
        ("by id", PredictionFilter(min_risk=RISKY), str(number)),
        ("named", PredictionFilter(("C-1", "C-2")), "Big"),
    ):
        open_socket(database, connection_id)
        subscribed = broadcasts.subscribe_predictions(database, connection_id, wanted, segment)
        assert subscribed.segment == number
    batch = [prediction("C-1", RISKY), prediction("C-2", RISKY), prediction("C-3", CALM), prediction("C-9", RISKY)]

    broadcast_predictions(database, push, batch)
    assert (told(push, "by name"), told(push, "by id"), told(push, "named")) == (["C-2", "C-3"], ["C-2"], ["C-2"])

    alerted = CustomerFilters(has_open_alert=True).to_json()
    database.run(
        lambda transaction: segments.change(
            transaction, number, name=None, asked=alerted, by="ann", now=NOW, versions=None
        )
    )
    assert broadcast_predictions(database, push, batch) == 0
    database.run(lambda transaction: segments.delete(transaction, number, None))
    assert broadcast_predictions(database, push, batch) == 0


def test_a_segment_that_cannot_be_read_keeps_nothing_from_others(database: Database) -> None:
    push = FakePush()
    number = database.run(lambda transaction: segments.add(transaction, "Odd", {"no_such": 1}, "ann", NOW))
    asking(database, "a", PredictionFilter(segment=number))
    asking(database, "b")
    assert broadcast_predictions(database, push, [prediction("A")]) == 1
    assert told(push, "b") == ["A"]
