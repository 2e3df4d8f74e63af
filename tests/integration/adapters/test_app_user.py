"""The database user of the functions may change the rows of every table, but not those of the audit trail."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, audit
from churn.adapters.mysql.app_user import make_user
from churn.adapters.mysql.server_errors import StatementRefusedError
from churn.domain.audit import AuditEntry
from churn.services.audit import link_entries, prune, verify
from churn.settings import Settings
from tests.support.events import NOW
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})

_TABLES = "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
_COLUMN = (
    "SELECT COLUMN_NAME AS name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
    "AND TABLE_NAME = '{}' AND COALESCE(GENERATION_EXPRESSION, '') = '' LIMIT 1"
)


@pytest.fixture
def functions(database: Database, mysql_url: str) -> Iterator[Database]:
    """Yield the database as the functions have it, after a deployment over one that gave them every right."""
    _run(database, "CREATE USER functions@'%%'")
    _run(database, "GRANT SELECT, INSERT, UPDATE, DELETE ON * TO functions@'%%'")
    make_user(database, "functions", "secret")
    scheme, _, rest = mysql_url.partition("://")
    own = Database(f"{scheme}://functions:secret@{rest.rpartition('@')[2]}")
    yield own
    own.close()
    _run(database, "DROP TABLE IF EXISTS later")
    _run(database, "DROP USER functions@'%%'")


def _run(database: Database, statement: str) -> None:
    database.run(lambda transaction: transaction.execute(statement, ()))


def test_the_trail_is_kept_by_the_user_from_the_entry_to_its_pruning(functions: Database) -> None:
    for days in (900, 1):
        at = NOW - timedelta(days=days)
        audit.append(functions, AuditEntry(at, "anna", "read", "read", "get_alert"))
        assert link_entries(functions, _SETTINGS, at, lambda _: None) == 1
    assert prune(functions, _SETTINGS, now=NOW, time_left=lambda: True) == 1
    verdict = verify(functions, _SETTINGS, NOW)
    assert (verdict.begin.position, verdict.end.position, verdict.broken) == (1, 2, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET subject = 'eve'",
        "INSERT INTO audit (at, action, operation) VALUES (NOW(), 'read', 'x') ON DUPLICATE KEY UPDATE role = 'x'",
        "UPDATE audit_links SET linked_at = '2020-01-01'",
        "DELETE FROM audit_ends",
        "TRUNCATE audit",
    ],
)
def test_no_row_of_the_trail_is_changed_by_the_user(functions: Database, statement: str) -> None:
    with pytest.raises(StatementRefusedError):
        _run(functions, statement)


def test_the_rows_of_every_other_table_are_changed_also_of_a_later_one(functions: Database, database: Database) -> None:
    _run(database, "CREATE TABLE later (id INT PRIMARY KEY)")
    _run(functions, "INSERT INTO later (id) VALUES (1)")
    make_user(database, "functions", "secret")
    of_trail = {"audit", "audit_links", "audit_ends"}
    names = {str(row["name"]) for row in rows(database, _TABLES)} - of_trail
    assert "later" in names
    for name in names:
        (column,) = rows(database, _COLUMN.format(name))
        _run(functions, f"UPDATE `{name}` SET `{column['name']}` = `{column['name']}` WHERE FALSE")
        _run(functions, f"DELETE FROM `{name}` WHERE FALSE")
