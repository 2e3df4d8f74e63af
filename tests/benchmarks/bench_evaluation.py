"""The nightly evaluation of a shop with 100,000 customers, each predicted three times in a week.

A week whose outcomes have become known, served and shadow, the comparison of the two, and drift.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np

from churn.adapters.mysql import Database, orders
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.domain.customer import replay
from churn.domain.features import FEATURE_NAMES
from churn.domain.orders import MemoryLedger
from churn.domain.timestamps import to_millis
from churn.ml.drift import reference
from churn.ml.random_forest import ChurnModel
from churn.services.model_monitoring import compare_challengers, evaluate_weeks, watch_drift
from churn.settings import Settings
from infra.tools.simulator import simulate
from tests.benchmarks.frame import Bench, Row, one, timed
from tests.support.forests import fitted_forest, metadata, trees_of
from tests.support.large_shop import schema

CUSTOMERS = int(os.environ.get("CUSTOMERS", "100000"))
_SIMULATED = 2000
_MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
_NOW = _MONDAY + timedelta(days=7 + 91)
_MIGRATIONS = Path(__file__).parents[2] / "infra" / "migrations"


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what each part of the evaluation takes, and its memory."""
    with schema(bench.server_url, "evaluated") as url:
        # In another process, whose memory is not that of the evaluation.
        filling = get_context("spawn").Process(target=_fill, args=(url,))
        filling.start()
        filling.join()
        database = Database(url)
        settings = Settings.from_environment({})
        model = ChurnModel.from_trees(trees_of(fitted_forest(trees=20)), metadata())
        before_them = np.ones(100)
        model.metadata["reference"] = reference(dict.fromkeys(FEATURE_NAMES, before_them), before_them)
        before = _memory()
        parts: dict[str, Callable[[], object]] = {
            "a week, in two roles": lambda: evaluate_weeks(database, settings, now=_NOW, time_left=lambda: True),
            "comparing challenger and champion": lambda: compare_challengers(database, settings, now=_NOW),
            "drift": lambda: watch_drift(database, model, settings, now=_NOW),
        }
        for what, work in parts.items():
            yield Row(f"evaluation: {what}", "s", one(timed(work)), size=CUSTOMERS)
        database.close()
        yield Row("evaluation: memory that it adds", "MB", one(_memory() - before), size=CUSTOMERS)


def _fill(url: str) -> None:
    database, chance = Database(url, statement_timeout=120), Random(1)
    migrate(database, read_migrations(_MIGRATIONS))
    shop = simulate(_SIMULATED, seed=1, start=_NOW - timedelta(days=540), end=_NOW)
    ledgers = [MemoryLedger() for _ in shop]
    states = [replay(customer.events, to_millis(_NOW), ledger) for customer, ledger in zip(shop, ledgers, strict=True)]
    texts = [state.to_json() for state in states]
    keys = range(1, CUSTOMERS + 1)
    times = [_MONDAY + timedelta(hours=chance.uniform(0, 40) + 48 * number) for number in range(3)]
    head = "(customer_pk, model_version, churn_probability, created_at"
    inserts: list[tuple[str, list[tuple[object, ...]]]] = [
        (
            "INSERT INTO customers (id, customer_id, status, last_order_at, created_at, updated_at)",
            [
                (key, f"C-{key}", "active", state.last_order_at, _MONDAY, _MONDAY)
                for key, state in zip(keys, cycle(states), strict=False)
            ],
        ),
        ("INSERT INTO customer_states (customer_pk, state)", [*zip(keys, cycle(texts), strict=False)]),
        (
            f"INSERT INTO predictions {head}, risk_level, confidence)",
            [(key, "v1", chance.random(), at, "low", 1.0) for at in times for key in keys],
        ),
        (
            f"INSERT INTO shadow_predictions {head})",
            [(key, "v2", chance.random(), at) for at in times for key in keys],
        ),
    ]
    for statement, rows in inserts:
        for first in range(0, len(rows), 20_000):
            part = rows[first : first + 20_000]
            database.run(lambda transaction, to=statement, of=part: transaction.insert_many(to, of))  # type: ignore[misc]
    for key, ledger in zip(keys, cycle(ledgers), strict=False):
        placed = [((key, order_id), order) for order_id, order in ledger.by_id.items()]
        database.run(lambda transaction, of=placed: orders.write(transaction, of))  # type: ignore[misc]


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
