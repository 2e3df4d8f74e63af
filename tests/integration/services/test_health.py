"""Health says what requests meet with: with a database that is read-only, and the registry, Redis or pollers away."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.mysql import Database, component_reports
from churn.adapters.mysql.app_user import make_user
from churn.adapters.mysql.component_reports import Report
from churn.domain.errors import UnavailableError
from churn.services.component_reports import Reporter
from churn.services.health import HealthChecks
from churn.settings import Settings
from infra.local.servers.databases import free_port
from tests.support import eventually
from tests.support.forests import small_model


class _Held:
    version = "20261101T000000Z"
    refused: str | None = None


@pytest.fixture
def environment(database: Database, mysql_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """Return an environment in which all is well."""
    database.run(lambda transaction: transaction.execute("DELETE FROM component_reports"))
    path = tmp_path / "model.npz"
    path.write_bytes(small_model().to_bytes())
    return {"DATABASE_URL": mysql_url, "REDIS_URL": redis_url, "MODEL_PATH": str(path)}


class _Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def checks(variables: dict[str, str], clock: _Clock | None = None) -> HealthChecks:
    return HealthChecks(Settings.from_environment(variables), clock or _Clock())


def ask(health: HealthChecks) -> dict[str, Any]:
    return dict(health.health(datetime.now(UTC)))


def not_up(answer: dict[str, Any]) -> dict[str, str]:
    return {name: check["status"] for name, check in answer["checks"].items() if check["status"] != "up"}


@pytest.fixture
def limited_url(database: Database, mysql_url: str) -> Iterator[str]:
    """Yield the URL of a user as the functions have it: a server that is read-only refuses what it writes."""
    make_user(database, "functions", "secret")
    scheme, _, rest = mysql_url.partition("://")
    yield f"{scheme}://functions:secret@{rest.rpartition('@')[2]}"
    database.run(lambda transaction: transaction.execute("DROP USER functions@'%%'"))


@contextmanager
def read_only(database: Database) -> Iterator[None]:
    def switch(value: int) -> None:
        # Not within a transaction.
        database.run(lambda t: [t.execute("COMMIT"), t.execute(f"SET GLOBAL read_only = {value}")])

    switch(1)
    try:
        yield
    finally:
        switch(0)


def test_while_nothing_can_be_written_it_is_degraded_and_heals(
    environment: dict[str, str], database: Database, limited_url: str
) -> None:
    clock = _Clock()
    health = checks(environment | {"DATABASE_URL": limited_url}, clock)
    assert ask(health)["status"] == "healthy"
    with read_only(database):
        clock.at += 10
        answer = ask(health)
        assert (answer["status"], not_up(answer)) == ("degraded", {"writes": "down"})
        assert answer["checks"]["writes"]["detail"] == "DatabaseOperationError 1290"
        # Another process, such as one that has just started, finds the same.
        assert not_up(ask(checks(environment | {"DATABASE_URL": limited_url}))) == {"writes": "down"}
    clock.at += 10
    assert ask(health)["status"] == "healthy"


def test_it_writes_at_most_every_ten_seconds_for_all_processes_together(
    environment: dict[str, str], database: Database
) -> None:
    def written() -> datetime | None:
        return database.run(component_reports.stored)["health"].written_at

    clock = _Clock()
    first, second = checks(environment, clock), checks(environment, clock)
    now = datetime.now(UTC)
    first.health(now)
    at = written()
    for seconds in (3, 6, 9):
        clock.at += 3
        first.health(now + timedelta(seconds=seconds))
        second.health(now + timedelta(seconds=seconds))
        assert written() == at
    clock.at += 3
    second.health(now + timedelta(seconds=12))
    assert written() != at


def test_it_keeps_its_connections_as_functions_do(environment: dict[str, str], database: Database) -> None:
    def connections() -> int:
        row = database.run(lambda transaction: transaction.row("SHOW GLOBAL STATUS LIKE 'Connections'"))
        assert row
        return int(row["Value"])

    clock = _Clock()
    health = checks(environment, clock)
    ask(health)
    before = connections()
    clock.at += 60
    assert ask(health)["status"] == "healthy"
    assert connections() == before


def test_predictions_that_work_are_not_called_down_while_the_registry_is_away(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    away = {"MODEL_BUCKET": "models", "MODEL_PATH": str(tmp_path / "none.npz")}
    assert ask(checks(environment | away))["status"] == "unhealthy"
    Reporter("prediction", environment["DATABASE_URL"], _Held()).note()
    answer = ask(checks(environment | away))
    assert (answer["status"], not_up(answer)) == ("degraded", {"model": "fallback"})
    assert (answer["model_loaded"], answer["model_version"]) == (True, _Held.version)
    assert answer["checks"]["model"]["held"] == {"prediction": _Held.version}


def test_a_registry_that_hangs_does_not_call_down_what_a_function_holds(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Reporter("scoring", environment["DATABASE_URL"], _Held()).note()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        health = checks(environment | {"MODEL_BUCKET": "models", "MODEL_PATH": "/nowhere.npz"})
        for _ in range(2):
            answer = ask(health)
            assert (answer["status"], not_up(answer)) == ("degraded", {"model": "fallback"})
            assert "scoring holds" in answer["checks"]["model"]["detail"]


def test_without_redis_it_is_degraded(environment: dict[str, str]) -> None:
    answer = ask(checks(environment | {"REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}))
    assert (answer["status"], not_up(answer)) == ("degraded", {"cache": "down"})


def test_without_a_database_nothing_is_served(environment: dict[str, str]) -> None:
    answer = ask(checks(environment | {"DATABASE_URL": f"mysql://root@127.0.0.1:{free_port()}/churn"}))
    assert answer["status"] == "unhealthy"
    assert {"database", "reads", "writes"} <= not_up(answer).keys()


# -- ingestion


@contextmanager
def source(topic: Mapping[str, Any] | None = None, *, running_seconds: float = 90_000, **more: Any) -> Iterator[str]:
    """Serve what a gateway says of its event source; `topic` is looked at for each answer."""

    def body() -> bytes:
        told = {"waiting": 0, "behind_seconds": 0.0, "cause": None, "delivered": 5} | dict(topic or {}) | more
        return json.dumps({"running_seconds": running_seconds, "kafka": [told], "queues": []}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/status"
        server.shutdown()


def test_reading_that_stands_still_is_told_with_its_cause(environment: dict[str, str]) -> None:
    cause = "the batch at offset 4 of partition 1 cannot be read: UncompressError"
    with source(waiting=7, behind_seconds=95.2, cause=cause) as url:
        answer = ask(checks(environment | {"EVENT_SOURCE_URL": url}))
    assert (answer["status"], not_up(answer)) == ("degraded", {"ingestion": "down"})
    ingestion = answer["checks"]["ingestion"]
    assert (ingestion["waiting"], ingestion["behind_seconds"]) == (7, 95.2)
    assert ingestion["detail"] == f"7 records wait, for 95 s: {cause}"


def test_a_source_that_is_away_is_told(environment: dict[str, str]) -> None:
    answer = ask(checks(environment | {"EVENT_SOURCE_URL": f"http://127.0.0.1:{free_port()}/status"}))
    assert not_up(answer) == {"ingestion": "down"}
    assert answer["checks"]["ingestion"]["detail"] == "EventSourceUnavailableError"


def test_a_good_answer_of_the_source_is_told_for_a_second_and_a_bad_one_once(environment: dict[str, str]) -> None:
    def behind() -> float:
        return float(ask(health)["checks"]["ingestion"]["behind_seconds"])

    topic: dict[str, Any] = {"behind_seconds": 1.0}
    clock = _Clock()
    with source(topic) as url:
        health = checks(environment | {"EVENT_SOURCE_URL": url}, clock)
        assert behind() == 1
        topic["behind_seconds"] = 95.0
        clock.at += 0.9
        assert behind() == 1
        clock.at += 0.2
        assert behind() == 95
        topic["behind_seconds"] = 0.0
        assert behind() == 0


def test_an_idle_shop_is_healthy_and_the_age_of_its_last_batch_is_told(
    environment: dict[str, str], database: Database
) -> None:
    last = datetime(2026, 1, 1, tzinfo=UTC)
    database.run(lambda t: component_reports.note(t, Report("scoring", last, last, written_at=last, done_at=last)))
    with source(waiting=0) as url:
        for more in ({}, {"EVENT_SOURCE_URL": url}):
            answer = ask(checks(environment | more))
            assert answer["status"] == "healthy"
            assert answer["checks"]["ingestion"]["last_applied"] == "2026-01-01T00:00:00Z"


def test_dead_letters_of_the_last_hour_are_told(environment: dict[str, str], database: Database) -> None:
    now = datetime.now(UTC)
    for offset, at in enumerate((now, now - timedelta(minutes=59), now - timedelta(minutes=61))):
        letter = ("t", 0, offset, bytes([offset]) * 32, "a reason", at)
        database.run(
            lambda t, row=letter: t.insert_many(  # type: ignore[misc]
                "INSERT INTO dead_letters (topic, partition_id, record_offset, content_hash, reason, failed_at)", [row]
            )
        )
    answer = ask(checks(environment))
    assert (answer["status"], answer["checks"]["ingestion"]["dead_letters_last_hour"]) == ("healthy", 2)


# -- the sweep


@pytest.mark.parametrize(
    ("hours_ago", "running_hours", "status"), [(0.9, 50, "up"), (1.1, 50, "down"), (60, 0.9, "up"), (60, 1.1, "down")]
)
def test_a_sweep_that_is_overdue_is_told(
    environment: dict[str, str], database: Database, hours_ago: float, running_hours: float, status: str
) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    database.run(lambda t: component_reports.note(t, Report("rescoring", at, at, done_at=at)))
    with source(running_seconds=running_hours * 3600) as url:
        sweep = ask(checks(environment | {"EVENT_SOURCE_URL": url}))["checks"]["sweep"]
    assert sweep["status"] == status


def test_a_sweep_that_has_never_run_is_told_after_an_hour(environment: dict[str, str], database: Database) -> None:
    at = datetime.now(UTC) - timedelta(hours=2)
    database.run(lambda t: component_reports.note(t, Report("rescoring", at, at)))
    assert ask(checks(environment))["checks"]["sweep"]["detail"] == "no sweep has ever ended"


# -- reports of the functions


def test_a_function_whose_last_statement_failed_is_named(environment: dict[str, str], database: Database) -> None:
    now = datetime.now(UTC)
    before = now - timedelta(seconds=30)
    failed = Report("customers", before, now, read_at=before, failed_at=now, failure="OperationalError 1290")
    database.run(lambda t: component_reports.note(t, failed))
    answer = ask(checks(environment))
    assert (answer["status"], not_up(answer)) == ("degraded", {"database": "fallback", "reads": "fallback"})
    assert "customers failed at " in answer["checks"]["reads"]["detail"]
    later = Report("customers", before, now, read_at=now + timedelta(seconds=1))
    database.run(lambda t: component_reports.note(t, later))
    assert ask(checks(environment))["status"] == "healthy"


@pytest.mark.usefixtures("environment")
def test_environments_of_a_function_share_a_row_in_which_the_newest_counts(database: Database) -> None:
    old, new = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    busy = Report("scoring", old, new, new, old, old, "OperationalError 1", new, "v2")
    idle = Report("scoring", old, old, old, new, new, "OperationalError 2", None, None)
    for reports in ((busy, idle), (idle, busy)):
        database.run(lambda transaction: transaction.execute("DELETE FROM component_reports"))
        for report in reports:
            database.run(lambda t, report=report: component_reports.note(t, report))  # type: ignore[misc]
        stored = database.run(component_reports.stored)["scoring"]
        assert stored == Report("scoring", old, new, new, new, new, "OperationalError 2", new, "v2")


def test_reports_are_at_most_one_in_ten_seconds(environment: dict[str, str], database: Database) -> None:
    def done_at() -> datetime | None:
        report = database.run(component_reports.stored).get("scoring")
        return None if report is None else report.done_at

    clock = _Clock()
    reporter = Reporter("scoring", environment["DATABASE_URL"], clock=clock)
    reporter.note(done=True)
    # A report that takes long is written after the answer.
    first = eventually(done_at)
    clock.at += 9.9
    reporter.note(done=True)
    assert done_at() == first
    clock.at += 0.1
    reporter.note()
    eventually(lambda: done_at() != first)


def test_a_report_tells_what_the_functions_own_work_came_to(environment: dict[str, str], database: Database) -> None:
    gone = Database(f"mysql://root@127.0.0.1:{free_port()}/churn", attempts=1)
    with pytest.raises(UnavailableError):
        gone.run(lambda transaction: transaction.rows("SELECT 1"))
    Reporter("stats", environment["DATABASE_URL"]).note()
    stored = eventually(lambda: database.run(component_reports.stored).get("stats"))
    assert stored is not None
    assert (stored.is_failing, stored.failure) == (True, "OperationalError 2003")


def test_a_report_of_a_failure_is_corrected_as_soon_as_work_succeeds(
    environment: dict[str, str], database: Database
) -> None:
    def is_failing() -> bool | None:
        report = database.run(component_reports.stored).get("stats")
        return None if report is None else report.is_failing

    def fail() -> None:
        with pytest.raises(UnavailableError):
            gone.run(lambda transaction: transaction.rows("SELECT 1"))

    clock = _Clock()
    reporter = Reporter("stats", environment["DATABASE_URL"], clock=clock)
    gone = Database(f"mysql://root@127.0.0.1:{free_port()}/churn", attempts=1)
    fail()
    reporter.note()
    eventually(lambda: is_failing() is True)
    clock.at += 1
    fail()
    # It still fails, and has been told.
    reporter.note()
    assert is_failing() is True
    reporter.note()
    eventually(lambda: is_failing() is False)


@pytest.mark.parametrize("hangs", [True, False])
def test_a_report_is_never_in_the_way(*, hangs: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if hangs else free_port()
        reporter = Reporter("customers", f"mysql://root@127.0.0.1:{port}/churn")
        started = time.monotonic()
        reporter.note()
        assert time.monotonic() - started < 1
