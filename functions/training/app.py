"""A new model version from the stored histories; from a simulated shop while there are too few and none serves yet."""

from datetime import UTC, datetime
from typing import Any

from churn.observability import logger, traced
from churn.registry import S3Registry, release
from churn.settings import settings
from churn.storage import Database
from churn.training import CannotTrain, Plan, StoredHistories, model_in_use, sample_histories, train

SAMPLE_CUSTOMERS = 6000


@logger.inject_lambda_context
@traced
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Train, publish, and promote the version when it is no worse; answers with its name and figures."""
    config = settings().require("database_url", "model_bucket")
    now = datetime.now(UTC)
    registry = S3Registry(config.model_bucket)
    current = model_in_use(registry)
    plan = Plan(horizon_days=config.horizon_days, lookback_days=config.inactivity_days)
    database = Database(config.database_url)
    try:
        trained = train(StoredHistories(database), now=now, plan=plan, current=current, progress=logger.info)
    except CannotTrain as error:
        logger.warning("the stored history does not make a model", extra={"reason": str(error)})
        if current is not None:
            return {"trained": False, "reason": str(error), "serving": current.version}
        sample = sample_histories(SAMPLE_CUSTOMERS, now=now)
        trained = train(sample, now=now, plan=plan, source="sample", progress=logger.info)
    finally:
        database.close()
    objections = release(registry, trained.model, by="training", now=now, report=trained.report)
    answer = {"version": trained.model.version, "promoted": not objections, "objections": objections}
    logger.info("trained", extra={**answer, "report": trained.report})
    return {"trained": True, **answer, "report": trained.report}
