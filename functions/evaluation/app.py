"""The outcomes of predictions and alerts, drift, and counts of segments; runs every day, at the time in its event."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from churn.adapters.mysql import Database, model_quality
from churn.domain.timestamps import parse_timestamp
from churn.observability import logger, metrics, traced
from churn.services.alert_outcomes import judge_alerts
from churn.services.component_reports import Reporter
from churn.services.current_model import CurrentModel
from churn.services.model_monitoring import compare_challengers, evaluate_weeks, figures, watch_drift
from churn.services.segments import count_every
from churn.settings import settings

_settings = settings().require("database_url")
_database = Database(_settings.database_url)
_model = CurrentModel(_settings, shadow=True)
_reporter = Reporter("evaluation", _settings.database_url, _model)

_MILLISECONDS_FOR_A_WEEK_AND_THE_REST = 300_000
_MILLISECONDS_FOR_A_SEGMENT = 60_000


@logger.inject_lambda_context
@traced
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Judge alerts, evaluate the weeks that are due, the challengers and today's customers, and count the segments.

    The next run does what is left.
    """
    _model.refresh()
    now = parse_timestamp(event["time"]) if event.get("time") else datetime.now(UTC)

    def time_left() -> bool:
        return bool(context.get_remaining_time_in_millis() > _MILLISECONDS_FOR_A_WEEK_AND_THE_REST)

    held = [model for model in (_model, _model.challenger) if model is not None]
    horizons = {model.version: int(model.metadata.get("horizon_days") or _settings.horizon_days) for model in held}
    drifts = watch_drift(_database, _model, _settings, now=now)
    judged = judge_alerts(_database, _settings, now=now, time_left=time_left)
    evaluated = evaluate_weeks(
        _database,
        _settings,
        now=now,
        time_left=time_left,
        horizons=horizons,
    )
    compared = compare_challengers(_database, _settings, now=now, horizons=horizons)
    segments = count_every(
        _database,
        _settings,
        now=now,
        time_left=lambda: context.get_remaining_time_in_millis() > _MILLISECONDS_FOR_A_SEGMENT,
    )
    measured = figures(_database.run(model_quality.served_weeks), drifts)
    for name, value in measured.items():
        metrics.add_metric(name, "Count" if name.startswith("Drift") else "NoUnit", value)
    answer = {
        "alerts": asdict(judged),
        "weeks": evaluated.weeks,
        "weeks_left": evaluated.left,
        "comparisons": {comparison.challenger: comparison.verdict for comparison in compared},
        "drift": {drift.column: drift.verdict for drift in drifts if drift.verdict != "stable"},
        "segments": segments,
        "figures": measured,
    }
    logger.info("evaluated", extra=answer)
    _reporter.note(done=True)
    return answer
