"""What a WebSocket client sends, and what it is answered."""

import base64
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.adapters.mysql import Database, DatabaseOperationError, alert_work, alerts
from churn.entrypoints.websocket import WebSocketHandler, is_socket_event
from churn.services import broadcasts
from churn.services.broadcasts import broadcast
from churn.settings import Settings
from tests.support.sockets import FakePush, add_customer, raise_alerts


class Client:
    """The edge as API Gateway drives it, with a gateway that records."""

    def __init__(
        self, database: Database, push: FakePush | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self.push = push or FakePush()
        self.invoked: list[Mapping[str, Any]] = []
        chosen = Settings.from_environment({"SOCKET_LIMIT": "2", **(settings or {})})
        self.edge = WebSocketHandler(database, self.push, chosen, lambda: {"stats": {}}, self.invoked.append)

    def event(self, route: str, connection_id: str = "a", body: str | None = None, **authorizer: str) -> dict[str, Any]:
        exp = str(int(time.time()) + 3600)
        identity = {"principalId": "dashboard", "sub": "dashboard", "role": "read", "exp": exp, **authorizer}
        kind = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}.get(route, "MESSAGE")
        context = {"routeKey": route, "eventType": kind, "connectionId": connection_id, "authorizer": identity}
        return {"requestContext": context, "body": body, "isBase64Encoded": False}

    def connect(self, connection_id: str = "a", *, greeted: bool = True, **authorizer: str) -> int:
        answer = self.edge.handle(self.event("$connect", connection_id, **authorizer))
        if greeted and answer["statusCode"] == 200:
            self.edge.handle(self.invoked[-1])
        return int(answer["statusCode"])

    def say(self, name: str, data: object = None, connection_id: str = "a") -> list[dict[str, Any]]:
        return self.raw(json.dumps({"event": name, "data": data}), connection_id)

    def raw(self, body: str, connection_id: str = "a") -> list[dict[str, Any]]:
        before = len(self.push.messages(connection_id))
        assert self.edge.handle(self.event("$default", connection_id, body)) == {"statusCode": 200}
        return self.push.messages(connection_id)[before:]


def broadcast_predictions(database: Database, push: FakePush, predictions: list[dict[str, Any]]) -> int:
    return broadcasts.broadcast_predictions(database, push, predictions, datetime(2026, 1, 2, tzinfo=UTC), 180)


@pytest.fixture
def client(database: Database) -> Client:
    return Client(database)


def test_connected_is_posted_by_an_invocation_of_its_own(client: Client) -> None:
    assert client.connect(greeted=False) == 200
    assert client.push.attempts["a"] == 0
    [payload] = client.invoked
    assert is_socket_event(payload)

    client.edge.handle(payload)

    [message] = client.push.messages("a")
    assert message["event"] == "connected"
    assert message["data"]["connection_id"] == "a"


@pytest.mark.parametrize(
    "name", ["ping", "subscribe_alerts", "subscribe_predictions", "request_dashboard_data", "what_is_this"]
)
def test_connected_comes_first_also_where_the_client_speaks_first(client: Client, name: str) -> None:
    client.connect(greeted=False)
    events = [message["event"] for message in client.say(name)]
    assert events[0] == "connected"
    assert len(events) == 2
    # The greeting of its own comes later, and finds it done.
    client.edge.handle(client.invoked[0])
    assert [message["event"] for message in client.push.messages("a")] == events


def test_nothing_is_broadcast_to_a_socket_before_it_is_connected(client: Client, database: Database) -> None:
    client.connect(greeted=False)
    client.connect("b")
    broadcast(database, client.push, "system_alert", [{"code": "x"}])
    assert client.push.messages("a") == []
    assert [message["event"] for message in client.push.messages("b")] == ["connected", "system_alert"]


def test_speaking_and_greeting_at_once_post_connected_once_and_first(client: Client, mysql_url: str) -> None:
    client.connect(greeted=False)

    def speak(_: int) -> None:
        own = Database(mysql_url)
        Client(own, client.push).say("ping")
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(speak, range(4)))
    events = [message["event"] for message in client.push.messages("a")]
    assert events == ["connected", "pong", "pong", "pong", "pong"]


