"""Schema changes on a real server."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from churn.adapters.mysql import Database, dead_letters
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.adapters.mysql.migrations import Migration, MigrationError, migrate, read_migrations
from churn.domain.tombstones import Tombstones
from tests.conftest import MIGRATIONS
from tests.support.events import NOW

_TOMBSTONES = Tombstones(lambda: "only-a-test-knows-this-key-of-32-bytes")


def test_running_again_applies_nothing(database: Database) -> None:
    assert migrate(database, read_migrations(MIGRATIONS)) == []


def test_two_at_once_apply_each_change_once(mysql_url: str, database: Database) -> None:
    change = Migration("9001_two_at_once", ("CREATE TABLE two_at_once (id INT PRIMARY KEY)",), "a" * 64)
    try:
        with ThreadPoolExecutor(2) as pool:
            applied = list(pool.map(lambda _: migrate(Database(mysql_url), [change]), range(2)))
        assert sorted(applied) == [[], [change.name]]
    finally:
        _undo(database, change.name, "two_at_once")


def test_a_failure_names_the_statement_and_the_next_run_goes_on_there(database: Database) -> None:
    statements = ("CREATE TABLE half_way (id INT PRIMARY KEY)", "CREATE TABLE nonsense (", "DROP TABLE half_way")
    try:
        with pytest.raises(MigrationError, match="9002_half_way, statement 2"):
            migrate(database, [Migration("9002_half_way", statements, "b" * 64)])
        repaired = (statements[0], "ALTER TABLE half_way ADD COLUMN name INT", statements[2])
        assert migrate(database, [Migration("9002_half_way", repaired, "b" * 64)]) == ["9002_half_way"]
    finally:
        _undo(database, "9002_half_way", "half_way")


def test_a_change_that_was_altered_later_is_refused(database: Database) -> None:
    first, *_ = read_migrations(MIGRATIONS)
    with pytest.raises(MigrationError, match="was changed after"):
        migrate(database, [Migration(first.name, first.statements, "c" * 64)])


def test_dead_letters_of_before_are_known_by_their_content(empty: Database) -> None:
    before = [migration for migration in read_migrations(MIGRATIONS) if migration.name < "0005"]
    migrate(empty, before)
    letters = [
        DeadLetter("user-events", 0, 1, b"key", b"\x00\xff no json", "why"),
        DeadLetter("user-events", 0, 2, None, b"", "is empty"),
    ]
    empty.run(
        lambda transaction: transaction.insert_many(
            "INSERT INTO dead_letters "
            "(topic, partition_id, record_offset, reason, record_key, record_value, failed_at)",
            [("user-events", 0, letter.offset, letter.reason, letter.key, letter.value, NOW) for letter in letters],
        )
    )
    migrate(empty, read_migrations(MIGRATIONS))
    assert empty.run(lambda transaction: dead_letters.waiting(transaction, None, 10)) == letters
    assert empty.run(lambda transaction: dead_letters.add(transaction, letters, NOW, _TOMBSTONES)) == 0
    other = replace(letters[0], value=b"another record at the same place")
    assert empty.run(lambda transaction: dead_letters.add(transaction, [other], NOW, _TOMBSTONES)) == 1


def _undo(database: Database, name: str, table: str) -> None:
    database.run(lambda transaction: transaction.execute(f"DROP TABLE IF EXISTS {table}"))
    database.run(lambda transaction: transaction.execute("DELETE FROM schema_migrations WHERE name = %s", (name,)))
