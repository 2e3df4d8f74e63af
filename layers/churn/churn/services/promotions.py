"""What the database is told of a promotion at once; processes that store scores notice it within half a minute."""

from datetime import datetime
from typing import Any

from churn.adapters.mysql import Database, models
from churn.domain.errors import ChurnError
from churn.domain.model_versions import ModelRegistry
from churn.observability import logger


def record_promotion(database: Database, registry: ModelRegistry[Any]) -> None:
    """Record which version the registry has promoted: figures about the model that answers are of it from now on.

    The promotion stands whatever fails here; the first score that is stored by the version records it as well.
    """
    try:
        state = registry.promotion_state()
        at = state.history[-1].at if state.history else None
        if state.version is None or at is None:
            return
        version, promoted_at = state.version, datetime.fromisoformat(at)
        metadata = registry.describe(version)
        database.run(lambda transaction: models.record_promotion(transaction, version, metadata, promoted_at))
    except ChurnError as error:
        logger.warning("the promotion could not be recorded", extra={"reason": str(error)})
