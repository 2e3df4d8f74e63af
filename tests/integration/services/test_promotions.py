"""The figures tell of the model that answers now: from its promotion on, before a score by it is stored."""

from datetime import timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.timestamps import iso
from churn.ml.random_forest import ChurnModel
from churn.services.dashboard import Dashboard
from churn.services.model_versions import ModelVersions
from churn.services.promotions import record_promotion
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, order
from tests.support.registry import model, publish
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})


def _right(share: float, day: int, compared_with: ChurnModel | None = None) -> ChurnModel:
    """Return a version that was right about a share of the customers in its test."""
    return model(day, compared_with=compared_with).with_metadata(metrics={"forest": {"accuracy": share}})


def _told(database: Database) -> tuple[Any, Any, str | None]:
    stats = Dashboard(database, Cache(""), _SETTINGS).stats(NOW)
    return stats["model_accuracy"], stats["last_model_update"], stats["links"]["last_model_update"]


def _link(of: ChurnModel) -> str:
    return f"/api/models/{of.version}"


def test_the_figures_follow_each_promotion_at_once(database: Database, registry: S3ModelRegistry) -> None:
    first = _right(0.7, 1)
    second, third = _right(0.8, 2, first), model(3, compared_with=first)
    publish(registry, first, second, third)
    versions = ModelVersions(registry, database, lambda _: None)

    def serve(served: ChurnModel, minute: int) -> None:
        scoring = Scoring(database, served, _SETTINGS, promoted_at=lambda: NOW + timedelta(minutes=minute))
        assert scoring.apply([order()], now=NOW + timedelta(minutes=minute)).new_model == served.version

    assert _told(database) == (None, None, None)
    versions.promote(first.version, by="ann", reason=None, force=False, now=NOW)
    assert _told(database) == (70, iso(NOW), _link(first))
    serve(first, 0)
    later = NOW + timedelta(minutes=5)
    versions.promote(second.version, by="ann", reason=None, force=False, now=later)
    assert _told(database) == (80, iso(later), _link(second))
    # Processes that have not loaded it yet go on as they were, and are told of nothing.
    old = Scoring(database, first, _SETTINGS, promoted_at=lambda: NOW)
    assert old.apply([order()], now=later).new_model is None
    assert old.due(0, now=later) == []
    assert _told(database) == (80, iso(later), _link(second))
    serve(second, 5)
    assert _told(database) == (80, iso(later), _link(second))
    # Back to a version that has served before; one without figures has no accuracy.
    back = later + timedelta(minutes=5)
    versions.roll_back(by="ann", reason=None, now=back)
    assert _told(database) == (70, iso(back), _link(first))
    versions.promote(third.version, by="ann", reason=None, force=False, now=back + timedelta(minutes=5))
    assert _told(database)[0] is None


def test_a_promotion_that_cannot_be_recorded_stands(
    database: Database, registry: S3ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    record_promotion(database, registry)
    assert rows(database, "SELECT version FROM models") == []
    publish(registry, model(1))
    registry.promote(model(1).version, by="ann", reason=None, now=NOW)
    database.close()
    away = Database("mysql://root@127.0.0.1:1/churn", connect_timeout=1, attempts=1)
    record_promotion(away, registry)
    assert registry.promotion_state().version == model(1).version
    assert "the promotion could not be recorded" in caplog.text
