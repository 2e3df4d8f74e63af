"""Where a score comes from: every answer with a probability says what its model learned from."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import read_migrations
from churn.adapters.redis_cache import Cache
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.events import Event
from churn.services.customer_story import CustomerStory, RiskQuery
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.predictions import PredictionQuery, list_predictions
from churn.services.scoring import Scoring
from churn.services.training_runs import Release, StoredHistories, begin_without_labels
from churn.settings import Settings
from churn.training import Plan
from infra.tools.importer import command
from infra.tools.simulator import simulate
from tests.conftest import MIGRATIONS
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.registry import BUCKET, model, publish
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_KEY = "a key that signs what an import fits"


class _Sourced(RecencyModel):
    def __init__(self, source: str | None) -> None:
        super().__init__()
        self.version = f"of-{source}"
        self.metadata = {"metrics": {}} | ({} if source is None else {"source": source})


@pytest.mark.parametrize(
    ("source", "said"), [("sample", "simulated"), ("history", "shop"), ("prior", "prior"), (None, None)]
)
def test_every_stored_score_says_what_its_model_learned_from(
    database: Database, redis_url: str, source: str | None, said: str | None
) -> None:
    Scoring(database, _Sourced(source), _SETTINGS).apply([order(days_ago=50)], now=NOW)
    customers = Customers(database, _SETTINGS)
    (listed,) = customers.page(CustomerQuery(), NOW)["customers"]
    (stored,) = list_predictions(database, PredictionQuery(5))["predictions"]
    story = CustomerStory(database, _SETTINGS.retention)
    answers: list[dict[str, Any]] = [dict(listed), dict(customers.get("CUST-001", NOW)), dict(stored)]
    answers += [
        dict(story.then("CUST-001", NOW, NOW)),
        dict(story.predictions("CUST-001", RiskQuery())["predictions"][0]),
    ]
    assert [answer["model_source"] for answer in answers] == [said] * 5
    # Nothing is known of how often it is right.
    assert Dashboard(database, Cache(redis_url), _SETTINGS).stats(NOW)["model_accuracy"] is None


def test_versions_of_before_get_their_source_from_their_metadata(database: Database) -> None:
    Scoring(database, _Sourced("sample"), _SETTINGS).apply([order(days_ago=50)], now=NOW)
    (migration,) = [one for one in read_migrations(MIGRATIONS) if one.name.startswith("0029")]
    update = migration.statements[-1]
    database.run(lambda transaction: transaction.execute("UPDATE models SET source = NULL"))
    database.run(lambda transaction: transaction.execute(update.replace("%", "%%")))
    found = database.run(lambda transaction: transaction.rows("SELECT source FROM models"))
    assert found == [{"source": "simulated"}]


def _shop(customers: int, days: int) -> list[Event]:
    return [
        order(f"OWN-{number}", days_ago=day)
        for number in range(customers)
        for day in range(number % 20, days, 20 + number % 15)
    ]


def _begin(database: Database, registry: S3ModelRegistry, minute: int = 0) -> Release | None:
    now = NOW + timedelta(minutes=minute)
    histories = StoredHistories(database)
    return begin_without_labels(histories, registry, plan=Plan(), now=now, service_version="1", by="a test")


def test_one_order_of_its_own_makes_a_shop_of_the_sample(database: Database) -> None:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    start = NOW - timedelta(days=60)
    sample = [event for one in simulate(5, seed=1, start=start, end=NOW) for event in one.events]
    scoring.apply([*sample, event("login", "CUST-001")], now=NOW)
    sampled = StoredHistories(database)
    assert sampled.source == "sample"
    assert sum(len(events) for _, events in sampled) == len(sample) + 1
    scoring.apply([order("CUST-001", value=9)], now=NOW)
    own = StoredHistories(database)
    assert own.source == "history"
    assert [(name, {one.event_type for one in events}) for name, events in own] == [
        ("CUST-001", {"login", "order_placed"})
    ]


def test_a_shop_with_orders_is_never_left_to_a_simulated_model(database: Database, registry: S3ModelRegistry) -> None:
    simulated = model(1).with_metadata(source="sample")
    publish(registry, simulated)
    registry.promote(simulated.version, by="a test", reason="first", now=NOW)
    # Nothing is known of the shop: what is usual takes the simulated model's place, once.
    first = _begin(database, registry)
    assert first is not None
    assert registry.load(first.trained.model.version).metadata["source"] == "prior"
    assert registry.promotion_state().version == first.trained.model.version
    assert _begin(database, registry, 1) is None
    # Its orders are there: the purchase process is fitted to them at once, and stays.
    Scoring(database, RecencyModel(), _SETTINGS).apply(_shop(80, 120), now=NOW)
    second = _begin(database, registry, 2)
    assert second is not None
    assert registry.promotion_state().version == second.trained.model.version
    assert registry.load(second.trained.model.version).metadata["source"] == "history"
    assert _begin(database, registry, 3) is None
    registry.roll_back(by="a test", reason=None, now=NOW)
    assert registry.load(str(registry.promotion_state().version)).metadata["source"] == "prior"


@pytest.fixture
def importing(mysql_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the command import into the test's database, and know its registry."""
    set_up = {"DATABASE_URL": mysql_url, "MODEL_BUCKET": BUCKET, "MODEL_SIGNING_KEY": _KEY, "ERASURE_KEY": "k" * 32}
    for name, value in set_up.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CHURN_STATE_DIR", str(tmp_path / "state"))


