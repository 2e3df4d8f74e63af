"""Alerts reach every open socket: in order, none missed, none twice."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from churn.adapters.mysql import Database
from churn.services import alert_delivery as delivery
from churn.services.alert_delivery import deliver
from tests.support import eventually
from tests.support.sockets import FakePush, add_customer, open_socket, raise_alerts
from tests.support.tcp_proxy import TcpProxy


def subscribe(
    database: Database, connection_id: str, since: int | datetime | None = None, min_priority: str = "low"
) -> None:
    delivery.subscribe(database, connection_id, min_priority, since, lambda _: None)


def listening(database: Database, *connection_ids: str) -> None:
    for connection_id in connection_ids:
        open_socket(database, connection_id)
        subscribe(database, connection_id)


def test_an_alert_is_posted_once_in_the_contracts_shape(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "a")
    raise_alerts(database, customer, "urgent")

    assert deliver(database, push).posted == 1
    assert deliver(database, push).posted == 0

    [message] = push.messages("a")
    assert message == {
        "event": "churn_alert",
        "data": {
            "id": 1,
            "customer_id": "CUST-001",
            "customer_name": "Ada Byron",
            "alert_type": "churn_risk",
            "priority": "urgent",
            "title": "title",
            "message": "message",
            "reason": "reason",
            "risk_score": None,
            "status": "new",
            "previous_risk_score": None,
            "model_source": None,
            "timestamp": "2026-01-02T03:04:05.678000Z",
            "created_at": "2026-01-02T03:04:05.678000Z",
            "acknowledged_at": None,
            "acknowledged_by": None,
            "resolved_at": None,
            "resolved_by": None,
            "assigned_to": None,
            "snoozed_until": None,
            "raised_at": None,
            "outcome": "pending",
            "handling": None,
            "change": 0,
            "last_action": None,
        },
    }


def test_only_who_subscribed_gets_alerts_and_only_of_the_priority_asked_for(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    open_socket(database, "silent")
    open_socket(database, "picky")
    subscribe(database, "picky", min_priority="high")
    raise_alerts(database, customer, "low", "high", "medium", "urgent", "low")

    deliver(database, push)

    assert push.alert_ids("picky") == [2, 4]
    assert push.alert_ids("silent") == []


def test_since_an_id_replays_what_was_missed_across_pages(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    raise_alerts(database, customer, *["low"] * 450)
    open_socket(database, "a")
    open_socket(database, "b")
    subscribe(database, "a", since=20)
    subscribe(database, "b", since=448)

    deliver(database, push)

    assert push.alert_ids("a") == list(range(21, 451))
    assert push.alert_ids("b") == [449, 450]


def test_since_beyond_the_newest_alert_misses_none_that_follow(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    open_socket(database, "a")
    subscribe(database, "a", since=1_000_000)
    raise_alerts(database, customer, "low")

    deliver(database, push)

    assert push.alert_ids("a") == [1]


@pytest.mark.parametrize(
    ("since", "expected"),
    [("03:04:04", [1, 2, 3, 4]), ("03:04:05", [2, 3, 4]), ("03:04:06", [2, 3, 4]), ("03:04:08", [])],
    ids=["before", "at the time of one alert", "at the time that two share", "after"],
)
def test_since_a_time(database: Database, since: str, expected: list[int]) -> None:
    push = FakePush()
    customer = add_customer(database)
    raise_alerts(database, customer, "low", created_at="2026-01-02 03:04:05")
    raise_alerts(database, customer, "low", "low", created_at="2026-01-02 03:04:06")
    raise_alerts(database, customer, "low", created_at="2026-01-02 03:04:07")
    open_socket(database, "a")
    subscribe(database, "a", since=datetime.fromisoformat(f"2026-01-02T{since}").replace(tzinfo=UTC))

    deliver(database, push)

    assert push.alert_ids("a") == expected


def test_subscribing_again_loses_no_alert_that_is_on_its_way(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "a")
    raise_alerts(database, customer, "high")
    subscribe(database, "a", min_priority="medium")

    deliver(database, push)

    assert push.alert_ids("a") == [1]


def test_a_socket_that_is_gone_is_forgotten_and_the_others_get_their_alerts(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "gone", "here")
    push.gone.add("gone")
    raise_alerts(database, customer, "low")

    done = deliver(database, push)
    raise_alerts(database, customer, "low")
    deliver(database, push)

    assert (done.posted, done.gone) == (1, 1)
    assert push.attempts["gone"] == 1
    assert push.alert_ids("here") == [1, 2]


def test_a_slow_socket_holds_up_nobody_and_goes_on_where_it_stopped(database: Database, mysql_url: str) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "slow", "fast")
    push.blocked["slow"] = threading.Event()
    raise_alerts(database, customer, "low")

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: deliver(Database(mysql_url), push))
        eventually(lambda: push.alert_ids("fast") == [1])
        raise_alerts(database, customer, "low")
        deliver(database, push)
        # By this call, or by the first, which may hold the socket for a moment more.
        eventually(lambda: push.alert_ids("fast") == [1, 2])
        push.blocked.pop("slow").set()
        first.result()

    assert push.alert_ids("slow") == [1, 2]


def test_who_is_throttled_is_tried_again_in_the_same_call(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "a")
    push.not_now["a"] = [0.1]
    raise_alerts(database, customer, "low", "low")

    done = deliver(database, push)

    assert done.paused == 1
    assert push.alert_ids("a") == [1, 2]


def test_a_lease_is_returned_though_the_database_was_away_after_the_post(database: Database, mysql_url: str) -> None:
    port = urlsplit(mysql_url).port
    assert port is not None
    with TcpProxy(port) as proxy:

        class Cut(FakePush):
            def post(self, connection_id: str, message: bytes) -> None:
                super().post(connection_id, message)
                if connection_id == "a":
                    proxy.refuse(refuses=True)
                    proxy.cut()
                    threading.Timer(0.7, lambda: proxy.refuse(refuses=False)).start()

        push = Cut()
        customer = add_customer(database)
        listening(database, "a")
        raise_alerts(database, customer, "high")
        with_bad_connection = Database(mysql_url.replace(f":{port}/", f":{proxy.port}/"), attempts=1)
        assert deliver(with_bad_connection, push).posted == 1
        with_bad_connection.close()
    # Nobody waits for the end of the lease, and nothing comes twice.
    raise_alerts(database, customer, "low")
    assert deliver(database, FakePush()).posted == 1


def test_who_timed_out_is_left_alone_for_a_while(database: Database) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "a")
    push.not_now["a"] = [60]
    raise_alerts(database, customer, "low")

    deliver(database, push)
    deliver(database, push)
    assert push.attempts["a"] == 1

    subscribe(database, "a")
    deliver(database, push)
    assert push.alert_ids("a") == [1]


def test_under_concurrent_commits_a_socket_that_resumes_gets_each_alert_once_in_order(
    database: Database, mysql_url: str
) -> None:
    push = FakePush()
    customer = add_customer(database)
    listening(database, "old")
    under_way = threading.Event()

    def committer(number: int) -> None:
        own = Database(mysql_url)
        for round_ in range(25):
            raise_alerts(own, customer, "low", "high")
            deliver(own, push)
            if number == 0 and round_ == 5:
                under_way.set()
        own.close()

    def newcomer() -> None:
        own = Database(mysql_url)
        assert under_way.wait(60)
        open_socket(own, "new")
        subscribe(own, "new", since=0)
        deliver(own, push)
        own.close()

    with ThreadPoolExecutor(5) as pool:
        for future in [*(pool.submit(committer, number) for number in range(4)), pool.submit(newcomer)]:
            future.result()

    assert push.alert_ids("old") == list(range(1, 201))
    assert push.alert_ids("new") == list(range(1, 201))
