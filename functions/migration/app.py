"""Brings the schema up to date, at deploy and before traffic moves; a failed change fails the deployment."""

from pathlib import Path
from typing import Any

from churn.observability import logger
from churn.settings import settings
from churn.storage import Database
from churn.storage.migrations import migrate, read_migrations

_MIGRATIONS = Path(__file__).parent / "migrations"


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answers with the names of the changes that were applied. Raises MigrationError."""
    database = Database(settings().require("database_url").database_url, statement_timeout=600)
    try:
        applied = migrate(database, read_migrations(_MIGRATIONS))
    finally:
        database.close()
    logger.info("migrated", extra={"applied": applied})
    return {"applied": applied}
