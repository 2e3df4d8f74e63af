"""From when on churn rates are known."""

from datetime import datetime, timedelta

from churn.adapters.mysql import Transaction, customers


def rates_from(transaction: Transaction, inactivity_days: int) -> datetime | None:
    """Return from when on somebody can have lapsed, hence a churn rate is known; None without customers."""
    oldest = customers.first_known(transaction)
    return None if oldest is None else oldest + timedelta(days=inactivity_days)
