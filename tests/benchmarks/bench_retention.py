"""Retention of a million customers beside that of 10,000: the 95th percentile of an answer, by months and by weeks."""

import random
import time
from collections import Counter
from functools import partial

from churn.adapters.mysql import Database, Transaction, totals
from churn.domain.cohorts import COHORT_PERIODS, CohortPeriod, pack_days, share_of_cohorts
from churn.domain.timestamps import DAY, to_millis
from churn.services.cohorts import cohort_table
from tests.benchmarks.bench_customer_lists import NOW, ROUNDS, SIZES, filled

_NUMBERS = (12, 60)
_DAYS = 3 * 365
_WRITERS = 200


def main() -> None:
    """Fill a database for each size, and print the percentiles."""
    measured: dict[tuple[CohortPeriod, int], list[float]] = {(by, n): [] for by in COHORT_PERIODS for n in _NUMBERS}
    for size in SIZES:
        with filled(size) as database:
            _add_cohorts(database, size)
            for (by, number), percentiles in measured.items():
                percentiles.append(_percentile(database, by, number))
    print(f"{'95th percentile of an answer, milliseconds':<50}" + "".join(f"{size:>12,}" for size in SIZES))
    for (by, number), percentiles in measured.items():
        print(f"{f'{number} cohorts by the {by}':<50}" + "".join(f"{one:12.1f}" for one in percentiles))


def _add_cohorts(database: Database, size: int) -> None:
    """Store the sums of customers with one to eight orders in three years, by writers who chose their shards."""
    chance, today = random.Random(1), to_millis(NOW) // DAY
    for _ in range(_WRITERS):
        change: Counter[str] = Counter()
        for _ in range(size // _WRITERS):
            first = chance.randrange(_DAYS)
            days = {first, *(chance.randrange(first + 1) for _ in range(chance.randrange(8)))}
            change.update(share_of_cohorts(pack_days([today - day for day in days])))
        database.run(partial(totals.add, changes=change))
    database.run(_count_everybody)
    database.run(_purge)


def _count_everybody(transaction: Transaction) -> None:
    transaction.execute("UPDATE customers SET order_days = ''")
    transaction.execute("ANALYZE TABLE customers, totals")


def _purge(transaction: Transaction) -> None:
    # What the index held of the customers before is gone only then.
    transaction.execute("SET GLOBAL innodb_max_purge_lag_wait = 0")


def _percentile(database: Database, by: CohortPeriod, number: int) -> float:
    took = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        cohort_table(database, by, number, NOW)
        took.append(time.perf_counter() - started)
    return 1000 * sorted(took)[int(0.95 * ROUNDS) - 1]


if __name__ == "__main__":
    main()
