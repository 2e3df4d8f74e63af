"""Simulated shops whose purchase process is known, and how often the interval of a fitted one holds the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel, no_order_probability
from churn.training.bg_nbd import fit_purchase_process, purchase_draws

KINDS: dict[str, tuple[float, float, float, float]] = {
    "mixed": (1.0, 60.0, 0.8, 2.5),
    "mostly once": (0.25, 15.0, 0.8, 2.4),
    "loyal": (2.5, 60.0, 0.3, 6.0),
}
"""Kinds of shops by their `churn.ml.bg_nbd.PARAMETERS`: the usual one, one of single orders, one of loyal customers."""
CUSTOMERS = (60, 100, 200)

_AGE_DAYS, _HORIZON_DAYS = 150.0, 90.0


@dataclass(frozen=True, slots=True)
class Fit:
    """A process fitted to one shop: the share of customers whose interval holds the true probability, and the error."""

    coverage: float
    squared_error: float
    width: float


def simulate_buying(random: np.random.Generator, customers: int, parameters: tuple[float, ...]) -> Floats:
    """Return shape (customers, 3): repeat purchases, days to the last one and age, of a shop of 150 days."""
    r, alpha, a, b = parameters
    age = random.uniform(1, _AGE_DAYS, customers)
    rate, leaving = random.gamma(r, 1 / alpha, customers), random.beta(a, b, customers)
    repeats, last, at = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    active = np.ones(customers, dtype=np.bool_)
    # The first order drops nobody out; after each later one a customer may.
    while active.any():
        at = at + random.exponential(1 / np.maximum(rate, 1e-300))
        ordered = active & (at <= age)
        repeats, last = repeats + ordered, np.where(ordered, at, last)
        active = ordered & (random.random(customers) >= leaving)
    return np.column_stack([repeats, last, age])


def fit_shop(seed: int, customers: int, kind: str) -> Fit:
    """Simulate one shop, fit its purchase process as training does, and compare it with the truth."""
    buying = simulate_buying(np.random.default_rng([seed, customers]), customers, KINDS[kind])
    orders, recency, age = buying[:, 0] + 1, buying[:, 2] - buying[:, 1], buying[:, 2]
    draws = purchase_draws(buying, fit_purchase_process(buying), seed=seed)
    model = PurchaseModel.from_draws(
        draws,
        np.median([orders, recency, age], axis=1),
        {"horizon_days": _HORIZON_DAYS, "trained_at": "2026-01-01T00:00:00Z"},
    )
    rows = [
        {"total_orders": orders, "days_since_last_order": recency, "account_age_days": age}
        for orders, recency, age in zip(orders.tolist(), recency.tolist(), age.tolist(), strict=True)
    ]
    predictions = model.predict(rows)
    truth = no_order_probability(orders, recency, age, KINDS[kind], _HORIZON_DAYS)
    low, high = np.array([prediction.interval for prediction in predictions]).T
    answer = np.array([prediction.churn_probability for prediction in predictions])
    return Fit(
        float(((low <= truth) & (truth <= high)).mean()),
        float(((answer - truth) ** 2).mean()),
        float((high - low).mean()),
    )
