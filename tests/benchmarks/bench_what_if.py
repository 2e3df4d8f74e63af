"""What-ifs that contradict what everybody takes for granted, counted over 2,000 customers of a shop.

Without a file the shop is simulated. `OPTIONS="--file orders.csv.gz --horizon 90 --lookback 365 --test-at 2011-09-10"`
takes the customers of a file of orders, as they stood on the day that the model is tested from; it learns from before.
What the training reports of the tested window is printed first.
"""

from __future__ import annotations

import argparse
import os
import random
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from churn.domain.customer import observed_kinds
from churn.domain.events import Event
from churn.domain.model import kind_of
from churn.domain.timestamps import parse_timestamp
from churn.training import Plan, table, train
from infra.tools.importer.history import Options
from infra.tools.importer.parser import read_history
from infra.tools.simulator import simulate
from tests.benchmarks.frame import Bench, Row, one
from tests.support.contradictions import (
    IN_ORDER,
    TAKEN_FOR_GRANTED,
    Contradictions,
    contradictions,
    contradictions_in_order,
    stored_customers,
)

_CUSTOMERS = 2000
_MOST = 0.005
_SIMULATED = datetime(2026, 1, 1, tzinfo=UTC)

Histories = list[tuple[str, Sequence[Event]]]


def measure(_: Bench) -> Iterator[Row]:
    """Yield the share of contradictions of each question."""
    options = _options()
    histories = _of_file(options.file) if options.file else _simulated()
    end = max(event.timestamp for _, events in histories for event in events)
    plan = Plan(
        horizon_days=options.horizon, lookback_days=options.lookback, test_at=options.test_at,
        fit_at=tuple(options.fit_at or ()), blend=not options.forest,
    )  # fmt: skip
    at = options.test_at or end - timedelta(days=options.horizon)
    trained = train(histories, now=end + timedelta(seconds=1), plan=plan)
    model = trained.model
    print(table(trained.report), flush=True)
    random.Random(1).shuffle(histories)
    observed = observed_kinds(event for _, events in histories for event in events)
    customers = stored_customers(histories, at, observed, options.lookback)[:_CUSTOMERS]
    told = f"{len(customers):,} customers as of {at:%Y-%m-%d}, {kind_of(model.metadata)}"
    asked: dict[str, Callable[[], Contradictions]] = {
        **{name: partial(contradictions, model, customers, *one) for name, one in TAKEN_FOR_GRANTED.items()},
        **{name: partial(contradictions_in_order, model, customers, asks) for name, asks in IN_ORDER.items()},
    }
    for name, count in asked.items():
        begun = time.process_time()
        found = count()
        each = (time.process_time() - begun) / max(1, found.asked)
        yield Row(f"{name}: contradictions, {told}", "%", one(100 * found.share), at_most=100 * _MOST)
        yield Row(f"{name}: the worst", "points", one(found.worst))
        yield Row(f"{name}: a customer's questions", "ms", one(each * 1000))


def _options() -> argparse.Namespace:
    """Return what OPTIONS asks for, in the form of a command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--horizon", type=int, default=90)
    parser.add_argument("--lookback", type=int, default=180)
    parser.add_argument("--test-at", type=parse_timestamp)
    parser.add_argument("--forest", action="store_true", help="the forest alone, without the blend that serves")
    parser.add_argument("--fit-at", type=parse_timestamp, action="append")
    return parser.parse_args(shlex.split(os.environ.get("OPTIONS", "")))


def _of_file(path: Path) -> Histories:
    with read_history(path, Options(kind="orders"), now=datetime.now(UTC)) as history:
        own = groupby(history.events(), key=attrgetter("customer_id"))
        return [(customer_id, [*events]) for customer_id, events in own]


def _simulated() -> Histories:
    start = _SIMULATED - timedelta(days=548)
    return [(one.customer_id, one.events) for one in simulate(6000, seed=1, start=start, end=_SIMULATED)]
