"""A model for a shop that is too young for labels: its customers' purchase process, with its uncertainty."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.customer import replay
from churn.domain.features import FEATURE_NAMES, FEATURES_VERSION, inputs_at
from churn.domain.model import PURCHASE_PROCESS, RANDOM_FOREST, kind_of
from churn.domain.timestamps import iso, to_millis
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import INPUTS, PARAMETERS, PurchaseModel, occasions
from churn.ml.drift import reference
from churn.ml.loading import StoredModel
from churn.training.plan import Plan, TooLittleHistoryError
from churn.training.snapshots import Histories, Progress, scan_histories

FEWEST_BUYERS = 50
LEAST_SPAN_DAYS = 14
"""The first and last order must lie so far apart: hours or days of orders say nothing of who comes back."""


def train_purchases(
    histories: Histories, *, now: datetime, plan: Plan, why: str, code: dict[str, str], progress: Progress
) -> tuple[PurchaseModel, dict[str, Any]]:
    """Fit the purchase process to all customers' orders up to `now`; return the model and its report.

    For the report, `why` says why there is no forest, and `code` names the versions of the code. Raises
    TooLittleHistoryError if fewer than 50 customers have ordered, or if the orders span less than 14 days.
    """
    extent = scan_histories(histories, now, progress)
    span = extent.span_days
    if span < LEAST_SPAN_DAYS:
        raise TooLittleHistoryError(
            f"the orders span {span:.1f} days; a first model needs {LEAST_SPAN_DAYS}, {LEAST_SPAN_DAYS - span:.1f} more"
        )
    buyers, active = [], []
    for _, events in histories:
        state = replay(events, to_millis(now))
        inputs = inputs_at(state, now, extent.observed)
        if inputs["days_since_last_order"] is not None:
            buyers.append([occasions(inputs), *(inputs[name] for name in INPUTS[1:])])
            if state.is_eligible(to_millis(now), plan.lookback_days):
                active.append(inputs)
    if len(buyers) < FEWEST_BUYERS:
        raise TooLittleHistoryError(
            f"{len(buyers)} customers have ordered; {FEWEST_BUYERS} are needed for a first model"
        )
    orders, recency, age = np.array(buyers, dtype=np.float64).T
    progress(f"fitting the purchase process of {len(buyers):,} customers")
    buying = np.column_stack([orders - 1, np.maximum(age - recency, 0), age])
    process = fit_purchase_process(buying)
    model = PurchaseModel.from_draws(
        purchase_draws(buying, process, seed=plan.seed),
        np.median([orders, recency, age], axis=1),
        {
            "purchase_process": {**process, "horizon_days": float(plan.horizon_days)},
            "trained_at": iso(now.replace(microsecond=0)),
            "features_version": FEATURES_VERSION,
            "source": "history",
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "customers": len(buyers),
            "data": extent.described(),
            "code": code,
        },
    )
    probabilities: Floats = np.array(model.probabilities(active))
    columns = {name: np.array([row[name] for row in active], dtype=np.float64) for name in FEATURE_NAMES}
    model = model.with_metadata(reference=reference(columns, probabilities) if active else None)
    facts = ("trained_at", "source", "customers", "purchase_process", "data", "code")
    report = {
        "version": model.version,
        "kind": PURCHASE_PROCESS,
        "why": why,
        **{name: model.metadata[name] for name in facts},
        "expected_churn": float(probabilities.mean()) if active else None,
    }
    return model, report


def serves_already(current: StoredModel | None) -> bool:
    """Return whether a forest of the shop's own history is in use: it is better than any purchase process."""
    return (
        current is not None
        and kind_of(current.metadata) == RANDOM_FOREST
        and current.metadata.get("source") != "sample"
    )


def fit_purchase_process(buying: Floats) -> dict[str, float]:
    """Return BG/NBD's parameters by maximum likelihood (Fader, Hardie and Lee 2005), of at most 20,000 customers.

    `buying` has the shape (customers, 3): repeat purchases, days to the last order, age in days.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)

    start = _usual(buying)
    fitted = minimize(_loss(buying), start, method="L-BFGS-B", bounds=[(low - 8, low + 8) for low in start])
    return dict(zip(PARAMETERS, np.exp(fitted.x).tolist(), strict=True))


def purchase_draws(buying: Floats, process: Mapping[str, float], *, seed: int, draws: int = 64) -> Floats:
    """Return draws from the parameters' posterior, shape (draws, 4): normal on their logarithms (Laplace)."""
    loss, best = _loss(buying), np.log([process[name] for name in PARAMETERS])
    customers = len(buying[:: _step(buying)])
    steps = 1e-3 * np.eye(len(best))
    curvature = np.array(
        [
            [(loss(best + a + b) - loss(best + a - b) - loss(best - a + b) + loss(best - a - b)) / 4e-6 for b in steps]
            for a in steps
        ]
    )
    values, vectors = np.linalg.eigh(curvature * customers)
    # If the data say almost nothing of a parameter, its spread is a factor of e around what is usual for shops.
    spread = 1 / np.sqrt(np.maximum(values, 1.0))
    drawn = np.random.default_rng(seed).normal(size=(draws, len(best)))
    answer: Floats = np.exp(best + (drawn * spread) @ vectors.T)
    return answer


def _step(buying: Floats) -> int:
    return max(1, len(buying) // 20_000)


def _usual(buying: Floats) -> Floats:
    """Return the logarithms of parameters that are usual for a shop of this age."""
    answer: Floats = np.log([1.0, max(1.0, float(buying[:: _step(buying), 2].mean()) / 2), 0.8, 2.5])
    return answer


def _loss(buying: Floats) -> Callable[[Floats], float]:
    """Return a function of the parameters' logarithms: the mean negative log-likelihood of a customer."""
    from scipy.special import gammaln  # noqa: PLC0415 (slow to import)

    repeats, until_last, age = buying[:: _step(buying)].T
    start = _usual(buying)

    def loss(logs: Floats) -> float:
        r, alpha, a, b = np.exp(logs)
        common = gammaln(r + repeats) - gammaln(r) + r * np.log(alpha)
        common += gammaln(a + b) + gammaln(b + repeats) - gammaln(b) - gammaln(a + b + repeats)
        alive = -(r + repeats) * np.log(alpha + age)
        dropped = np.log(a) - np.log(b + np.maximum(repeats, 1) - 1) - (r + repeats) * np.log(alpha + until_last)
        likelihood = common + np.where(repeats > 0, np.logaddexp(alive, dropped), alive)
        # A weak prior keeps the parameters finite if the data say nothing of them.
        return float(-likelihood.mean() + 1e-4 * np.sum((logs - start) ** 2))

    return loss
