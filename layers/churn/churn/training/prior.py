"""A model for a shop that has too little history for anything else: the purchase process as it is usual for shops."""

from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.features import FEATURES_VERSION
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import iso
from churn.ml.bg_nbd import PARAMETERS, PurchaseModel
from churn.training.plan import Plan

USUAL = {"r": 1.0, "alpha": 90.0, "a": 0.8, "b": 2.5}
"""Parameters that are usual for shops."""
DEVIATION = 1.25
"""The standard deviation of their logarithms among shops: they differ by factors of about 3.5."""

_DRAWS = 256
# A customer of one order, a month ago.
_TYPICAL = (1.0, 30.0, 60.0)


def prior_model(
    *, now: datetime, plan: Plan, why: str, code: dict[str, str], spending: dict[str, Any] | None
) -> tuple[PurchaseModel, dict[str, Any]]:
    """Return the purchase process under its prior alone, and its report; no order of the shop is in it.

    `spending` is what orders of the shop are worth (`fit_spending`), None while no order tells it: there is no usual
    value of an order. `why` says why there is no more, and `code` names the versions of the code.
    """
    center = np.log([USUAL[name] for name in PARAMETERS])
    drawn = np.random.default_rng(plan.seed).normal(size=(_DRAWS, len(PARAMETERS)))
    process = {**USUAL, "horizon_days": float(plan.horizon_days)}
    facts: dict[str, Any] = {
        "trained_at": iso(now.replace(microsecond=0)),
        "source": "prior",
        "customers": 0,
        "purchase_process": process,
        "code": code,
    }
    more = {
        "features_version": FEATURES_VERSION,
        "horizon_days": plan.horizon_days,
        "lookback_days": plan.lookback_days,
        "current_process": process,
        "spending": spending,
    }
    model = PurchaseModel.from_draws(np.exp(center + DEVIATION * drawn), np.array(_TYPICAL), {**facts, **more})
    return model, {"kind": PURCHASE_PROCESS, "why": why, "expected_churn": None, **facts}
