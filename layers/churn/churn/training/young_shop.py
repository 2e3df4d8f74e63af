"""The model of a shop that is too young for a forest: its purchase process, or what is usual for shops."""

from datetime import datetime
from typing import Any

from churn.domain.model import source_of
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import StoredModel
from churn.training.bg_nbd import missing_to_fit, orders_until, serves_already, train_purchases
from churn.training.evaluation import plain
from churn.training.pipeline import Trained, TrainedModel, code_versions, train
from churn.training.plan import Plan, TooLittleHistoryError
from churn.training.prior import prior_model
from churn.training.promotion_gate import InUse
from churn.training.snapshots import Histories, Progress
from churn.training.spending import fit_spending


def train_or_begin(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan,
    current: InUse | None,
    source: str = "history",
    service_version: str = "",
    progress: Progress = lambda _: None,
) -> Trained:
    """Train a forest as `train` does, or begin as `begin` does where there is too little history for one.

    Raises CannotTrainError as `train` does; of too little history only if a model of the shop's own or what is usual
    for shops serves already, or if the history is not the shop's own (`source`).
    """
    try:
        return train(
            histories,
            now=now,
            plan=plan,
            current=current,
            source=source,
            service_version=service_version,
            progress=progress,
        )
    except TooLittleHistoryError as too_little:
        # What a simulated shop is too young for says nothing of the shop.
        serving = None if current is None else current.model
        if serves_already(serving) or source != "history":
            raise
        progress(f"no forest yet: {too_little}")
        return begin(
            histories,
            now=now,
            plan=plan,
            current=serving,
            why=str(too_little),
            service_version=service_version,
            progress=progress,
        )


def begin(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan,
    current: StoredModel | None,
    why: str,
    service_version: str = "",
    progress: Progress = lambda _: None,
) -> TrainedModel[PurchaseModel]:
    """Fit the purchase process without labels; where there is too little for that, return it under its prior.

    `why` says why there is no forest. The prior knows what the shop's orders are worth, however few they are. Raises
    TooLittleHistoryError if a model of the shop's own, or the same prior, serves already and this would be the prior.
    """
    code = code_versions(service_version)
    extent, latest = orders_until(histories, now, plan, progress)
    missing = missing_to_fit(extent, latest)
    if missing is None:
        model, report = train_purchases(extent, latest, now=now, plan=plan, why=why, code=code, progress=progress)
    else:
        why, spending = f"{why}; {missing}", fit_spending(latest.values_of_orders)
        if current is not None and not _is_better(spending, current):
            raise TooLittleHistoryError(why)
        model, report = prior_model(now=now, plan=plan, why=why, code=code, spending=spending)
    knows = "what is usual for shops" if source_of(model.metadata) == "prior" else "the shop's own orders"
    verdict = {
        "passed": True,
        "compared_with": None if current is None else current.version,
        "reasons": [f"It knows {knows}, and there is no forest yet."],
    }
    model = model.with_metadata(gate=verdict)
    return TrainedModel(model, plain({**report, "version": model.version, "gate": verdict}))


def _is_better(spending: dict[str, Any] | None, current: StoredModel) -> bool:
    """Return whether the prior with such values of orders is better than a model that serves."""
    source = source_of(current.metadata)
    return source == "simulated" or (source == "prior" and spending not in (None, current.metadata.get("spending")))
