"""Training of a new model version, and between two trainings its purchase process, brought up to now."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.observability import logger, traced
from churn.services.component_reports import Reporter
from churn.services.process_update import TASK, bring_up_to_now
from churn.services.training_runs import run_training
from churn.settings import settings


@logger.inject_lambda_context
@traced
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Train, publish, and promote the version if it is no worse; return its name and figures.

    The database records the run; `run_id` in the event names one that a client requested. An event with the `task` of
    `process_update` brings the purchase process up to now instead.
    """
    config = settings().require("database_url", "model_bucket")
    registry = S3ModelRegistry.of(config)
    with closing(Database(config.database_url)) as database:
        if event.get("task") == TASK:
            return bring_up_to_now(database, registry, config, now=datetime.now(UTC))
        answer = run_training(event, database, registry, config, lambda: datetime.now(UTC))
    Reporter("training", config.database_url).note(done=True)
    return answer
