"""The connection's own promises, on a real server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.adapters.breaker import PROBE_EVERY_SECONDS, Breaker
from churn.adapters.mysql import (
    Database,
    DatabaseOperationError,
    DatabaseUnavailableError,
    DataRefusedError,
    StatementRefusedError,
    Transaction,
)
from churn.adapters.mysql.database import SESSION_SETTINGS
from churn.adapters.mysql.statement_parts import in_parts, literal
from churn.adapters.request_time import REQUEST_TIME, SLOW_SECONDS
from tests.support.clock import FakeClock
from tests.support.silent import SilentServer
from tests.support.statements import PINS_FROM_BYTES, logged
from tests.support.tcp_proxy import TcpProxy


def test_an_instant_comes_back_in_utc_with_its_milliseconds_not_rounded(database: Database) -> None:
    east = timezone(timedelta(hours=2))
    at = datetime(2026, 11, 23, 14, 0, 59, 999_999, tzinfo=east)
    database.run(
        lambda transaction: transaction.execute(
            "INSERT INTO models (version, metadata, loaded_at) VALUES ('v', '{}', %s)", (at,)
        )
    )
    row = database.run(lambda transaction: transaction.row("SELECT loaded_at FROM models"))
    assert row == {"loaded_at": datetime(2026, 11, 23, 12, 0, 59, 999_000, tzinfo=UTC)}


def test_a_lost_connection_is_opened_anew(mysql_url: str, database: Database) -> None:
    row = database.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))
    assert row is not None
    other = Database(mysql_url)
    other.run(lambda transaction: transaction.execute(f"KILL {row['id']}"))
    other.close()
    again = database.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))
    assert again is not None
    assert again["id"] != row["id"]


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    def work(transaction: Transaction) -> None:
        transaction.execute("INSERT INTO counters VALUES ('half', 1)")
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        database.run(work)
    found = database.run(lambda transaction: transaction.row("SELECT 1 FROM counters WHERE name = 'half'"))
    assert found is None


def test_a_server_that_is_away_is_said_to_be() -> None:
    away = Database("mysql://root@127.0.0.1:9/churn", connect_timeout=0.2, attempts=2)
    with pytest.raises(DatabaseUnavailableError):
        away.run(lambda transaction: transaction.row("SELECT 1"))


@pytest.fixture(autouse=True)
def new_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin a request, and have nothing of it stay for others."""
    monkeypatch.setattr(REQUEST_TIME, "_left", REQUEST_TIME.left)
    REQUEST_TIME.begin()


@pytest.fixture
def silent() -> Iterator[SilentServer]:
    server = SilentServer()
    yield server
    server.close()


def _url(server: SilentServer) -> str:
    return f"mysql://root@127.0.0.1:{server.port}/churn"


def _select(database: Database) -> object:
    return database.run(lambda transaction: transaction.row("SELECT 1 AS one"))


def _divides(_: Transaction) -> float:
    return 1 / 0


def test_a_server_that_hangs_costs_one_request_the_wait_and_others_nothing(silent: SilentServer) -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(clock)
    first, second = (Database.for_requests(_url(silent), breaker=breaker) for _ in range(2))
    with pytest.raises(DatabaseUnavailableError):
        _select(first)
    asked = silent.taken
    assert asked >= 1
    for database in (first, second, first):
        with pytest.raises(DatabaseUnavailableError, match="a moment ago"):
            _select(database)
    assert silent.taken == asked
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        _select(second)
    with pytest.raises(DatabaseUnavailableError, match="a moment ago"):
        _select(first)


def test_health_asks_a_server_that_hangs_each_time(silent: SilentServer) -> None:
    database = Database.for_requests(_url(silent), breaker=None)
    for times in (1, 2):
        with pytest.raises(DatabaseUnavailableError):
            _select(database)
        assert silent.taken >= times


