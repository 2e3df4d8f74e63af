"""Training on 100,000 customers with 2 million events: time and peak memory.

The histories are a simulated shop's, thinned to so many events, each customer ten times under other names, in a file
that is read anew each time they are gone through, as the database's are. `CUSTOMERS=2000` asks for a smaller shop.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from churn.domain.events import Event
from churn.domain.timestamps import from_millis
from churn.training import Plan, table, train
from infra.tools.simulator import simulate
from tests.benchmarks.frame import Bench, Row, one

_CUSTOMERS = int(os.environ.get("CUSTOMERS", "100000"))
# Of these, one in twelve is kept: a customer then has 20 events on average.
_CHATTER = frozenset({"product_viewed", "login", "email_sent", "email_opened", "email_clicked", "cart_abandoned"})
_KEPT = 12
_NAMES = 10


class FiledHistories:
    """Histories in a file of JSON lines, a customer each."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Iterator[tuple[str, list[Event]]]:
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                customer_id, events = json.loads(line)
                yield (
                    customer_id,
                    [Event(name, kind, customer_id, from_millis(at), data) for name, kind, at, data in events],
                )


def measure(_: Bench) -> Iterator[Row]:
    """Yield the time and the memory of a training."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "histories.jsonl"
        events = _write(path, _CUSTOMERS, now)
        begun, used = time.monotonic(), time.process_time()

        def progress(step: str) -> None:
            print(f"{time.monotonic() - begun:6.1f} s  {_peak():4.2f} GB  {step}", flush=True)

        trained = train(FiledHistories(path), now=now, plan=Plan(), progress=progress)
    seconds, busy = time.monotonic() - begun, time.process_time() - used
    print(table(trained.report))
    what = f"training on {events:,} events"
    yield Row(f"{what}, by the clock", "s", one(seconds), size=_CUSTOMERS)
    yield Row(f"{what}, of processors", "s", one(busy), size=_CUSTOMERS)
    yield Row(f"{what}, memory at most", "GB", one(_peak()), at_most=3, size=_CUSTOMERS)


def _write(path: Path, customers: int, now: datetime) -> int:
    written = 0
    with path.open("w", encoding="utf-8") as file:
        for customer in simulate(customers // _NAMES, seed=1, start=now - timedelta(days=548), end=now):
            kept = [
                [event.event_id, event.event_type, event.at, dict(event.data)]
                for number, event in enumerate(customer.events)
                if event.event_type not in _CHATTER or number % _KEPT == 0
            ]
            written += len(kept) * _NAMES
            for name in range(_NAMES):
                file.write(json.dumps([f"{customer.customer_id}-{name}", kept]) + "\n")
    return written


def _peak() -> float:
    """Return the most memory that this process has had, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
