"""The event sources (Kafka, SQS) and schedules of a template."""

from collections.abc import Mapping
from typing import Any

from infra.local.template.intrinsics import TemplateError
from infra.local.template.specs import KafkaSourceSpec, QueueSourceSpec, ScheduleSpec

# With somewhere to put what fails, "no limit" is this many, as on AWS:
# https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html
_RETRIES_BEFORE_DESTINATION = 10


def kafka_source(function: str, logical_id: str, event: Mapping[str, Any]) -> KafkaSourceSpec:
    """Read an event source mapping of a function, from a Kafka cluster. Raises TemplateError."""
    path = f"Resources.{logical_id}.Properties"
    topics = event.get("Topics") or []
    if len(topics) != 1:
        raise TemplateError(f"{path}.Topics: exactly one topic is needed")
    if event.get("StartingPosition") not in ("TRIM_HORIZON", "LATEST"):
        raise TemplateError(f"{path}.StartingPosition: {event.get('StartingPosition')} is not supported")
    config = event.get("AmazonManagedKafkaEventSourceConfig") or {}
    destination = ((event.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if destination is not None and not str(destination).startswith("arn:aws:s3:"):
        raise TemplateError(f"{path}.DestinationConfig.OnFailure.Destination: only a bucket (S3) is supported")
    retries = int(event.get("MaximumRetryAttempts", -1))
    return KafkaSourceSpec(
        function=function,
        arn=str(event["EventSourceArn"]),
        topic=str(topics[0]),
        group=str(config.get("ConsumerGroupId") or f"lambda-{function}"),
        batch_size=int(event.get("BatchSize", 100)),
        window=float(event.get("MaximumBatchingWindowInSeconds", 0.5)),
        from_start=event["StartingPosition"] == "TRIM_HORIZON",
        partial_answers="ReportBatchItemFailures" in (event.get("FunctionResponseTypes") or []),
        retries=_RETRIES_BEFORE_DESTINATION if retries < 0 and destination is not None else retries,
        record_age=float(event.get("MaximumRecordAgeInSeconds", -1)),
        bisect=_truth(event.get("BisectBatchOnFunctionError", False)),
        on_failure=None if destination is None else str(destination).split(":")[-1],
        pollers=int((event.get("ProvisionedPollerConfig") or {}).get("MaximumPollers", 1)),
    )


def queue_source(function: str, event: Mapping[str, Any]) -> QueueSourceSpec:
    """Read an SQS event source of a function."""
    arn = str(event["Queue"])
    return QueueSourceSpec(
        function=function,
        arn=arn,
        queue=arn.rsplit(":", maxsplit=1)[-1],
        batch_size=int(event.get("BatchSize", 10)),
        partial_answers="ReportBatchItemFailures" in (event.get("FunctionResponseTypes") or []),
    )


def schedule(function: str, event_id: str, event: Mapping[str, Any]) -> ScheduleSpec:
    """Read a schedule of a function. Raises TemplateError."""
    zone = event.get("ScheduleExpressionTimezone", "UTC")
    if zone != "UTC":
        raise TemplateError(f"{function}.Events.{event_id}.ScheduleExpressionTimezone: only UTC is supported")
    return ScheduleSpec(
        name=event_id,
        function=function,
        expression=str(event.get("Schedule") or event["ScheduleExpression"]),
        payload=event.get("Input"),
    )


def is_enabled(event: Mapping[str, Any]) -> bool:
    """Return whether a schedule is switched on."""
    return _truth(event.get("Enabled", True)) and event.get("State", "ENABLED") != "DISABLED"


def _truth(value: Any) -> bool:
    return str(value).lower() == "true"
