"""The nightly pruning, and the rest of erasing; runs every night, at the time in its event."""

from datetime import UTC, datetime
from typing import Any

from churn.adapters import secrets_manager
from churn.adapters.failed_batches import FailedBatches
from churn.adapters.mysql import Database
from churn.domain.timestamps import parse_timestamp
from churn.domain.tombstones import Tombstones
from churn.observability import logger, metrics, traced
from churn.services import audit, erasing
from churn.services.component_reports import Reporter
from churn.services.retention import prune
from churn.settings import settings

_settings = settings().require("database_url", "erasure_key", "failed_batches")
_database = Database(_settings.database_url)
_reporter = Reporter("retention", _settings.database_url)
_tombstones = Tombstones(lambda: secrets_manager.resolve(_settings.erasure_key))

_MILLISECONDS_FOR_THE_REST = 60_000


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Erase what is left of erased customers, and delete what is older than it is kept for; return how much."""
    now = parse_timestamp(event["time"]) if event.get("time") else datetime.now(UTC)

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > _MILLISECONDS_FOR_THE_REST)

    erased = {
        "customers": erasing.bury(_database, _tombstones, time_left=time_left),
        "dead_letters": erasing.clear_dead_letters(_database, _tombstones, time_left=time_left),
        "records": erasing.clear_batches(
            _database, _tombstones, FailedBatches(_settings.failed_batches), time_left=time_left
        ),
    }
    pruned = prune(_database, _settings.retention, now=now, time_left=time_left)
    # The last: it fails, and is told of, where the trail was altered.
    pruned["audit"] = audit.prune(_database, _settings, now=now, time_left=time_left)
    metrics.add_metric("RowsPruned", "Count", sum(pruned.values()))
    logger.info("pruned", extra={"pruned": pruned, "erased": erased})
    _reporter.note(done=True)
    return {"pruned": pruned, "erased": erased}
