"""After a commit: what was scored is counted in metrics and pushed to the open sockets."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from churn.adapters.api_gateway_push import ApiGatewayPush, Push
from churn.adapters.kafka import KafkaOutput, Output, OutputUnavailableError
from churn.adapters.mysql import Database, DatabaseUnavailableError
from churn.adapters.mysql.alerts import advance_reader
from churn.domain.timestamps import iso
from churn.observability import logger, metrics
from churn.services.alert_delivery import broadcast, broadcast_predictions, deliver
from churn.services.presentation import alert_json
from churn.services.scoring import BatchResult
from churn.settings import Settings

_PAGE = 200


class Announcer:
    """Pushes alerts and predictions, and publishes them where a topic is named.

    A failure is logged and never undoes what was committed. Alerts that could not be pushed or published now are by
    the next call, here or in another environment.
    """

    def __init__(self, database: Database, push: Push, output: Output | None = None) -> None:
        self._database = database
        self._push = push
        self._output = output

    @classmethod
    def of(cls, database: Database, settings: Settings) -> Self:
        """The announcer that the settings describe."""
        output = None
        if settings.output_topic:
            servers = settings.require("kafka_bootstrap_servers").kafka_bootstrap_servers
            output = KafkaOutput(servers, settings.output_topic)
        return cls(database, ApiGatewayPush(settings.require("socket_endpoint").socket_endpoint), output)

    def announce(self, done: Sequence[BatchResult], now: datetime) -> None:
        """Pushes all alerts that wait, then the predictions of these transactions and word of a new model."""
        updates = [
            {
                "customer_id": customer_id,
                "churn_probability": prediction.churn_probability,
                "risk_level": level,
                "confidence": prediction.confidence,
                "model_version": prediction.model_version,
                "model_kind": prediction.model_kind,
                "created_at": iso(now),
            }
            for applied in done
            for customer_id, level, prediction in applied.predictions
        ]
        new_models = [
            {
                "code": "model_promoted",
                "message": f"A new model serves from now on: {applied.new_model}",
                "model_version": applied.new_model,
                "timestamp": iso(now),
            }
            for applied in done
            if applied.new_model
        ]
        try:
            deliver(self._database, self._push)
            broadcast_predictions(self._database, self._push, updates)
            broadcast(self._database, self._push, "system_alert", new_models)
            if self._output is not None:
                self._publish(self._output, updates)
        except (DatabaseUnavailableError, OutputUnavailableError):
            logger.exception("what was scored could not be pushed yet")

    def _publish(self, output: Output, updates: Sequence[Mapping[str, Any]]) -> None:
        output.send("prediction_update", updates)

        def hand(rows: Sequence[Mapping[str, Any]]) -> None:
            output.send("churn_alert", [alert_json(row) for row in rows])

        while self._database.run(lambda transaction: advance_reader(transaction, "output", _PAGE, hand)) == _PAGE:
            continue


def count(done: Sequence[BatchResult]) -> None:
    """Adds what was done to the metrics of this invocation."""
    for name, number in (
        ("EventsApplied", sum(applied.events for applied in done)),
        ("EventsRepeated", sum(applied.repeated for applied in done)),
        ("UnknownEventTypes", sum(applied.unknown_types for applied in done)),
        ("DeadLetters", sum(applied.dead_letters for applied in done)),
        ("Predictions", sum(len(applied.predictions) for applied in done)),
        ("AlertsRaised", sum(len(applied.alert_ids) for applied in done)),
    ):
        metrics.add_metric(name, "Count", number)