@pytest.mark.usefixtures("importing")
def test_an_import_fits_the_purchase_process_at_once(
    database: Database, registry: S3ModelRegistry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "orders.csv"
    lines = [f"{one.customer_id},{one.event_id},{one.timestamp.isoformat()},20" for one in _shop(80, 120)]
    file.write_text("\n".join(["customer_id,order_id,timestamp,order_value", *lines]))
    assert command.main([str(file)]) == 0
    assert "the purchase process of 80 customers" in capsys.readouterr().out
    state = registry.promotion_state()
    assert registry.load(str(state.version)).metadata["source"] == "history"
    # While it ran, what is usual for shops scored: nothing of a simulated shop.
    sources = {row["source"] for row in rows(database, "SELECT source FROM models")}
    assert sources == {"prior", "shop"}
    assert [registry.load(change.version).metadata["source"] for change in state.history] == ["prior", "history"]


@pytest.mark.usefixtures("importing")
def test_when_an_import_ends_every_stored_score_is_of_the_version_that_serves(
    database: Database, s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = S3ModelRegistry(BUCKET, s3, signing_key=_KEY)
    few, export = tmp_path / "few.csv", tmp_path / "export.csv"
    head = "customer_id,order_id,timestamp,order_value"
    lines = [f"{one.customer_id},{one.event_id},{one.timestamp.isoformat()},20" for one in _shop(90, 120)]
    few.write_text("\n".join([head, *(line for line in lines if line.startswith("OWN-1"))]))
    export.write_text("\n".join([head, *lines]))
    versions = "SELECT DISTINCT model_version AS version FROM customers"
    # Of too few customers no purchase process is known: what is usual for shops serves on, and knows their values.
    assert command.main([str(few)]) == 0
    prior = registry.load(rows(database, versions)[0]["version"])
    assert prior.metadata["source"] == "prior"
    assert rows(database, "SELECT id FROM customers WHERE expected_spend IS NULL OR expected_orders IS NULL") == []
    assert "as it is usual for shops" in capsys.readouterr().out
    # The same orders again tell nothing new.
    assert command.main([str(few)]) == 0
    assert rows(database, versions) == [{"version": prior.version}]
    assert "were scored by it" not in capsys.readouterr().out
    for imported in (export, export):
        assert command.main([str(imported)]) == 0
        assert rows(database, versions) == [{"version": registry.promotion_state().version}]
    assert "90 customers were scored by it" in capsys.readouterr().out
    assert rows(database, "SELECT id FROM alerts") == []


@pytest.mark.usefixtures("importing", "database")
def test_a_later_import_fits_the_process_again_with_what_it_brings(
    s3: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = S3ModelRegistry(BUCKET, s3, signing_key=_KEY)
    log, export = tmp_path / "log.csv", tmp_path / "export.csv"
    lines = [f"{one.customer_id},{one.event_id},{one.timestamp.isoformat()}" for one in _shop(80, 120)]
    log.write_text("\n".join(["customer_id,order_id,timestamp", *lines]))
    export.write_text("\n".join(["customer_id,order_id,timestamp,order_value", *(f"{line},20" for line in lines)]))
    assert command.main([str(log)]) == 0
    first = str(registry.promotion_state().version)
    assert registry.load(first).metadata["spending"] is None
    assert command.main([str(export)]) == 0
    version = str(registry.promotion_state().version)
    assert f"was fitted to all orders again: version {version}" in capsys.readouterr().out
    assert version != first
    assert registry.load(version).metadata["spending"] is not None
    assert command.main([str(export)]) == 0
    assert registry.promotion_state().version == version


@pytest.mark.usefixtures("importing", "database")
@pytest.mark.parametrize(("share", "is_fitted"), [(0.3, True), (0.7, False)])
def test_a_file_that_touches_few_customers_leaves_the_process_to_the_daily_update(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, is_fitted: bool
) -> None:
    registry = S3ModelRegistry(BUCKET, s3, signing_key=_KEY)
    log, later = tmp_path / "log.csv", tmp_path / "later.csv"
    lines = [f"{one.customer_id},{one.event_id},{one.timestamp.isoformat()}" for one in _shop(80, 120)]
    log.write_text("\n".join(["customer_id,order_id,timestamp", *lines]))
    assert command.main([str(log)]) == 0
    first = registry.promotion_state().version
    # Values of the orders of half the customers: worth a version.
    half = {f"OWN-{number}" for number in range(40)}
    valued = [f"{line},20" for line in lines if line.split(",")[0] in half]
    later.write_text("\n".join(["customer_id,order_id,timestamp,order_value", *valued]))
    monkeypatch.setattr(command, "_SHARE_FITTED_AGAIN", share)
    assert command.main([str(later)]) == 0
    assert (registry.promotion_state().version != first) is is_fitted
