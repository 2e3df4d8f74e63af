"""Scores the events of a Kafka batch, and pushes what came of it to the open sockets."""

from datetime import UTC, datetime
from typing import Any

from churn import announce
from churn.observability import logger, metrics, traced
from churn.registry import CurrentModel
from churn.scoring import Scoring
from churn.settings import settings
from churn.storage import Database
from churn.stream import decode, failures, score_records

_settings = settings().require("database_url")
_database = Database(_settings.database_url)
_model = CurrentModel(_settings)
_scoring = Scoring(_database, _model, _settings)
_announcer = announce.Announcer.of(_database, _settings)


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with the records that are to be delivered again; the others are done, or kept as dead letters."""
    _model.refresh()
    now = datetime.now(UTC)
    records = decode(event, now)
    done, failed = score_records(records, _scoring, now)
    announce.count(done)
    _announcer.announce(done, now)
    logger.info("scored", extra={"records": len(records), "failed": len(failed)})
    return failures(failed)
