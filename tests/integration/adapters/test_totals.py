"""Sums over many customers, in the real table."""

from churn.adapters.mysql import Database, totals
from churn.domain.values import MAX_SUM

_MILLION = 1_000_000


def test_the_sum_over_a_million_customers_with_the_largest_amounts_is_exact(database: Database) -> None:
    largest = round(MAX_SUM * 100)
    database.run(lambda transaction: totals.add(transaction, {"revenue_at_risk": _MILLION * largest}))
    database.run(lambda transaction: totals.add(transaction, {"revenue_at_risk": 1}))
    database.run(lambda transaction: totals.add(transaction, {"revenue_at_risk": -largest}))
    assert database.run(lambda transaction: totals.read(transaction, "revenue"))["revenue_at_risk"] == (
        (_MILLION - 1) * largest + 1
    )
