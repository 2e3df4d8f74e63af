"""The indexes of table `customers` by the column whose order they have."""

from itertools import product

from churn.domain.risk import CUSTOMER_STATUSES, RISK_LEVELS

INDEXES = {
    "churn_probability": "customers_by_probability",
    "total_spent": "customers_by_spend",
    "last_order_at": "customers_by_last_order",
    "customer_id": "customers_by_id",
    "returned_at": "customers_by_return",
    "at_risk_since": "customers_at_risk",
    "first_order_day": "customers_by_first_order",
}
INDEXES_BY_GROUP = {
    "churn_probability": "customers_by_group_and_probability",
    "last_order_at": "customers_by_group_and_last_order",
    "value_at_risk": "customers_by_group_and_value",
    "expected_spend": "customers_by_group_and_expected",
    "risk_change_7d": "customers_by_group_and_change",
}
"""Of the customers of one status and one risk level, who are a group; everybody is the sum of all groups."""
GROUPS = tuple(product(CUSTOMER_STATUSES, (*RISK_LEVELS, None)))
"""The groups, each by its status and level."""
