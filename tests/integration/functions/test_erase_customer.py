"""`DELETE /api/customers/{id}`: the event that erases is queued, versions that learned are told, training forgets."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest
from moto import mock_aws

from churn.adapters import aws_clients
from churn.adapters.event_queue import read_message
from churn.adapters.mysql import Database, models
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.events import parse_event
from churn.services.model_versions import ModelVersions
from churn.services.scoring import Scoring
from churn.services.training_runs import StoredHistories
from churn.settings import Settings, settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.registry import model, publish
from tests.support.rest import ask, load
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an empty queue."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        aws_clients.client.cache_clear()
        yield aws_clients.client("sqs").create_queue(QueueName="events")["QueueUrl"]
    aws_clients.client.cache_clear()


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database, queue: str) -> Iterator[ModuleType]:
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.setenv("EVENTS_QUEUE", queue)
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    _scoring(database).apply([order("C-1", days_ago=50), order("C-2", days_ago=5)], now=NOW)
    yield load("customers")
    settings.cache_clear()


def _scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _queued(queue: str) -> list[str]:
    found = aws_clients.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    return [text for message in found for text in read_message(message["Body"])]


def _serve(database: Database, version: str, trained: datetime, fitted: datetime, source: str = "history") -> None:
    facts = {"source": source, "trained_at": trained.isoformat(), "fitted_at": [fitted.isoformat()]}
    database.run(lambda transaction: models.record_serving(transaction, version, facts, NOW))


def test_the_event_that_erases_is_queued_and_erases(function: ModuleType, database: Database, queue: str) -> None:
    answer = ask(function.app, "DELETE", "/api/customers/C-1", subject="anna")
    assert answer.status == 202, answer.body
    (text,) = _queued(queue)
    sent = json.loads(text)
    assert (sent["event_type"], sent["customer_id"]) == ("customer_deleted", "C-1")
    assert sent["event_id"] == answer.json["event_id"]
    _scoring(database).apply([parse_event(text.encode(), now=datetime.now(UTC))], now=datetime.now(UTC))
    assert ask(function.app, "GET", "/api/customers/C-1").status == 404
    # Who asked is told, and when it was done.
    told = rows(database, "SELECT subject, operation, status FROM audit WHERE action = 'erasure' ORDER BY id")
    assert [tuple(row.values()) for row in told] == [
        ("anna", "erase_customer", None),
        ("anna", "erase_customer", 202),
        (None, "customer_deleted", None),
    ]


def test_versions_that_have_served_and_learned_from_them_are_told(function: ModuleType, database: Database) -> None:
    day = timedelta(days=1)
    _serve(database, "before-them", NOW - day, NOW - 60 * day)
    _serve(database, "learned", NOW - day, NOW - 40 * day)
    _serve(database, "simulated", NOW - day, NOW - 40 * day, source="sample")
    assert ask(function.app, "DELETE", "/api/customers/C-1").json["learned_by"] == ["learned"]
    assert ask(function.app, "DELETE", "/api/customers/C-2").json["learned_by"] == []


def test_nobody_is_erased_who_is_not_there_or_by_who_may_not(function: ModuleType, queue: str) -> None:
    assert ask(function.app, "DELETE", "/api/customers/C-9").status == 404
    assert ask(function.app, "DELETE", "/api/customers/C-1", role="act").status == 403
    assert _queued(queue) == []


def test_while_the_queue_is_away_nothing_is_promised(function: ModuleType, queue: str) -> None:
    aws_clients.client("sqs").delete_queue(QueueUrl=queue)
    answer = ask(function.app, "DELETE", "/api/customers/C-1")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_training_learns_nothing_of_who_was_erased_from_then_on(database: Database) -> None:
    scoring = _scoring(database)
    scoring.apply([order("C-1", days_ago=50), order("C-2", days_ago=5)], now=NOW)
    assert {customer_id for customer_id, _ in StoredHistories(database)} == {"C-1", "C-2"}
    scoring.apply([event("customer_deleted", "C-1")], now=NOW)
    # What comes late of them brings nothing back.
    scoring.apply([order("C-1", days_ago=20)], now=NOW)
    assert [customer_id for customer_id, _ in StoredHistories(database)] == ["C-2"]


def test_a_version_tells_from_how_many_erased_customers_it_learned(
    database: Database, registry: S3ModelRegistry
) -> None:
    before, after = (model(day).with_metadata(source="history", fitted_at=["2026-03-01T00:00:00Z"]) for day in (2, 28))
    publish(registry, before, after, model(3).with_metadata(source="sample"))
    versions = ModelVersions(registry, database, lambda _: None)
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    erased_at = datetime(2026, 5, 20, tzinfo=UTC)
    at = {"early": datetime(2026, 1, 1, tzinfo=UTC), "late": datetime(2026, 4, 1, tzinfo=UTC)}
    for name, first in at.items():
        days = (NOW - first) / timedelta(days=1)
        scoring.apply([order(name, days_ago=days)], now=erased_at)
    scoring.apply(
        [event("customer_deleted", name, days_ago=(NOW - erased_at) / timedelta(days=1)) for name in at], now=erased_at
    )
    listed = {one["version"]: one["learned_from_erased"] for one in versions.overview(10, NOW)["versions"]}
    assert listed[before.version] == versions.version(before.version)["learned_from_erased"] == 1
    assert listed[after.version] == 0
    assert [*listed.values()].count(0) == 2
