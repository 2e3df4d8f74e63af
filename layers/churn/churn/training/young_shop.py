"""The model of a shop that is too young for a forest: its purchase process, or what is usual for shops."""

from datetime import datetime

from churn.domain.model import source_of
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import StoredModel
from churn.training.bg_nbd import serves_already, train_purchases
from churn.training.evaluation import plain
from churn.training.pipeline import Trained, TrainedModel, code_versions, train
from churn.training.plan import Plan, TooLittleHistoryError
from churn.training.prior import prior_model
from churn.training.promotion_gate import InUse
from churn.training.snapshots import Histories, Progress


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

    `why` says why there is no forest. Raises TooLittleHistoryError if a model of the shop's own, or the prior, serves
    already and this would be the prior.
    """
    code = code_versions(service_version)
    try:
        model, report = train_purchases(histories, now=now, plan=plan, why=why, code=code, progress=progress)
    except TooLittleHistoryError as error:
        why = f"{why}; {error}"
        if current is not None and source_of(current.metadata) != "simulated":
            raise TooLittleHistoryError(why) from None
        model, report = prior_model(now=now, plan=plan, why=why, code=code)
    knows = "what is usual for shops" if source_of(model.metadata) == "prior" else "the shop's own orders"
    verdict = {
        "passed": True,
        "compared_with": None if current is None else current.version,
        "reasons": [f"It knows {knows}, and there is no forest yet."],
    }
    model = model.with_metadata(gate=verdict)
    return TrainedModel(model, plain({**report, "version": model.version, "gate": verdict}))
