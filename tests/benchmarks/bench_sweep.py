"""The rescoring sweep of a shop of which three in ten customers are due, and of one in which nobody is.

`CUSTOMERS=100000` sets the size. Ten thousand customers live through their orders; the others are copies of them. In
time of the clock, of this process's processor, and of the database's.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import batched

from churn.adapters.mysql import Database, Transaction
from churn.domain.customer_record import COLUMNS
from churn.domain.events import Event
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from tests.support.own_database import scoring_on_a_database_of_its_own, seconds_of_servers

CUSTOMERS = int(os.environ.get("CUSTOMERS", "20000"))
LIVED = min(CUSTOMERS, 10_000)
ACTIVE = 3 * LIVED // 10
_NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_REPEATS = 5
_COPIED = {
    "customers": (
        ("id", "id + %s"),
        ("customer_id", "CONCAT(customer_id, '-', %s)"),
        *((one, one) for one in COLUMNS[2:]),
    ),
    "customer_states": (("customer_pk", "customer_pk + %s"), ("state", "state"), ("contributions", "contributions")),
    "predictions": (
        ("customer_pk", "customer_pk + %s"),
        *((one, one) for one in ("risk_level", "churn_probability", "confidence", "model_version", "reasons")),
        *((one, one) for one in ("as_of", "created_at", "value_at_risk", "is_active")),
    ),
}


def main() -> None:
    """Fill a database, sweep while nobody is due, then those who are."""
    # Trained in a process of its own: what that takes is no memory of a sweep.
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        model = read_model(process.submit(_trained).result())
    with scoring_on_a_database_of_its_own(model, statement_timeout=600) as (database, scoring):
        began = time.perf_counter()
        _fill(scoring, range(ACTIVE), _NOW - timedelta(days=2))
        _fill(scoring, range(ACTIVE, LIVED), _NOW)
        _copy(database)
        print(f"filled                  {time.perf_counter() - began:12.0f} s", flush=True)
        _report(scoring)


def _trained() -> bytes:
    from tests.support.forests import fitted_forest, metadata, trees_of  # noqa: PLC0415  (it loads scikit-learn)

    return ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata()).to_bytes()


def _report(scoring: Scoring) -> None:
    began, used, database = time.perf_counter(), time.process_time(), seconds_of_servers()
    scored = sweep(scoring, now=_NOW, time_left=lambda: True).scored
    took, used, database = (
        time.perf_counter() - began, time.process_time() - used, seconds_of_servers() - database,
    )  # fmt: skip
    print(f"{scored:,} of {CUSTOMERS:,} customers due   {took:8.2f} s   {scored / took:9,.0f} a second")
    print(f"a customer                  {used / scored * 1e6:9,.0f} µs of this process's processor")
    print(f"                            {database / scored * 1e6:9,.0f} µs of the database's")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory                      {memory:9,.0f} MB")
    idle = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        if sweep(scoring, now=_NOW + timedelta(minutes=15), time_left=lambda: True).scored:
            raise RuntimeError("somebody was due")
        idle.append(time.perf_counter() - began)
    print(f"nobody of {CUSTOMERS:,} due        {statistics.median(idle) * 1000:9.1f} ms")


def _fill(scoring: Scoring, numbers: range, now: datetime) -> None:
    for part in batched(numbers, 500, strict=False):
        events = [_order(number, order, now) for number in part for order in range(4)]
        scoring.apply(events, now=now, raise_alerts=False)


def _order(number: int, order: int, now: datetime) -> Event:
    at = now - timedelta(days=1 + order * 20 + number % 19)
    data = {"order_id": f"o-{number}-{order}", "order_value": 20.0 + number % 90}
    return Event(f"e-{number}-{order}", "order_placed", f"C-{number}", at, data)


def _copy(database: Database) -> None:
    """Copy the customers who lived until there are enough, with their states and predictions."""
    last = database.run(lambda transaction: transaction.rows("SELECT MAX(id) AS last FROM customers"))[0]["last"]
    for number in range(1, CUSTOMERS // LIVED):
        database.run(lambda transaction, shift=number * last: _copy_once(transaction, shift, last))  # type: ignore[misc]
    database.run(lambda transaction: transaction.execute("UPDATE totals SET value = value * %s", (CUSTOMERS // LIVED,)))
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE customers, customer_states, predictions"))


def _copy_once(transaction: Transaction, shift: int, last: int) -> None:
    for table, columns in _COPIED.items():
        names, values = (", ".join(column) for column in zip(*columns, strict=True))
        key = columns[0][0]
        statement = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table} WHERE {key} <= %s"
        transaction.execute(statement, [shift] * values.count("%s") + [last])


if __name__ == "__main__":
    main()