def test_a_request_that_tries_a_server_that_hangs_waits_for_its_greeting_alone(silent: SilentServer) -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(clock)
    requests = Database.for_requests(_url(silent), breaker=breaker)
    breaker.open()
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(DatabaseUnavailableError, match="does not answer"):
        _select(requests)
    # Neither the statement's connection nor another look at the server after it.
    assert silent.taken == 1
    assert not breaker.admits()


@pytest.mark.usefixtures("database")
def test_connecting_to_a_slow_server_counts_and_opens_the_breaker(mysql_url: str) -> None:
    address = urlsplit(mysql_url)
    with TcpProxy(address.port or 3306) as proxy:
        breaker = Breaker(FakeClock(0.0))
        url = mysql_url.replace(f":{address.port}/", f":{proxy.port}/")
        requests = Database.for_requests(url, breaker=breaker)
        # Each way, so that each of the statements that begin a session is within its time-out.
        proxy.delay(0.3)
        with pytest.raises(DatabaseUnavailableError, match="does not answer"):
            _select(requests)
        assert REQUEST_TIME.left <= 0
        with pytest.raises(DatabaseUnavailableError, match="a moment ago"):
            _select(requests)


@pytest.mark.usefixtures("database")
def test_the_probe_that_is_answered_lets_all_others_in_again(mysql_url: str) -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(clock)
    requests = Database.for_requests(mysql_url, breaker=breaker)
    breaker.open()
    clock.now += PROBE_EVERY_SECONDS
    # An answer that the caller does not like is one too.
    with pytest.raises(DataRefusedError):
        requests.run(lambda transaction: transaction.execute("INSERT INTO counters VALUES (REPEAT('x', 999), 1)"))
    assert _select(requests) == {"one": 1}
    breaker.open()
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(ZeroDivisionError):
        requests.run(_divides)
    assert _select(requests) == {"one": 1}
    requests.close()


@pytest.mark.usefixtures("database")
def test_the_slow_statements_of_a_request_take_two_seconds_together(mysql_url: str) -> None:
    for seconds, answered in ((0.88, 2), (0.44, 4), (0.1, 25)):
        requests = Database.for_requests(mysql_url, breaker=Breaker(FakeClock(0.0)))

        def asked(seconds: float = seconds, requests: Database = requests) -> object:
            return requests.run(lambda transaction: transaction.row(f"SELECT SLEEP({seconds}) AS slept"))

        # What one request took is nothing to the next.
        REQUEST_TIME.begin()
        assert [asked() for _ in range(answered)] == [{"slept": 0}] * answered
        if seconds > SLOW_SECONDS:
            with pytest.raises(DatabaseUnavailableError):
                asked()
        requests.close()


@pytest.mark.usefixtures("database")
def test_batches_have_no_such_limit(mysql_url: str) -> None:
    batches = Database(mysql_url)
    for _ in range(3):
        batches.run(lambda transaction: transaction.row("SELECT SLEEP(0.8)"))
    batches.close()


@pytest.mark.usefixtures("database")
def test_a_statement_that_waits_for_a_lock_stops_nobody_else(mysql_url: str) -> None:
    requests = Database.for_requests(mysql_url, breaker=Breaker(FakeClock(0.0)))
    with pytest.raises(DatabaseUnavailableError):
        requests.run(lambda transaction: transaction.row("SELECT SLEEP(5)"))
    assert _select(requests) == {"one": 1}
    requests.close()


def test_a_connection_that_died_idle_costs_no_request(mysql_url: str, database: Database) -> None:
    breaker = Breaker(FakeClock(0.0))
    requests = Database.for_requests(mysql_url, breaker=breaker)
    row = requests.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))
    assert row is not None
    database.run(lambda transaction: transaction.execute(f"KILL {row['id']}"))
    assert _select(requests) == {"one": 1}
    requests.close()


