"""The training function's daily task: the version that serves, with the purchase process of the day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.events import Event
from churn.services.process_update import bring_up_to_now
from churn.services.scoring import Scoring
from churn.services.training_runs import Run, StoredHistories, begin_without_labels, run_training
from churn.settings import Settings
from churn.training import Plan
from tests.support.events import NOW, order
from tests.support.models import RecencyModel
from tests.support.registry import model, promote, publish

_SETTINGS = Settings.from_environment({})
_LATER = NOW + timedelta(days=45)


@pytest.fixture
def begun(database: Database, registry: S3ModelRegistry) -> str:
    """Store a shop with its purchase process, and that two in three fall silent then; return the version."""
    orders = [
        order(f"C-{number}", days_ago=day, value=20 + number % 7)
        for number in range(120)
        for day in range(number % 20, 90, 10 + number % 25)
    ]
    _store(database, orders, NOW)
    histories = StoredHistories(database)
    plan = Plan(horizon_days=_SETTINGS.horizon_days, lookback_days=_SETTINGS.inactivity_days)
    release = begin_without_labels(histories, registry, plan=plan, now=NOW, service_version="1", by="a test")
    assert release is not None
    late = [order(f"C-{number}", days_ago=-day) for number in range(0, 120, 3) for day in (10, 30)]
    _store(database, late, _LATER)
    return release.trained.model.version


def _store(database: Database, events: list[Event], now: datetime) -> None:
    Scoring(database, RecencyModel(), _SETTINGS).apply(events, now=now)


def _ask(database: Database, registry: S3ModelRegistry, now: datetime) -> dict[str, Any]:
    return bring_up_to_now(database, registry, _SETTINGS, now=now)


def test_the_version_of_the_day_serves_is_told_and_is_rolled_back(
    database: Database, registry: S3ModelRegistry, begun: str
) -> None:
    answer = _ask(database, registry, _LATER)
    state = registry.promotion_state()
    assert state.version == answer["version"] != begun
    assert (state.history[-1].by, state.history[-1].reason) == ("purchase process", answer["reason"])
    assert not state.history[-1].forced
    served = registry.load(answer["version"])
    assert served.metadata["freshness"]["as_of"].startswith(_LATER.date().isoformat())
    row = {"total_orders": 3.0, "days_since_last_order": 45.0, "account_age_days": 90.0}
    # Two in three customers have fallen silent: who is silent is more likely to be gone.
    assert served.probabilities([row])[0] > registry.load(begun).probabilities([row])[0]
    # The same orders again make no other version.
    again = _ask(database, registry, _LATER)
    assert again["version"] is None
    assert "hardly at all" in again["reason"]
    assert registry.roll_back(by="ann", reason=None, now=_LATER).version == begun


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({}, "no purchase process of its own"),
        ({"current_process": {}, "spending": {}, "source": "sample"}, "learned from what is simulated"),
        ({"current_process": {}, "spending": {}, "source": "history", "horizon_days": 30}, "30 days ahead"),
        (
            {
                "source": "history",
                "horizon_days": 90,
                "freshness": {"served": "refitted", "as_of": "2026-01-31T10:15:00Z", "trained_version": "gone"},
            },
            "Version gone, which the training made, is not there",
        ),
    ],
)
def test_a_version_that_cannot_be_brought_up_to_now_stays(
    database: Database, registry: S3ModelRegistry, metadata: dict[str, Any], says: str
) -> None:
    process = {"r": 1.0, "alpha": 90.0, "a": 0.8, "b": 2.5, "horizon_days": 90.0}
    known = {"current_process": process, "spending": {"p": 4.0, "q": 3.5, "gamma": 20.0}}
    served = model(1).with_metadata(**{**(known if metadata else {}), **{k: v for k, v in metadata.items() if v != {}}})
    publish(registry, served)
    promote(registry, served)
    _store(database, [order(f"C-{number}", days_ago=number % 40) for number in range(60)], NOW)
    answer = _ask(database, registry, NOW)
    assert answer["version"] is None
    assert says in answer["reason"]
    assert registry.promotion_state().version == served.version


def test_a_shop_without_a_version_is_left_alone(database: Database, registry: S3ModelRegistry) -> None:
    assert _ask(database, registry, NOW) == {"version": None, "reason": "No version serves."}


def test_a_promotion_in_the_meantime_stays(
    database: Database, registry: S3ModelRegistry, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = model(2)
    publish(registry, other)
    publish_first = S3ModelRegistry.publish

    def publish_late(self: S3ModelRegistry, artifact: Any, **more: Any) -> None:
        publish_first(self, artifact, **more)
        self.promote(other.version, by="ann", reason=None, now=_LATER, force=True)

    monkeypatch.setattr(S3ModelRegistry, "publish", publish_late)
    answer = _ask(database, registry, _LATER)
    assert answer["version"] is None
    assert f"compared with version {begun}" in answer["reason"]
    assert registry.promotion_state().version == other.version


def test_a_share_of_the_customers_stands_for_all_the_same_each_time(database: Database) -> None:
    _store(database, [order(f"C-{number}", days_ago=number % 40) for number in range(200)], NOW)
    some = [name for name, _ in StoredHistories(database, 50)]
    assert 20 < len(some) < 90
    assert some == [name for name, _ in StoredHistories(database, 50)]
    assert len(list(StoredHistories(database, 500))) == len(list(StoredHistories(database))) == 200
    sampled = [StoredHistories(database, most).sampled_from for most in (50, 200, 500, None)]
    assert sampled == [200, None, None, None]


def test_the_training_function_reads_a_sample_of_many_customers_and_says_so(
    database: Database, registry: S3ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(database, [order(f"C-{number}", days_ago=number % 40) for number in range(200)], NOW)
    monkeypatch.setattr("churn.training.MOST_CUSTOMERS", 50)
    steps: list[str] = []
    monkeypatch.setattr(Run, "progress", lambda _, step: steps.append(step))
    run_training({}, database=database, registry=registry, settings=_SETTINGS, clock=lambda: NOW)
    assert steps[0] == "a sample of 50 stands for 200 customers"
