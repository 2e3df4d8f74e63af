"""Brings the schema up to date, at deploy and before traffic moves, and makes the topics of a cluster of the stack's.

What fails here fails the deployment.
"""

from pathlib import Path
from typing import Any

from churn.brokers import make_topics
from churn.deployment import answer
from churn.observability import logger
from churn.settings import settings
from churn.storage import Database
from churn.storage.migrations import migrate, read_migrations

_MIGRATIONS = Path(__file__).parent / "migrations"


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers with the names of the changes that were applied, and tells CloudFormation when that is who asks.

    Raises MigrationError, BrokersUnknown and kafka-python's KafkaError.
    """
    if "ResponseURL" not in event:
        return _migrate()
    # The data outlives the stack, so its end changes nothing.
    return answer(event, context.log_stream_name, dict if event["RequestType"] == "Delete" else _migrate)


def _migrate() -> dict[str, Any]:
    database = Database(settings().require("database_url").database_url, statement_timeout=600)
    try:
        applied = migrate(database, read_migrations(_MIGRATIONS))
    finally:
        database.close()
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied, "topics": _topics()}


def _topics() -> list[str]:
    config = settings()
    if not config.topic_partitions:
        return []
    topics = [topic for topic in (config.events_topic, config.output_topic) if topic]
    made = make_topics(
        config.require("kafka_bootstrap_servers").kafka_bootstrap_servers, topics, config.topic_partitions
    )
    logger.info("topics", extra={"made": made})
    return made
