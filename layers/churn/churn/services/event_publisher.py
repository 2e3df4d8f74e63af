"""Publishing of committed results: to the open sockets, to the output topic, and in metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Self

from churn.adapters.api_gateway_push import ApiGatewayPush, Push
from churn.adapters.kafka import KafkaOutput, Output, OutputUnavailableError
from churn.adapters.mysql import Database, DatabaseUnavailableError, models
from churn.adapters.mysql.alerts import advance_raises, advance_reader
from churn.domain.timestamps import iso
from churn.observability import logger, metrics, span
from churn.services.alert_delivery import deliver
from churn.services.batch_result import BatchResult
from churn.services.broadcasts import broadcast, broadcast_predictions
from churn.services.presentation import alert_json, raised_json
from churn.settings import Settings

_PAGE = 200


class EventPublisher:
    """Pushes alerts and predictions to sockets, and sends them to the output topic if there is one.

    A failure is logged and never undoes what was committed. The next call, here or in another environment, publishes
    the alerts that could not be published now.
    """

    def __init__(self, database: Database, push: Push, output: Output | None = None, *, inactivity_days: int) -> None:
        self._database = database
        self._push = push
        self._output = output
        self._inactivity_days = inactivity_days

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """Return the publisher that the settings describe."""
        output = None
        if settings.output_topic:
            servers = settings.require("kafka_bootstrap_servers").kafka_bootstrap_servers
            output = KafkaOutput(servers, settings.output_topic)
        push = ApiGatewayPush(settings.socket_endpoint)
        return cls(database, push, output, inactivity_days=settings.inactivity_days)

    def publish(self, results: Sequence[BatchResult], now: datetime) -> None:
        """Publish all pending alerts, then the predictions of these transactions and the news of a new model."""
        updates = [
            {
                "customer_id": customer_id,
                "churn_probability": prediction.churn_probability,
                "risk_level": level,
                "confidence": prediction.confidence,
                "model_version": prediction.model_version,
                "model_kind": prediction.model_kind,
                "model_source": prediction.model_source,
                "created_at": iso(now),
            }
            for result in results
            for customer_id, level, prediction in result.predictions
        ]
        new_models = [
            {
                "code": "model_promoted",
                "message": f"A new model serves from now on: {result.new_model}",
                "model_version": result.new_model,
                "timestamp": iso(now),
            }
            for result in results
            if result.new_model
        ]
        try:
            with span("push", {"churn.predictions": len(updates)}):
                deliver(self._database, self._push)
                broadcast_predictions(self._database, self._push, updates, now, self._inactivity_days)
                broadcast(self._database, self._push, "system_alert", new_models)
            self._tell_model_changes()
            if self._output is not None:
                self._send(self._output, updates)
        except (DatabaseUnavailableError, OutputUnavailableError):
            logger.exception("what was scored could not be pushed yet")

    def _tell_model_changes(self) -> None:
        """Tell once of each change of the model's version how many customers it has moved to another risk level."""
        for row in self._database.run(models.lease_untold):
            moved = row["moved_up"] + row["moved_down"]
            change = {
                "code": "model_levels_moved",
                "message": f"All customers have been scored by {row['version']} instead of {row['previous_version']}. "
                f"Of {row['customers']:,} customers {moved:,} have another risk level than before: "
                f"{row['moved_up']:,} a higher one and {row['moved_down']:,} a lower one. "
                "No alert was raised for that.",
                "model_version": row["version"],
                "previous_version": row["previous_version"],
                "customers": row["customers"],
                "moved_up": row["moved_up"],
                "moved_down": row["moved_down"],
                "timestamp": iso(row["ended_at"]),
            }
            broadcast(self._database, self._push, "system_alert", [change])
            self._database.run(partial(models.mark_told, key=row["id"]))

    def _send(self, output: Output, updates: Sequence[Mapping[str, Any]]) -> None:
        output.send("prediction_update", updates)

        def send_new(rows: Sequence[Mapping[str, Any]]) -> None:
            output.send("churn_alert", [alert_json(row) for row in rows])

        def send_raised(rows: Sequence[Mapping[str, Any]]) -> None:
            output.send("churn_alert", [raised_json(row) for row in rows])

        for advance, send in ((advance_reader, send_new), (advance_raises, send_raised)):
            step = partial(advance, reader="output", limit=_PAGE, consume=send)
            while self._database.run(step) == _PAGE:
                continue


def count_results(results: Sequence[BatchResult]) -> None:
    """Add the results of transactions to the metrics of this invocation."""
    for name, number in (
        ("EventsApplied", sum(result.events for result in results)),
        ("EventsRepeated", sum(result.repeated for result in results)),
        ("EventsConflicting", sum(result.conflicting for result in results)),
        ("EventsTooLate", sum(result.too_late for result in results)),
        ("UnknownEventTypes", sum(result.unknown_types for result in results)),
        ("DeadLetters", sum(result.dead_letters for result in results)),
        ("Predictions", sum(len(result.predictions) for result in results)),
        ("AlertsRaised", sum(len(result.alert_ids) for result in results)),
    ):
        metrics.add_metric(name, "Count", number)