@pytest.mark.parametrize(
    ("statement", "error_type", "kind", "code"),
    [
        ("INSERT INTO counters VALUES (REPEAT('x', 999), 1)", DataRefusedError, "DataError", 1406),
        ("SELECT 1 FROM no_such_table", DatabaseOperationError, "ProgrammingError", 1146),
        ("SELECT no_such_column FROM counters", DatabaseOperationError, "OperationalError", 1054),
    ],
)
def test_a_refused_statement_is_told_by_the_adapter(
    database: Database, statement: str, error_type: type[StatementRefusedError], kind: str, code: int
) -> None:
    with pytest.raises(StatementRefusedError) as refused:
        database.run(lambda transaction: transaction.execute(statement))
    assert (type(refused.value), refused.value.kind, refused.value.code) == (error_type, kind, code)


def test_all_that_one_answer_reads_is_of_one_instant(mysql_url: str, database: Database) -> None:
    database.run(lambda transaction: transaction.execute("INSERT INTO totals (name, shard, value) VALUES ('t', 0, 1)"))
    other = Database(mysql_url)

    def twice(transaction: Transaction) -> list[int]:
        query = "SELECT value FROM totals WHERE name = 't'"
        first = transaction.row(query)
        other.run(lambda meanwhile: meanwhile.execute("UPDATE totals SET value = 2 WHERE name = 't'"))
        second = transaction.row(query)
        return [row["value"] for row in (first, second) if row]

    assert database.read(twice) == [1, 1]
    # The next transaction is an ordinary one again.
    assert database.run(twice) == [2, 2]
    other.close()


def test_a_snapshot_changes_nothing(database: Database) -> None:
    with pytest.raises(DatabaseOperationError):
        database.read(lambda transaction: transaction.execute("UPDATE counters SET value = value"))


def test_statements_are_cut_at_what_the_server_takes(small_packets: Database) -> None:
    # 300 rows of 9 KB, written as twice as much: each of their characters is escaped.
    rows = [(key, "\\" * 9_000, None) for key in range(1, 301)]
    written = small_packets.run(
        lambda transaction: transaction.insert_many(
            "INSERT INTO customer_states (customer_pk, state, contributions)",
            rows,
            "ON DUPLICATE KEY UPDATE state = VALUES(state)",
        )
    )
    assert written == 300
    among = "SELECT customer_pk, state FROM customer_states WHERE customer_pk IN ({values})"
    keys = [*range(1, 20_000), 300]
    found = small_packets.run(lambda transaction: transaction.rows_among(among, keys))
    assert sorted({row["customer_pk"]: row["state"] for row in found}.items()) == [row[:2] for row in rows]
    assert small_packets.run(lambda transaction: transaction.rows_among(among, [])) == []
    deleted = small_packets.run(
        lambda transaction: transaction.execute_among(
            "DELETE FROM customer_states WHERE customer_pk IN ({values})", range(20_000)
        )
    )
    assert deleted == 300


def test_a_row_that_no_statement_can_hold_is_refused_for_its_data(small_packets: Database) -> None:
    with pytest.raises(DataRefusedError, match="max_allowed_packet"):
        small_packets.run(
            lambda transaction: transaction.insert_many(
                "INSERT INTO customer_states (customer_pk, state)", [(1, "x" * 70_000)]
            )
        )


def test_a_request_sends_no_statement_that_pins_a_session_of_a_proxy(mysql_url: str, database: Database) -> None:
    requests, batches = Database.for_requests(mysql_url), Database(mysql_url)
    query = "SELECT customer_id FROM customers WHERE customer_id IN ({values})"
    longest = {}
    for name, asks in (("requests", requests), ("batches", batches)):
        with logged(database, asks) as statements:
            asks.run(lambda transaction: transaction.rows_among(query, [f"{number:0200}" for number in range(500)]))
        longest[name] = max(statements)
        asks.close()
    assert longest["requests"] < PINS_FROM_BYTES < longest["batches"]