def test_changes_since_begins_after_a_change(client: Client, database: Database) -> None:
    customer = add_customer(database)
    raise_alerts(database, customer, "low", "high")
    alert_work.acknowledge(database, 1, "ann", datetime(2026, 1, 2, tzinfo=UTC))
    client.connect()
    messages = client.say("subscribe_alerts", {"changes_since": "0"})
    assert messages[0]["data"] == {"min_priority": "low", "since": None, "cursor": 2, "changes_since": 0, "change": 0}
    assert [(message["data"]["id"], message["data"]["status"]) for message in messages[1:]] == [(1, "acknowledged")]


def test_a_greeting_to_a_connection_that_never_came_forgets_it(client: Client) -> None:
    client.push.gone.add("a")
    client.connect(greeted=False)
    client.connect("b")
    assert client.connect("c") == 429

    client.edge.handle(client.invoked[0])

    assert client.push.attempts["a"] > 3
    assert client.connect("c") == 200


def test_a_ticket_opens_one_socket(client: Client) -> None:
    assert client.connect("a", ticket_id="1" * 32) == 200
    assert client.connect("b", ticket_id="1" * 32) == 401
    assert client.connect("b", ticket_id="2" * 32) == 200


def test_the_limit_counts_the_open_sockets_of_a_client(client: Client) -> None:
    assert [client.connect(name) for name in "abc"] == [200, 200, 429]
    assert client.connect("d", sub="another") == 200
    client.edge.handle(client.event("$disconnect", "a"))
    assert client.connect("c") == 200


def test_subscribed_comes_first_then_what_was_missed(client: Client, database: Database) -> None:
    customer = add_customer(database)
    raise_alerts(database, customer, "low", "high", "urgent")
    client.connect()

    messages = client.say("subscribe_alerts", {"min_priority": "medium", "since": 1})

    assert [message["event"] for message in messages] == ["subscribed", "churn_alert", "churn_alert"]
    assert messages[0]["data"] == {"min_priority": "medium", "since": 1, "cursor": 1}
    assert client.push.alert_ids("a") == [2, 3]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"min_priority": "huge"}, "data.min_priority"),
        ({"min_priority": 3}, "data.min_priority"),
        ({"min_priority": ["low"]}, "data.min_priority"),
        ({"since": "yesterday"}, "data.since"),
        ({"since": -1}, "data.since"),
        ({"since": True}, "data.since"),
        ({"since": [1]}, "data.since"),
        ({"changes_since": -1}, "data.changes_since"),
        ({"changes_since": True}, "data.changes_since"),
        ({"changes_since": "2026-01-01"}, "data.changes_since"),
        ({"changes_since": 10**400}, "data.changes_since"),
        ({"changes_since": 1, "since": 1}, "data.changes_since"),
        ({"since": "9" * 5000}, "data.since"),
        ([], "data"),
        ("all", "data"),
    ],
)
def test_a_bad_subscription_is_told_which_field(client: Client, data: object, field: str) -> None:
    client.connect()
    [message] = client.say("subscribe_alerts", data)
    assert message["event"] == "error"
    assert message["data"]["code"] == 400
    assert [error["field"] for error in message["data"]["errors"]] == [field]


def test_a_subscription_to_predictions_is_confirmed_kept_and_ended(client: Client, database: Database) -> None:
    client.connect()
    [confirmed] = client.say("subscribe_predictions", {"customer_ids": ["C-1", 17, "C-1"], "min_risk": "high"})
    assert confirmed == {
        "event": "subscribed",
        "data": {"predictions": {"customer_ids": ["C-1", "17"], "min_risk": 0.6, "segment": None}},
    }
    predictions = [{"customer_id": name, "churn_probability": risk} for name, risk in (("C-1", 0.7), ("17", 0.5))]
    assert broadcast_predictions(database, client.push, predictions) == 1

    assert client.say("unsubscribe_predictions") == [{"event": "unsubscribed", "data": {"predictions": None}}]
    assert broadcast_predictions(database, client.push, predictions) == 0


def test_all_predictions_are_asked_for_without_a_field(client: Client) -> None:
    client.connect()
    [confirmed] = client.say("subscribe_predictions")
    assert confirmed["data"] == {"predictions": {"customer_ids": None, "min_risk": 0.0, "segment": None}}


