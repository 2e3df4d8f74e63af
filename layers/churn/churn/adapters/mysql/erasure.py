"""Erasing what is stored of a customer beside their own record."""

from collections import Counter

from churn.adapters.mysql import alerts, customer_search, events, orders, predictions
from churn.adapters.mysql.database import Transaction


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Delete a customer's events, orders, predictions, alerts and search words; return the change of the totals."""
    events.erase(transaction, customer_pk)
    orders.erase(transaction, customer_pk)
    change = predictions.erase(transaction, customer_pk)
    change.update(alerts.erase(transaction, customer_pk))
    customer_search.index_words(transaction, {customer_pk: ()})
    return change
