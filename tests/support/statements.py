"""How long the statements are that a connection sends, by the server's own log."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from churn.adapters.mysql import Database, Transaction

PINS_FROM_BYTES = 16 * 1024
"""A statement of so many bytes pins a session of RDS Proxy to its connection."""


@contextmanager
def logged(database: Database, asks: Database) -> Iterator[list[int]]:
    """Yield a list that holds, after the block, the bytes of each statement that `asks` has sent within it."""
    row = asks.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))
    assert row is not None
    lengths: list[int] = []
    _log(database, on=True)
    try:
        yield lengths
    finally:
        _log(database, on=False)
    query = "SELECT LENGTH(argument) AS bytes FROM mysql.general_log WHERE thread_id = %s AND command_type = 'Query'"
    found = database.run(partial(Transaction.rows, statement=query, parameters=(row["id"],)))
    lengths += [row["bytes"] for row in found]


def _log(database: Database, *, on: bool) -> None:
    state = "ON" if on else "OFF"
    database.run(
        lambda transaction: transaction.execute(f"SET GLOBAL log_output = 'TABLE', GLOBAL general_log = {state}")
    )