def test_subscriptions_to_alerts_and_to_predictions_stand_beside_each_other(client: Client, database: Database) -> None:
    client.connect()
    client.say("subscribe_alerts")
    client.say("subscribe_predictions")
    client.say("subscribe_alerts", {"min_priority": "high"})
    raise_alerts(database, add_customer(database), "urgent")
    client.edge.handle({"socket": "deliver"})
    broadcast_predictions(database, client.push, [{"customer_id": "C-1", "churn_probability": 0.7}])
    assert [message["event"] for message in client.push.messages("a")[-2:]] == ["churn_alert", "prediction_update"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"customer_ids": "C-1"}, "data.customer_ids"),
        ({"customer_ids": []}, "data.customer_ids"),
        ({"customer_ids": [f"C-{number}" for number in range(101)]}, "data.customer_ids"),
        ({"customer_ids": ["C-1", ""]}, "data.customer_ids.1"),
        ({"customer_ids": ["C-1", None]}, "data.customer_ids.1"),
        ({"customer_ids": ["x" * 65]}, "data.customer_ids.0"),
        ({"customer_ids": ["C-1", "null"]}, "data.customer_ids.1"),
        ({"customer_ids": ["0"]}, "data.customer_ids.0"),
        ({"customer_ids": ["\ud800"]}, "data.customer_ids.0"),
        ({"min_risk": "loudest"}, "data.min_risk"),
        ({"min_risk": 1.1}, "data.min_risk"),
        ({"min_risk": -0.1}, "data.min_risk"),
        ({"min_risk": True}, "data.min_risk"),
        ({"min_risk": 10**400}, "data.min_risk"),
        ({"min_risk": []}, "data.min_risk"),
        ({"segment": "no such"}, "data.segment"),
        ({"segment": 17}, "data.segment"),
        ({"segment": "9" * 30}, "data.segment"),
        ({"segment": ["high"]}, "data.segment"),
        ({"segment": ""}, "data.segment"),
        ({"customers": ["C-1"]}, "data.customers"),
        ([], "data"),
    ],
)
def test_a_bad_subscription_to_predictions_is_told_which_field_and_changes_nothing(
    client: Client, database: Database, data: object, field: str
) -> None:
    client.connect()
    client.say("subscribe_predictions", {"customer_ids": ["C-1"]})
    [message] = client.say("subscribe_predictions", data)
    assert (message["event"], message["data"]["code"]) == ("error", 400)
    assert [error["field"] for error in message["data"]["errors"]] == [field]
    assert broadcast_predictions(database, client.push, [{"customer_id": "C-1", "churn_probability": 0.7}]) == 1


def test_an_id_that_looks_like_nobody_can_be_named_where_it_is_allowed(database: Database) -> None:
    client = Client(database, settings={"ALLOWED_CUSTOMER_IDS": "0"})
    client.connect()
    assert client.say("subscribe_predictions", {"customer_ids": [0]})[0]["event"] == "subscribed"


def test_a_socket_whose_registration_was_lost_is_told_before_it_asks_for_predictions(
    client: Client, database: Database
) -> None:
    client.connect()
    database.run(lambda transaction: transaction.execute("DELETE FROM sockets"))
    [lost] = client.say("subscribe_predictions")
    assert (lost["event"], lost["data"]["code"]) == ("error", 409)
    assert client.say("subscribe_predictions")[0]["event"] == "subscribed"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", 400),
        ("{", 400),
        ("[]", 400),
        ("[" * 100_000, 400),
        ('{"data": {}}', 400),
        ('{"event": 1}', 400),
        ('{"event": "\\ud800"}', 404),
        ('{"event": "dance"}', 404),
        ('{"event": "ping", "data": "' + "x" * 131_072 + '"}', 413),
    ],
)
def test_what_is_no_message_gets_an_error(client: Client, body: str, code: int) -> None:
    client.connect()
    [message] = client.raw(body)
    assert (message["event"], message["data"]["code"]) == ("error", code)


def test_binary_frames_are_read_too(client: Client) -> None:
    client.connect()
    event = client.event("$default", body=base64.b64encode(b'{"event": "ping"}').decode())
    client.edge.handle({**event, "isBase64Encoded": True})
    assert [message["event"] for message in client.push.messages("a")] == ["connected", "pong"]


