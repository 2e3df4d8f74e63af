"""Each figure of the dashboard opens the list of exactly what it counts or sums."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, hourly_stats
from churn.adapters.mysql.alert_work import resolve
from churn.adapters.redis_cache import Cache
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.services.current_model import CurrentModel
from churn.services.dashboard import Dashboard
from churn.services.scoring import Scoring
from churn.services.training_runs import release
from churn.settings import Settings, settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.registry import BUCKET, model
from tests.support.rest import ask, load

_FUNCTIONS = {"/api/customers": "customers", "/api/alerts": "alerts", "/api/models": "models"}
_ACTIVE_BEFORE = 40
Get = Callable[[str], Any]


class _PromotedModel(RecencyModel):
    """What the functions that score hold of a version of the registry."""

    def __init__(self, version: str) -> None:
        super().__init__()
        self.version = version
        self.metadata = {"metrics": {"forest": {"accuracy": 0.8125}}}


@pytest.fixture
def promoted_at(database: Database, registry: S3ModelRegistry) -> datetime:
    """Fill a shop with customers of every status and risk, alerts, and a version; return when the version began."""
    now = datetime.now(UTC)
    at = now - timedelta(minutes=3)
    at = at.replace(microsecond=0)
    version = model(1)
    release(registry, version, by="training", now=at, report={"auc": 0.61}, html="<h1>Report</h1>")
    scoring = Scoring(database, _PromotedModel(version.version), Settings.from_environment({}), promoted_at=lambda: at)
    # Events are placed from NOW.
    past = (NOW - now) / timedelta(days=1)
    events = []
    for number in range(60):
        customer = f"CUST-{number:03d}"
        events.append(event("customer_registered", customer, days_ago=past + 10 * (number % 60)))
        if number % 6:
            ages = (4.1 * number, 4.1 * number + 40)
            events += [order(customer, days_ago=past + days, value=9.99 + number) for days in ages]
        if number % 5 == 2:
            events.append(event("payment_failed", customer, days_ago=past + 0.01, order_id="o1"))
    alerts = scoring.apply(events, now=now).alert_ids
    for number in alerts[::3]:
        resolve(database, number, "ann", None, now)
    hour = (now - timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
    # The test may run into the next hour.
    hours = [(one, _ACTIVE_BEFORE, 0, 0, 0) for one in (hour, hour + timedelta(hours=1))]
    database.run(lambda transaction: hourly_stats.put(transaction, hours, now))
    return at


@pytest.fixture
def get(monkeypatch: pytest.MonkeyPatch, mysql_url: str) -> Iterator[Get]:
    """Yield what follows a path to the function that answers it."""
    monkeypatch.setenv("JWT_SECRET", "s" * 32)
    for name, value in {"DATABASE_URL": mysql_url, "REDIS_URL": "", "MODEL_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRAINING_FUNCTION", "no-such-function")
    monkeypatch.setenv("SCORING_FUNCTION", "no-such-function")
    settings.cache_clear()
    modules: dict[str, ModuleType] = {name: load(name) for name in (*_FUNCTIONS.values(), "stats")}

    def get(path: str) -> Any:
        function = next((name for start, name in _FUNCTIONS.items() if path.startswith(start)), "stats")
        answer = ask(modules[function].app, "GET", path, role="read")
        assert answer.status == 200, (path, answer.body)
        return answer.json

    yield get
    for holder in (modules["stats"]._dashboard, modules["customers"]._customers, modules["alerts"], modules["models"]):
        holder._database.close()
    settings.cache_clear()


def _leaves(value: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, Any]]:
    for key, item in value.items():
        path = f"{name}.{key}" if name else key
        if isinstance(item, Mapping):
            yield from _leaves(item, path)
        else:
            yield path, item


def _pages(get: Get, link: str) -> Iterator[Any]:
    """Yield the pages of a list, by its cursors."""
    separator, cursor = "&" if "?" in link else "?", ""
    while True:
        page = get(f"{link}{separator}limit=7{cursor}")
        yield page
        if page["next_cursor"] is None:
            return
        cursor = f"&cursor={page['next_cursor']}"


def _listed(get: Get, link: str) -> list[dict[str, Any]]:
    """Return all rows of a list, and hold that every page tells their number."""
    pages = list(_pages(get, link))
    rows: list[dict[str, Any]] = list(chain.from_iterable(page.get("customers", page.get("alerts")) for page in pages))
    assert {page["total"] for page in pages} == {len(rows)}
    return rows


def test_every_figure_opens_what_it_counts_or_sums(get: Get, promoted_at: datetime) -> None:
    stats = get("/api/dashboard/stats")
    figures, links = dict(_leaves(stats)), dict(_leaves(stats["links"]))
    assert stats["last_model_update"] == f"{promoted_at:%Y-%m-%dT%H:%M:%SZ}"
    for name, link in links.items():
        if link.startswith("/api/models/"):
            found = get(link)
            assert found == {"auc": 0.61} if name == "model_accuracy" else found["role"] == "current"
            continue
        rows, figure = _listed(get, link), figures[name]
        assert rows, name
        if name == "churn_rate":
            assert (len(rows), _ACTIVE_BEFORE) == (stats["churned_customers"], stats["active_customers_before"])
            assert figure == round(100 * len(rows) / _ACTIVE_BEFORE, 2)
        elif name == "revenue_at_risk":
            assert round(sum(row["value_at_risk"] or 0 for row in rows), 2) == figure > 0
            assert [row["revenue_at_risk"] for row in rows] == [row["value_at_risk"] for row in rows]
        elif name == "average_churn_probability":
            known = [row["churn_probability"] for row in rows if row["churn_probability"] is not None]
            assert sum(known) / len(known) == pytest.approx(figure, abs=2e-6)
        else:
            assert len(rows) == figure > 0, name
    others = {"model_accuracy_basis", "generated_at", "currency", "churned_customers", "active_customers_before"}
    # What `last_model_update` links to tells it.
    others.add("model_source")
    # It has links of its own, and is null while no outcome is known.
    others.add("alert_outcomes")
    assert links.keys() == {name for name in figures if not name.startswith("links.")} - others


def test_the_model_is_of_when_its_version_began_to_serve(
    database: Database, registry: S3ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_BUCKET", BUCKET)
    held = Settings.from_environment(os.environ)
    first, second = model(1), model(2)
    release(registry, first, by="training", now=NOW)
    registry.publish(second)

    def told(minutes: int) -> str | None:
        """Return what the dashboard tells once a new function environment has scored something."""
        current = CurrentModel(held)
        scoring = Scoring(database, current, held, promoted_at=lambda: current.promoted_at, renew=current.renew)
        scoring.apply([order()], now=NOW + timedelta(minutes=minutes))
        return Dashboard(database, Cache(""), held).stats(NOW)["last_model_update"]

    assert told(1) == told(50) == "2026-11-23T12:00:00Z"
    registry.promote(second.version, by="ann", reason=None, now=NOW + timedelta(minutes=60), force=True)
    assert told(61) == told(62) == "2026-11-23T13:00:00Z"
    registry.roll_back(by="ann", reason=None, now=NOW + timedelta(minutes=70))
    assert told(71) == told(90) == "2026-11-23T13:10:00Z"
