"""The search for a customer's data, wherever the service may have left them."""

import base64
import json
from collections.abc import Iterator, Sequence

from churn.adapters.mysql import Database
from churn.adapters.mysql.database import Row


def forms(mark: str) -> Iterator[bytes]:
    """Yield the bytes by which a mark can be recognised: as it is, lower-cased, escaped in JSON, and within base64."""
    for text in (mark, mark.lower(), json.dumps(mark)[1:-1], json.dumps(json.dumps(mark))[3:-3]):
        yield text.encode()
    for padding in range(3):
        # The first and the last characters also depend on the neighbours.
        yield base64.b64encode(b"\0" * padding + mark.encode())[(0, 2, 3)[padding] : -4]


def holds(content: bytes, marks: Sequence[str]) -> bool:
    """Return whether a mark stands in the content, in any form."""
    return any(form in content for mark in marks for form in forms(mark))


def columns_of_text(database: Database) -> list[Row]:
    """Return every column of the schema that holds a text or a blob: table (`tab`) and column (`col`)."""
    columns = database.run(
        lambda transaction: transaction.rows(
            "SELECT table_name AS tab, column_name AS col FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND (data_type LIKE '%%char%%' OR data_type LIKE '%%text%%' "
            "OR data_type LIKE '%%blob%%' OR data_type LIKE '%%binary%%' OR data_type LIKE '%%json%%')"
        )
    )
    assert len(columns) > 40
    return columns


def empty_columns(database: Database) -> set[str]:
    """Return the columns for texts or blobs, as ``TABLE.COLUMN``, in which nothing is stored."""
    empty = set()
    for column in columns_of_text(database):
        query = f"SELECT 1 AS present FROM `{column['tab']}` WHERE LENGTH(`{column['col']}`) > 0 LIMIT 1"
        if not database.run(lambda transaction, query=query: transaction.rows(query)):  # type: ignore[misc]
            empty.add(f"{column['tab']}.{column['col']}")
    return empty


def tables_that_hold(database: Database, marks: Sequence[str]) -> set[str]:
    """Return the tables with a text or a blob that holds a mark; every column of the schema is looked at."""
    found = set()
    for column in columns_of_text(database):
        query = f"SELECT CAST(`{column['col']}` AS BINARY) AS content FROM `{column['tab']}`"
        rows = database.run(lambda transaction, query=query: transaction.rows(query))  # type: ignore[misc]
        if any(holds(row["content"], marks) for row in rows if row["content"] is not None):
            found.add(column["tab"])
    return found
