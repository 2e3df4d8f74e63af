"""What ends with the token that opened a socket: messages to it, messages from it, and the connection."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.adapters.mysql import Database, websocket_connections
from churn.entrypoints.websocket import WebSocketHandler
from churn.services import alert_delivery
from churn.services.broadcasts import broadcast, broadcast_predictions
from churn.services.socket_expiry import close_expired
from churn.settings import Settings
from tests.support.sockets import FakePush, add_customer, ask_for_predictions, open_socket, raise_alerts
from tests.support.stored import rows


@pytest.fixture
def push() -> FakePush:
    return FakePush()


def _expire(database: Database, *connections: str) -> None:
    expire = "UPDATE sockets SET expires_at = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND WHERE connection_id = %s"
    database.run(lambda transaction: [transaction.execute(expire, (connection,)) for connection in connections])


def _open(database: Database) -> list[str]:
    return [row["connection_id"] for row in rows(database, "SELECT connection_id FROM sockets ORDER BY 1")]


def _say(database: Database, push: FakePush, event: str, *, expires_in: float, role: str = "read") -> None:
    edge = WebSocketHandler(database, push, Settings.from_environment({}), dict, lambda _: None)
    authorizer = {"sub": "dashboard", "role": role, "exp": str(int(time.time() + expires_in))}
    context: dict[str, Any] = {"eventType": "MESSAGE", "connectionId": "a", "authorizer": authorizer}
    body = json.dumps({"event": event, "data": {}})
    assert edge.handle({"requestContext": context, "body": body, "isBase64Encoded": False}) == {"statusCode": 200}


def test_a_registration_ends_with_the_token_or_after_two_hours_and_a_bit(database: Database) -> None:
    open_socket(database, "short", seconds=60)
    open_socket(database, "long", seconds=1e6)
    left = "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(3), expires_at) AS s FROM sockets ORDER BY connection_id DESC"
    assert [row["s"] for row in rows(database, left)] == [pytest.approx(60, abs=2), pytest.approx(7800, abs=2)]


def test_nothing_is_posted_to_whose_token_has_expired(database: Database, push: FakePush) -> None:
    for name in ("a", "b"):
        open_socket(database, name)
        ask_for_predictions(database, name)
        alert_delivery.subscribe(database, name, "low", None, lambda _: None)
    _expire(database, "a")
    raise_alerts(database, add_customer(database), "high")
    alert_delivery.deliver(database, push)
    broadcast(database, push, "system_alert", [{"code": "x"}])
    prediction = {"customer_id": "C-1", "churn_probability": 0.7, "risk_level": "high"}
    broadcast_predictions(database, push, [prediction], datetime.now(UTC), 180)
    assert push.messages("a") == []
    assert [message["event"] for message in push.messages("b")] == ["churn_alert", "system_alert", "prediction_update"]


def test_a_token_that_expires_while_much_is_posted_ends_that(database: Database) -> None:
    class Slow(FakePush):
        def post(self, connection_id: str, message: bytes) -> None:
            time.sleep(0.1)
            super().post(connection_id, message)

    push = Slow()
    open_socket(database, "a", seconds=0.5)
    open_socket(database, "b")
    for name in ("a", "b"):
        alert_delivery.subscribe(database, name, "low", None, lambda _: None)
    raise_alerts(database, add_customer(database), *["high"] * 12)
    alert_delivery.deliver(database, push)
    assert 0 < len(push.messages("a")) < 8
    assert len(push.messages("b")) == 12


@pytest.mark.parametrize("event", ["ping", "subscribe_alerts", "request_dashboard_data", "what_is_this"])
def test_a_message_after_the_expiry_is_answered_with_401_and_the_end(
    database: Database, push: FakePush, event: str
) -> None:
    open_socket(database, "a")
    _say(database, push, event, expires_in=0)
    [error] = push.messages("a")
    assert (error["event"], error["data"]["code"]) == ("error", 401)
    assert push.closed == ["a"]
    assert _open(database) == []


def test_a_role_that_opens_no_socket_ends_it(database: Database, push: FakePush) -> None:
    open_socket(database, "a")
    _say(database, push, "ping", expires_in=60, role="write")
    assert ([message["data"]["code"] for message in push.messages("a")], push.closed) == ([403], ["a"])


def test_the_end_needs_no_database(push: FakePush) -> None:
    edge = WebSocketHandler(
        Database("mysql://nobody:wrong@127.0.0.1:9/none", connect_timeout=1),
        push,
        Settings.from_environment({}),
        dict,
        lambda _: None,
    )
    authorizer = {"sub": "dashboard", "role": "read", "exp": "1"}
    edge.handle({"requestContext": {"eventType": "MESSAGE", "connectionId": "a", "authorizer": authorizer}})
    assert ([message["data"]["code"] for message in push.messages("a")], push.closed) == ([401], ["a"])


def test_who_says_nothing_is_closed_by_the_call_of_each_minute(database: Database, push: FakePush) -> None:
    for name in ("gone", "open", "over", "throttled"):
        open_socket(database, name)
    _expire(database, "gone", "over", "throttled")
    push.gone.add("gone")
    push.not_now["throttled"] = [0.25]
    assert close_expired(database, push) == 2
    assert (push.closed, _open(database)) == (["over"], ["open", "throttled"])
    assert close_expired(database, push) == 1
    assert (push.closed, _open(database)) == (["over", "throttled"], ["open"])


def test_what_a_process_left_when_it_ended_is_posted_by_the_call_of_each_minute(
    database: Database, push: FakePush
) -> None:
    open_socket(database, "a")
    alert_delivery.subscribe(database, "a", "low", None, lambda _: None)
    raise_alerts(database, add_customer(database), "high")
    # It ended while it posted: while its lease lasts, nobody else does.
    database.run(websocket_connections.claim)
    edge = WebSocketHandler(database, push, Settings.from_environment({}), dict, lambda _: None)
    assert edge.handle({"socket": "each_minute"}) == {"statusCode": 200}
    assert push.alert_ids("a") == []
    over = "UPDATE sockets SET leased_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND"
    database.run(lambda transaction: transaction.execute(over))
    edge.handle({"socket": "each_minute"})
    assert push.alert_ids("a") == [1]


def test_sockets_that_are_over_count_for_no_limit(database: Database) -> None:
    open_socket(database, "a", limit=1)
    _expire(database, "a")
    open_socket(database, "b", limit=1)
    assert _open(database) == ["a", "b"]


@pytest.mark.parametrize("event", ["ping", "subscribe_alerts", "subscribe_predictions"])
def test_a_socket_that_was_ended_does_not_go_on_by_a_message(database: Database, push: FakePush, event: str) -> None:
    open_socket(database, "a")
    database.run(lambda transaction: websocket_connections.end(transaction, "dashboard"))
    _say(database, push, event, expires_in=60)
    assert (push.messages("a")[-1]["data"]["code"], push.closed, _open(database)) == (401, ["a"], [])
