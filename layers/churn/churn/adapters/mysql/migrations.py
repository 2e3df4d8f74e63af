"""Schema migrations: plain SQL files, applied in the order of their names, each recorded."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from churn.adapters.mysql.database import Database, Transaction
from churn.domain.errors import ChurnError

_LOCK = "churn.migrations"
_LOCK_SECONDS = 60


class MigrationError(ChurnError):
    """A schema change could not be applied; the text names it."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One schema change: its name, such as ``0001_initial``, and its statements."""

    name: str
    statements: tuple[str, ...]
    checksum: str


def read_migrations(folder: Path) -> list[Migration]:
    """Return the migrations of a folder, in their order. Raises MigrationError if there are none."""
    files = sorted(folder.glob("[0-9]*.sql"))
    if not files:
        raise MigrationError(f"there are no migrations in {folder}")
    return [_read(file) for file in files]


def migrate(database: Database, migrations: Sequence[Migration]) -> list[str]:
    """Apply the migrations that have not been applied yet; return their names.

    Of two concurrent calls one waits. It is safe to run again after a failure half-way, because each statement is
    recorded once it is done (MySQL cannot roll back a change of schema). Raises MigrationError.
    """
    return database.run(lambda transaction: _migrate(transaction, migrations))


def applied_at(transaction: Transaction, name: str) -> datetime | None:
    """Return when a migration was applied, None if it was not."""
    row = transaction.row("SELECT applied_at FROM schema_migrations WHERE name = %s", (name,))
    at: datetime | None = None if row is None else row["applied_at"]
    return at


def _migrate(transaction: Transaction, migrations: Sequence[Migration]) -> list[str]:
    held = transaction.row("SELECT GET_LOCK(%s, %s) AS held", (_LOCK, _LOCK_SECONDS))
    if held is None or held["held"] != 1:
        raise MigrationError(f"another migration has been running for more than {_LOCK_SECONDS} seconds")
    try:
        transaction.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations (name VARCHAR(128) NOT NULL PRIMARY KEY, "
            "checksum CHAR(64) NOT NULL, statements INT NOT NULL, done INT NOT NULL, applied_at DATETIME(3) NULL)"
        )
        return [migration.name for migration in migrations if _apply(transaction, migration)]
    finally:
        transaction.execute("DO RELEASE_LOCK(%s)", (_LOCK,))


def _apply(transaction: Transaction, migration: Migration) -> bool:
    transaction.execute(
        "INSERT IGNORE INTO schema_migrations (name, checksum, statements, done) VALUES (%s, %s, %s, 0)",
        (migration.name, migration.checksum, len(migration.statements)),
    )
    recorded = transaction.row("SELECT checksum, done FROM schema_migrations WHERE name = %s", (migration.name,))
    if recorded is None or recorded["checksum"] != migration.checksum:
        raise MigrationError(f"migration {migration.name} was changed after it had been applied")
    for number, statement in enumerate(migration.statements[recorded["done"] :], recorded["done"] + 1):
        try:
            transaction.execute(statement)
        except Exception as error:
            raise MigrationError(f"migration {migration.name}, statement {number}: {error}") from error
        transaction.execute("UPDATE schema_migrations SET done = %s WHERE name = %s", (number, migration.name))
        transaction.execute("COMMIT")
    return bool(
        transaction.execute(
            "UPDATE schema_migrations SET applied_at = UTC_TIMESTAMP(3) WHERE name = %s AND applied_at IS NULL",
            (migration.name,),
        )
    )


def _read(file: Path) -> Migration:
    text = file.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    statements = tuple(part.strip() for part in "\n".join(lines).split(";\n") if part.strip(" ;\n"))
    cleaned = tuple(statement.rstrip(";").strip() for statement in statements)
    return Migration(file.stem, cleaned, hashlib.sha256("\n".join(cleaned).encode()).hexdigest())
