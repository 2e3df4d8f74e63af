"""The rescoring sweep, on a schedule: its clock is the time in the schedule's event."""

from datetime import UTC, datetime
from typing import Any

from churn.adapters import secrets_manager
from churn.adapters.mysql import Database
from churn.domain.timestamps import parse_timestamp
from churn.domain.tombstones import Tombstones
from churn.observability import logger, metrics, traced
from churn.services import erasing
from churn.services.component_reports import Reporter
from churn.services.current_model import CurrentModel
from churn.services.event_publisher import EventPublisher
from churn.services.hourly_stats import refresh
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import settings

_settings = settings().require("database_url", "erasure_key")
_database = Database(_settings.database_url)
_model = CurrentModel(_settings, shadow=True)
_scoring = Scoring(
    _database,
    _model,
    _settings,
    lambda: _model.challenger,
    promoted_at=lambda: _model.promoted_at,
    renew=_model.renew,
)
_tombstones = Tombstones(lambda: secrets_manager.resolve(_settings.erasure_key))
_publisher = EventPublisher.of(_database, _settings)
_reporter = Reporter("rescoring", _settings.database_url, _model)

_MILLISECONDS_FOR_THE_REST = 60_000


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Score all customers whose score is out of date.

    `resume_after`, in the answer and in the event, is the key after which to go on.
    """
    _model.refresh()
    # Who was erased by an older version still stands under the id.
    erasing.bury(_database, _tombstones, time_left=lambda: True)
    now = parse_timestamp(event["time"]) if event.get("time") else datetime.now(UTC)
    # A process of another release may have recorded its own version since.
    _scoring.serving.record(now, again=True)
    swept = sweep(
        _scoring,
        now=now,
        resume_after=int(event.get("resume_after") or 0),
        time_left=lambda: context.get_remaining_time_in_millis() > _MILLISECONDS_FOR_THE_REST,
        done=lambda applied: _publisher.publish([applied], now),
    )
    # What a batch committed before it died is pushed here at the latest.
    _publisher.publish([], now)
    hours = refresh(_database, _settings, now)
    if swept.passed_over:
        metrics.add_metric("CustomersPassedOver", "Count", swept.passed_over)
    _reporter.note(done=True)
    logger.info("swept", extra={"scored": swept.scored, "alerts": swept.alerts, "hours": hours})
    return {"scored": swept.scored, "alerts": swept.alerts, "hours": hours, "resume_after": swept.resume_after}
