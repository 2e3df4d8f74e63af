"""Handing over what is stored of a customer (article 15 and 20 of the GDPR), a part at a time."""

from __future__ import annotations

import contextlib
import json
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database, stored_of_customer
from churn.adapters.mysql.stored_of_customer import Place
from churn.domain.timestamps import iso
from churn.services.cursors import read_export_cursor, write_export_cursor
from churn.services.customers import existing

if TYPE_CHECKING:
    from churn.adapters.mysql import Transaction
    from churn.adapters.mysql.database import Row
    from churn.domain.story_answers import CustomerExport

# An answer of a function has 6 MB at most.
_ROWS = 500
# Keys of this database, which say nothing of a person.
_INTERNAL = frozenset({"customer_pk"})
_JSON = frozenset({"state", "contributions", "data", "reasons", "changed"})


def hand_over(database: Database, customer_id: str, cursor: str | None, now: datetime) -> CustomerExport:
    """Return a part of all that is stored of a customer, and the cursor of the next one.

    Raises CustomerNotFoundError, InvalidCursorError, DatabaseUnavailableError.
    """
    place = Place() if cursor is None else read_export_cursor(cursor)

    def work(transaction: Transaction) -> CustomerExport:
        row = existing(transaction, customer_id)
        found, end = stored_of_customer.read(transaction, row["id"], place, _ROWS)
        tables: dict[str, list[dict[str, Any]]] = {}
        for table, stored in found:
            tables.setdefault(table, []).append(_shown(stored))
        return {
            "customer_id": row["customer_id"],
            "exported_at": iso(now),
            "stored": tables,
            "next_cursor": None if end is None else write_export_cursor(end),
        }

    return database.read(work)


def _shown(row: Row) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items() if name not in _INTERNAL}


def _value(name: str, value: Any) -> Any:
    """Return a column's value as JSON has it."""
    if name in _JSON and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    match value:
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case Decimal():
            return float(value)
        case bytes():
            return value.hex()
    return value
