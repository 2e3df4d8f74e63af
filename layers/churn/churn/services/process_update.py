"""The purchase process of the version that serves, brought up to now between two trainings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database
from churn.domain.model import source_of
from churn.domain.model_versions import ModelRegistry, NotPromotableError
from churn.observability import logger
from churn.services.promotions import record_promotion
from churn.services.training_runs import StoredHistories, loaded, model_in_use, plan_of
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.ml.loading import StoredModel
    from churn.training import Update

TASK = "bring_up_to_now"
"""What the event of the schedule asks the training function for, in place of a training."""
MOST_CUSTOMERS = 20_000
"""Of more customers, so many stand for all: the four parameters are known well, and the run takes a minute or two."""


def bring_up_to_now(
    database: Database, registry: ModelRegistry[StoredModel], settings: Settings, *, now: datetime
) -> dict[str, Any]:
    """Publish and promote the version that serves with the purchase process of `now`, where that is worth a version.

    Returns `version`, the new one or None, and `reason`. It is a version as others are: all functions load it, the
    history of promotions names it, and a roll-back returns to the one before. Raises DatabaseUnavailableError,
    RegistryUnavailableError.
    """
    update = _update(database, registry, settings, now)
    model, reason = update.model, update.reason
    if model is not None:
        registry.publish(model)
        try:
            registry.promote(model.version, by="purchase process", reason=reason, now=now)
            record_promotion(database, registry)
        except NotPromotableError as refusal:
            model, reason = None, f"Another version serves by now. {refusal}"
    answer = {"version": None if model is None else model.version, "reason": reason}
    logger.info("the purchase process was brought up to now" if model else "the purchase process stays", extra=answer)
    return answer


def _update(database: Database, registry: ModelRegistry[StoredModel], settings: Settings, now: datetime) -> Update:
    from churn.training import CannotTrainError, Update, brought_up_to  # noqa: PLC0415

    current = model_in_use(registry)
    if current is None:
        return Update(None, "No version serves.")
    metadata = current.model.metadata
    histories = StoredHistories(database, MOST_CUSTOMERS)
    if why_not := _why_not(metadata, histories, settings):
        return Update(None, why_not)
    trained_version = (metadata.get("freshness") or {}).get("trained_version")
    trained = current.model if trained_version is None else loaded(registry, trained_version)
    if trained is None:
        return Update(None, f"Version {trained_version}, which the training made, is not there to compare with.")
    try:
        return brought_up_to(current.model, trained, histories, now=now, plan=plan_of(settings), progress=logger.info)
    except CannotTrainError as error:
        return Update(None, str(error))


def _why_not(metadata: Mapping[str, Any], histories: StoredHistories, settings: Settings) -> str | None:
    """Return why a version is left to the next training, as a sentence; None if it is not."""
    if metadata.get("current_process") is None or "spending" not in metadata:
        return "The version that serves has no purchase process of its own."
    if metadata.get("source") != histories.source:
        return f"The version that serves learned from what is {source_of(metadata)}, the stored orders are others."
    if metadata.get("horizon_days") != settings.horizon_days:
        return f"The version that serves looks {metadata.get('horizon_days')} days ahead: it is left to a training."
    return None
