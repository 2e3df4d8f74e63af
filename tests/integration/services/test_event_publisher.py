"""What open sockets hear after a commit."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from churn.adapters.kafka import OutputUnavailableError
from churn.adapters.mysql import Database
from churn.services.alert_delivery import subscribe
from churn.services.event_publisher import EventPublisher
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.sockets import FakePush, ask_for_predictions, open_socket


def _dashboard(database: Database) -> None:
    open_socket(database, "dashboard")
    subscribe(database, "dashboard", "low", None, lambda socket: None)  # noqa: ARG005
    ask_for_predictions(database, "dashboard")


def test_a_dashboard_hears_of_the_alert_the_prediction_and_the_new_model(database: Database) -> None:
    push = FakePush()
    _dashboard(database)
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    publisher = EventPublisher(database, push, inactivity_days=180)
    applied = scoring.apply([order(days_ago=20), event("payment_failed")], now=NOW)
    publisher.publish([applied], NOW)
    heard = push.messages("dashboard")
    assert [message["event"] for message in heard] == ["churn_alert", "prediction_update", "system_alert"]
    alert, prediction, system = (message["data"] for message in heard)
    assert (alert["alert_type"], alert["customer_id"]) == ("payment_failure", "CUST-001")
    assert (prediction["customer_id"], prediction["risk_level"]) == ("CUST-001", "low")
    assert (system["code"], system["model_version"]) == ("model_promoted", "recency-1")


def test_what_a_crash_left_unpushed_is_pushed_by_the_next(database: Database) -> None:
    push = FakePush()
    _dashboard(database)
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    scoring.apply([event("payment_failed")], now=NOW)
    EventPublisher(database, push, inactivity_days=180).publish([], NOW)
    assert push.alert_ids("dashboard") == [1]


def test_a_database_that_is_away_is_survived() -> None:
    away = Database("mysql://root@127.0.0.1:9/churn", connect_timeout=0.2, attempts=1)
    push = FakePush()
    EventPublisher(away, push, inactivity_days=180).publish([], NOW)
    assert push.messages("dashboard") == []


class _Recorded:
    def __init__(self) -> None:
        self.away = False
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(self, event: str, items: Iterable[Mapping[str, Any]]) -> None:
        if self.away:
            raise OutputUnavailableError("away")
        self.sent.extend((event, item) for item in items)


def test_a_topic_that_was_away_gets_every_alert_later_and_none_twice(database: Database) -> None:
    output = _Recorded()
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    publisher = EventPublisher(database, FakePush(), output, inactivity_days=180)
    output.away = True
    publisher.publish([scoring.apply([event("payment_failed", "CUST-001")], now=NOW)], NOW)
    output.away = False
    for customer_id in ("CUST-002", "CUST-003"):
        publisher.publish([scoring.apply([event("payment_failed", customer_id)], now=NOW)], NOW)
    alerts = [item["id"] for name, item in output.sent if name == "churn_alert"]
    assert alerts == [1, 2, 3]
    predicted = [item["customer_id"] for name, item in output.sent if name == "prediction_update"]
    assert predicted == ["CUST-002", "CUST-003"]


def test_the_topic_gets_a_raise_once_after_the_alert(database: Database) -> None:
    output = _Recorded()
    scoring = Scoring(database, RecencyModel(), Settings.from_environment({}))
    publisher = EventPublisher(database, FakePush(), output, inactivity_days=180)
    scoring.apply([order()], now=NOW)
    for days in (65, 85):
        sweep(scoring, now=NOW + timedelta(days=days), time_left=lambda: True)
        for _ in range(2):
            publisher.publish([], NOW)
    sent = [(item["id"], item["priority"], item.get("raised")) for name, item in output.sent if name == "churn_alert"]
    assert sent == [(1, "high", None), (1, "urgent", True)]
