"""A model for a shop that has too little history for anything else: the purchase process as it is usual for shops."""

from datetime import datetime
from typing import Any

from churn.domain.features import FEATURES_VERSION
from churn.domain.model import PURCHASE_PROCESS
from churn.domain.timestamps import iso
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.prior import usual_process
from churn.training.plan import Plan


def prior_model(
    *, now: datetime, plan: Plan, why: str, code: dict[str, str], spending: dict[str, Any] | None
) -> tuple[PurchaseModel, dict[str, Any]]:
    """Return the purchase process under its prior alone, and its report; no order of the shop is in it.

    `spending` is what orders of the shop are worth (`fit_spending`), None while no order tells it. `why` says why there
    is no more, and `code` names the versions of the code.
    """
    metadata = {
        "trained_at": iso(now.replace(microsecond=0)),
        "code": code,
        "features_version": FEATURES_VERSION,
        "horizon_days": plan.horizon_days,
        "lookback_days": plan.lookback_days,
    }
    model = usual_process(metadata, spending=spending, seed=plan.seed)
    facts = ("trained_at", "source", "customers", "purchase_process", "code")
    report = {name: model.metadata[name] for name in facts}
    return model, {"kind": PURCHASE_PROCESS, "why": why, "expected_churn": None, **report}
