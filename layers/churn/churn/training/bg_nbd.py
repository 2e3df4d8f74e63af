"""A model for a shop that is too young for labels: the purchase process of its customers, with what it leaves open."""

from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.customer import replay
from churn.domain.features import FEATURE_NAMES, features_at
from churn.domain.model import PURCHASE_PROCESS, RANDOM_FOREST, kind_of
from churn.domain.timestamps import iso, to_millis
from churn.ml.bg_nbd import INPUTS, PurchaseModel
from churn.ml.drift import reference
from churn.ml.loading import StoredModel
from churn.ml.random_forest import Floats
from churn.training.forest import fit_purchase_process, purchase_draws
from churn.training.snapshots import Histories, Plan, Progress, TooLittleHistory, look

FEWEST_BUYERS = 50


def train_purchases(
    histories: Histories, *, now: datetime, plan: Plan, why: str, code: dict[str, str], progress: Progress
) -> tuple[PurchaseModel, dict[str, Any]]:
    """Fit the purchase process to everybody's orders up to `now`; the model, and its report.

    `why` says in the report why there is no forest, `code` of what versions the code is.

    Raises:
        TooLittleHistory: fewer than 50 customers have ordered.
    """
    extent = look(histories, now, progress)
    known, active = [], []
    for _, events in histories:
        state = replay(event for event in events if event.timestamp <= now)
        features = features_at(state, now, extent.observed)
        if features["days_since_last_order"] is not None:
            known.append([features[name] for name in INPUTS])
            if state.is_eligible(to_millis(now), plan.lookback_days):
                active.append(features)
    if len(known) < FEWEST_BUYERS:
        raise TooLittleHistory(f"{len(known)} customers have ordered; {FEWEST_BUYERS} are needed for a first model")
    orders, recency, age = np.array(known, dtype=np.float64).T
    progress(f"fitting the purchase process of {len(known):,} customers")
    buying = np.column_stack([orders - 1, np.maximum(age - recency, 0), age])
    process = fit_purchase_process(buying)
    model = PurchaseModel.from_draws(
        purchase_draws(buying, process, seed=plan.seed),
        np.median([orders, recency, age], axis=1),
        {
            "purchase_process": {**process, "horizon_days": float(plan.horizon_days)},
            "trained_at": iso(now.replace(microsecond=0)),
            "source": "history",
            "horizon_days": plan.horizon_days,
            "lookback_days": plan.lookback_days,
            "customers": len(known),
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
    """Whether a forest that learned from the shop's own history serves, which a purchase process is no match for."""
    return (
        current is not None
        and kind_of(current.metadata) == RANDOM_FOREST
        and current.metadata.get("source") != "sample"
    )
