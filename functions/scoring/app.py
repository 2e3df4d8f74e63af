"""Scores the events of a Kafka batch, or of a queue's messages, and pushes what came of it to the open sockets."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database
from churn.adapters.mysql.dead_letters import Position
from churn.entrypoints import queue
from churn.entrypoints.kafka import PAGE, Record, decode, failures, redrive, score_records
from churn.observability import logger, metrics, traced
from churn.services.component_reports import Reporter
from churn.services.current_model import CurrentModel
from churn.services.event_publisher import EventPublisher, count_results
from churn.services.scoring import Scoring
from churn.settings import settings

_TIME_OF_A_PAGE = 20_000
"""Milliseconds, by far enough."""

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
_publisher = EventPublisher.of(_database, _settings)
_reporter = Reporter("scoring", _settings.database_url, _model)


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the records or messages to be delivered again; the others are done, or kept as dead letters.

    With `redrive` in the event, the dead letters after the place that it names are tried again: a page, or with `whole`
    all of them.
    """
    _model.refresh()
    now = datetime.now(UTC)
    if "redrive" in event:
        return _redrive_whole(event, context) if event.get("whole") else _redrive(event["redrive"], now)
    if queue.is_queued(event):
        messages = queue.decode(event, now, _settings.allowed_customer_ids)
        return queue.failures(messages, _score([record for own in messages.values() for record in own], now))
    return failures(_score(decode(event, now, _settings.allowed_customer_ids), now))


def _score(records: Sequence[Record], now: datetime) -> list[Record]:
    done, failed = score_records(records, _scoring, now)
    count_results(done)
    _publisher.publish(done, now)
    _reporter.note(done=bool(done))
    logger.info("scored", extra={"records": len(records), "failed": len(failed)})
    return failed


def _redrive_whole(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Try pages of dead letters while there is time, and hand the rest on to an invocation of its own."""
    applied = left = 0
    after = event["redrive"]
    while True:
        page = _redrive(after, datetime.now(UTC))
        applied, left, after = applied + page["applied"], left + page["left"], page["after"]
        if after is None:
            break
        if context.get_remaining_time_in_millis() < _TIME_OF_A_PAGE:
            invoke_later(context.invoked_function_arn)({**event, "redrive": after})
            break
    return {"applied": applied, "left": left, "after": after}


def _redrive(after: list[Any] | None, now: datetime) -> dict[str, Any]:
    done, letters = redrive(_database, _scoring, now, after=_position(after), allowed=_settings.allowed_customer_ids)
    count_results(done)
    _publisher.publish(done, now)
    logger.info("redriven", extra={"letters": len(letters), "applied": len(done)})
    more = len(letters) == PAGE
    last = letters[-1] if more else None
    return {
        "applied": len(done),
        "left": len(letters) - len(done),
        "after": [*last.position[:3], last.position[3].hex()] if last else None,
    }


def _position(after: list[Any] | None) -> Position | None:
    if not after:
        return None
    topic, partition, offset, content = after
    return topic, partition, offset, bytes.fromhex(content)