def test_behind_a_proxy_a_session_sets_nothing_that_pins_it(mysql_url: str) -> None:
    direct = Database(mysql_url)
    behind_proxy = Database(f"{mysql_url}{'&' if '?' in mysql_url else '?'}proxy=true")
    settings = "SELECT @@innodb_lock_wait_timeout AS own, @@GLOBAL.innodb_lock_wait_timeout AS servers"
    seconds = [database.run(lambda transaction: transaction.row(settings)) for database in (direct, behind_proxy)]
    # The proxy's initial query sets it on the proxy's connections.
    assert seconds == [{"own": 10, "servers": 50}, {"own": 50, "servers": 50}]
    direct.close()
    behind_proxy.close()


def test_a_server_takes_what_a_proxy_sends_when_it_connects(database: Database) -> None:
    row = database.run(lambda transaction: transaction.row("SELECT VERSION() AS version"))
    assert row is not None
    # MariaDB before 11.1 has the older name alone.
    name = "tx_isolation" if "MariaDB" in row["version"] else "transaction_isolation"
    database.run(lambda transaction: transaction.execute(f"SET {SESSION_SETTINGS}, {name} = 'READ-COMMITTED'"))
    own = database.run(lambda transaction: transaction.row(f"SELECT @@{name} AS isolation, @@time_zone AS zone"))
    assert own == {"isolation": "READ-COMMITTED", "zone": "+00:00"}


def test_a_snapshot_leaves_the_isolation_of_the_next_transaction_alone(mysql_url: str, database: Database) -> None:
    database.run(lambda transaction: transaction.execute("INSERT INTO totals (name, shard, value) VALUES ('i', 0, 1)"))
    session = Database(mysql_url)
    for reads in (session.read, session.run, session.read):
        seen: list[int] = []

        def twice(transaction: Transaction, seen: list[int] = seen) -> None:
            for _ in range(2):
                row = transaction.row("SELECT value FROM totals WHERE name = 'i'")
                assert row is not None
                seen.append(row["value"])
                database.run(lambda other: other.execute("UPDATE totals SET value = value + 1 WHERE name = 'i'"))

        reads(twice)
        assert seen[1] - seen[0] == (1 if reads == session.run else 0)
    session.close()


_VALUES = [
    *("", "o'hara", "back\\slash", 'say "hi"', "line\nend\r\t\0\x1a", "Zoë 客户 🛒", "%s {} ;--"),
    *(0, -7, 2**62, 0.1, -1.5e-9, 1e300, True, False, None, b"", b"\x00'\\\xff", Decimal("12.34")),
    *(datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2)))),
]


def test_a_value_in_a_list_of_rows_means_what_it_means_alone(database: Database) -> None:
    found = database.run(lambda transaction: [_written_and_bound(transaction, value) for value in _VALUES])
    assert [written for written, _ in found] == [bound for _, bound in found]


def _written_and_bound(transaction: Transaction, value: object) -> tuple[object, object]:
    # BINARY: bytes and texts alike, without the rules of a comparison of texts.
    written, kind = literal(value).replace("%", "%%"), "DATETIME(6)" if isinstance(value, datetime) else "BINARY"
    row = transaction.row(f"SELECT CAST({written} AS {kind}) AS written, CAST(%s AS {kind}) AS bound", (value,))
    assert row is not None
    return row["written"], row["bound"]


@given(st.lists(st.text(min_size=1, max_size=9)), st.integers(1, 5), st.integers(1, 40))
def test_parts_hold_every_literal_in_order_within_both_limits(literals: list[str], most: int, most_bytes: int) -> None:
    parts = list(in_parts(literals, most, most_bytes))
    assert [literal for part in parts for literal in part] == literals
    for part in parts:
        assert len(part) <= most
        assert len(part) == 1 or len(", ".join(part).encode("utf-8", "surrogatepass")) <= most_bytes
