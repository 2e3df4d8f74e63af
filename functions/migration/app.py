"""The migration at each deployment, before traffic moves: schema, topics, and the functions' database user.

A failure fails the deployment. Secrets Manager also calls this function to rotate the user's password.
"""

from contextlib import closing
from pathlib import Path
from typing import Any

from churn.adapters.kafka import make_topics
from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.entrypoints import secret_rotation
from churn.entrypoints.cloudformation import answer
from churn.observability import logger
from churn.settings import settings

_MIGRATIONS = Path(__file__).parent / "migrations"


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Migrate and return what was done, also to CloudFormation if it called; or do one step of a rotation.

    Raises MigrationError, KafkaUnavailableError.
    """
    if "Step" in event:
        with closing(_owner()) as owner:
            secret_rotation.rotate(event, owner)
        return {"rotation": event["Step"]}
    if "ResponseURL" not in event:
        return _migrate()
    # The data outlives the stack, so its end changes nothing.
    return answer(event, context.log_stream_name, dict if event["RequestType"] == "Delete" else _migrate)


def _owner() -> Database:
    return Database(settings().require("database_url").database_url, statement_timeout=600)


def _migrate() -> dict[str, Any]:
    user = settings().database_user_secret
    with closing(_owner()) as owner:
        applied = migrate(owner, read_migrations(_MIGRATIONS))
        if user:
            secret_rotation.make(owner, user)
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied, "topics": _topics()}


def _topics() -> list[str]:
    config = settings()
    if not config.topic_partitions:
        return []
    topics = [topic for topic in (config.events_topic, config.output_topic) if topic]
    created = make_topics(
        config.require("kafka_bootstrap_servers").kafka_bootstrap_servers, topics, config.topic_partitions
    )
    logger.info("topics", extra={"made": created})
    return created
