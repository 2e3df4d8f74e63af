"""A new model version from the stored histories: a forest, or the purchase process while the shop is too young."""

from datetime import UTC, datetime
from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.s3_registry import S3Registry, release
from churn.domain.timestamps import parse_timestamp
from churn.observability import logger, traced
from churn.services.model_versions import RunUnderWay, training_run
from churn.services.training import StoredHistories, model_in_use
from churn.settings import settings
from churn.training import CannotTrain, Plan, report_html, train_or_begin


@logger.inject_lambda_context
@traced
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Train, publish, and promote the version when it is no worse; answers with its name and figures.

    The run is noted in the database: `run_id` of the event names one that was asked for.
    """
    config = settings().require("database_url", "model_bucket")
    now = parse_timestamp(event["time"]) if event.get("time") else datetime.now(UTC)
    database = Database(config.database_url)
    registry = S3Registry(config.model_bucket)
    plan = Plan(
        horizon_days=config.horizon_days, lookback_days=config.inactivity_days, embargo_days=config.embargo_days
    )
    try:
        with training_run(database, event, lambda: datetime.now(UTC)) as run:
            current = model_in_use(registry)
            try:
                trained = train_or_begin(
                    StoredHistories(database),
                    now=now,
                    plan=plan,
                    current=current,
                    service_version=config.service_version,
                    progress=run.progress,
                )
            except CannotTrain as error:
                logger.warning("the stored history does not make a model", extra={"reason": str(error)})
                run.refused(str(error))
                return {"trained": False, "reason": str(error), "serving": current.version if current else None}
            objections = release(
                registry,
                trained.model,
                by="training",
                now=now,
                report=trained.report,
                html=report_html(trained.report),
            )
            run.succeeded(trained.model.version, objections)
    except RunUnderWay as error:
        logger.warning("not trained", extra={"reason": str(error)})
        return {"trained": False, "reason": str(error)}
    finally:
        database.close()
    answer = {"version": trained.model.version, "promoted": not objections, "objections": objections}
    logger.info("trained", extra={**answer, "report": trained.report})
    return {"trained": True, **answer, "report": trained.report}