def test_a_ping_brings_what_a_pause_held_back(client: Client, database: Database) -> None:
    customer = add_customer(database)
    client.connect()
    client.say("subscribe_alerts")
    client.push.not_now["a"] = [60]
    raise_alerts(database, customer, "low")
    client.edge.handle({"socket": "deliver"})
    assert client.push.alert_ids("a") == []

    assert [message["event"] for message in client.say("ping")] == ["pong", "churn_alert"]


def test_a_ping_registers_a_socket_anew_whose_registration_was_lost(client: Client, database: Database) -> None:
    client.connect()
    database.run(lambda transaction: transaction.execute("DELETE FROM sockets"))

    first, second = client.say("ping"), client.say("ping")

    assert [message["event"] for message in first] == ["pong", "error"]
    assert first[1]["data"]["code"] == 409
    assert [message["event"] for message in second] == ["pong"]


def test_a_ping_is_answered_without_the_database() -> None:
    client = Client(Database("mysql://nobody:wrong@127.0.0.1:9/none", connect_timeout=1))
    assert [message["event"] for message in client.say("ping")] == ["pong"]
    assert client.say("subscribe_alerts")[0]["data"]["code"] == 503
    assert client.connect() == 503


def test_the_dashboard_is_sent_on_request(client: Client) -> None:
    client.connect()
    assert client.say("request_dashboard_data") == [{"event": "dashboard_update", "data": {"stats": {}}}]


@pytest.mark.parametrize("name", ["$disconnect", "$connect", "$default"])
def test_no_name_that_a_client_chooses_frees_its_slot(client: Client, name: str) -> None:
    client.connect("a")
    client.connect("b")
    # API Gateway takes the route from the text of the message.
    event = client.event(name, "a", json.dumps({"event": name}))
    event["requestContext"]["eventType"] = "MESSAGE"
    client.edge.handle(event)
    assert client.push.messages("a")[-1]["event"] == "error"
    assert client.connect("c") == 429


@pytest.mark.parametrize("body", ["[" * 100_000, '{"event":' * 10_000, '{"event": "ping", "data": ' + "[" * 100_000])
def test_a_deeply_nested_frame_gets_an_error(client: Client, body: str) -> None:
    client.connect()
    [message] = client.raw(body)
    assert (message["event"], message["data"]["code"]) == ("error", 400)


@pytest.mark.parametrize("digits", [19, 309, 400, 4299])
def test_a_since_of_any_length_is_read_or_refused(client: Client, digits: int) -> None:
    client.connect()
    [message] = client.raw(f'{{"event": "subscribe_alerts", "data": {{"since": {"9" * digits}}}}}')
    assert (message["event"], message["data"]["errors"][0]["field"]) == ("error", "data.since")


def test_a_since_before_the_oldest_alert_that_is_kept_gets_an_error_that_says_where_to_begin(
    client: Client, database: Database
) -> None:
    client.connect()
    old, kept = raise_alerts(database, add_customer(database), "high", "high")
    database.run(lambda transaction: alerts.prune(transaction, datetime(2027, 1, 1, tzinfo=UTC), 1))
    for since in (0, old - 1, "2026-01-01"):
        [message] = client.say("subscribe_alerts", {"since": since})
        [error] = message["data"]["errors"]
        assert (message["event"], message["data"]["code"], error["field"]) == ("error", 400, "data.since")
        assert error["message"].endswith(f"begin with {old}")
    subscribed, alert = client.say("subscribe_alerts", {"since": old})
    assert (subscribed["event"], alert["data"]["id"]) == ("subscribed", kept)


@pytest.mark.parametrize("name", ["subscribe_alerts", "request_dashboard_data", "ping"])
def test_every_message_is_answered_while_the_database_refuses(
    client: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseOperationError("OperationalError", 1290, "the server is read-only")

    client.connect()
    monkeypatch.setattr(Database, "run", refuse)
    client.edge = WebSocketHandler(
        Database("mysql://nobody@127.0.0.1:1/none"),
        client.push,
        Settings.from_environment({}),
        dict,
        lambda _: refuse(),
    )
    messages = client.say(name)
    assert [message["event"] for message in messages] == {
        "subscribe_alerts": ["error"],
        "request_dashboard_data": ["dashboard_update"],
        "ping": ["pong"],
    }[name]
