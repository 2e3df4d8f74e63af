"""Tables `segments` and `segment_history`: named filters of customers, and what was counted of them each night."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any

from churn.adapters.mysql.database import Row, Transaction
from churn.domain.errors import ConflictError, NotFoundError, OutdatedError
from churn.domain.segments import MAX_SEGMENTS, SegmentFigures, is_segment_id, name_key

_FIGURES = tuple(field.name for field in fields(SegmentFigures))
_COLUMNS = f"id, name, filter, is_built_in, version, filter_version, changed_at, changed_by, {', '.join(_FIGURES)}"
# A longer number is the id of no row.
_LONGEST_ID = 18


class SegmentNotFoundError(NotFoundError):
    """There is no segment with this id."""

    sentence = "There is no such segment."


class SegmentNameTakenError(ConflictError):
    """Another segment has the name."""

    def __init__(self, other: int) -> None:
        super().__init__(f"Segment {other} has this name.")
        self.location = f"/api/segments/{other}"


class SegmentsFullError(ConflictError):
    """There are as many segments as there may be."""

    def __init__(self) -> None:
        super().__init__(f"There are {MAX_SEGMENTS} segments, the most that there may be: delete one first.")


class SegmentBuiltInError(ConflictError):
    """The segment comes with the service, and stays."""

    def __init__(self) -> None:
        super().__init__(
            "This segment comes with the service: it can be renamed and given another filter, not deleted."
        )


class SegmentChangedError(OutdatedError):
    """The segment is of another version than the caller has."""

    def __init__(self, version: int) -> None:
        super().__init__(f"The segment has changed: its version is {version} now.")


def every(transaction: Transaction) -> list[Row]:
    """Return all segments, in the order in which they were made, each with the figures that were counted last."""
    return [_read(row) for row in transaction.rows(f"SELECT {_COLUMNS} FROM segments ORDER BY id")]


def get(transaction: Transaction, segment_id: int) -> Row:
    """Return a segment. Raises SegmentNotFoundError."""
    row = transaction.row(f"SELECT {_COLUMNS} FROM segments WHERE id = %s", (segment_id,))
    if row is None:
        raise SegmentNotFoundError(segment_id)
    return _read(row)


def by_reference(transaction: Transaction, text: str) -> Row | None:
    """Return the segment with an id or a name, None if there is none."""
    column, value = ("id", text) if is_segment_id(text) else ("name_key", name_key(text))
    row = None
    if column != "id" or len(text) <= _LONGEST_ID:
        row = transaction.row(f"SELECT {_COLUMNS} FROM segments WHERE {column} = %s", (value,))
    return None if row is None else _read(row)


def add(transaction: Transaction, name: str, asked: Mapping[str, Any], by: str, now: datetime) -> int:
    """Store a segment; return its id. Raises SegmentNameTakenError, SegmentsFullError."""
    number = _lock_names(transaction)
    _require_free(transaction, name, None)
    if number >= MAX_SEGMENTS:
        raise SegmentsFullError
    return transaction.insert(
        "INSERT INTO segments (name, name_key, filter, changed_at, changed_by) VALUES (%s, %s, %s, %s, %s)",
        (name, name_key(name), json.dumps(asked), now, by),
    )


def change(
    transaction: Transaction,
    segment_id: int,
    *,
    name: str | None,
    asked: Mapping[str, Any] | None,
    by: str,
    now: datetime,
    versions: frozenset[int] | None,
) -> None:
    """Give a segment of one of the versions another name, or another filter, whose figures are not known then.

    Raises SegmentNotFoundError, SegmentChangedError, SegmentNameTakenError.
    """
    if name is not None:
        _lock_names(transaction)
    row = _lock(transaction, segment_id, versions)
    name = row["name"] if name is None else name
    is_other_filter = asked is not None and asked != row["filter"]
    if name == row["name"] and not is_other_filter:
        return
    _require_free(transaction, name, segment_id)
    forgotten = ", filter_version = filter_version + 1" + "".join(f", {column} = NULL" for column in _FIGURES)
    transaction.execute(
        "UPDATE segments SET name = %s, name_key = %s, filter = %s, version = version + 1, changed_at = %s, "
        f"changed_by = %s{forgotten if is_other_filter else ''} WHERE id = %s",
        (name, name_key(name), json.dumps(asked if is_other_filter else row["filter"]), now, by, segment_id),
    )


def delete(transaction: Transaction, segment_id: int, versions: frozenset[int] | None) -> None:
    """Delete a segment of one of the versions, with its history.

    Raises SegmentNotFoundError, SegmentChangedError, SegmentBuiltInError.
    """
    row = _lock(transaction, segment_id, versions)
    if row["is_built_in"]:
        raise SegmentBuiltInError
    transaction.execute("DELETE FROM segment_history WHERE segment_id = %s", (segment_id,))
    transaction.execute("DELETE FROM segments WHERE id = %s", (segment_id,))


def store_figures(transaction: Transaction, segment_id: int, filter_version: int, figures: SegmentFigures) -> bool:
    """Store what was counted by a version of the filter; return whether the segment is still there with it."""
    row = transaction.row(
        "SELECT 1 AS present FROM segments WHERE id = %s AND filter_version = %s FOR UPDATE",
        (segment_id, filter_version),
    )
    if row is not None:
        assignments = ", ".join(f"{column} = %s" for column in _FIGURES)
        transaction.execute(f"UPDATE segments SET {assignments} WHERE id = %s", (*asdict(figures).values(), segment_id))
    return row is not None


def note_night(
    transaction: Transaction, segment_id: int, filter_version: int, day: date, figures: SegmentFigures
) -> None:
    """Store what was counted in a night; a repeated count takes the place of the one before."""
    columns = ("filter_version", *_FIGURES)
    transaction.insert_many(
        f"INSERT INTO segment_history (segment_id, day, {', '.join(columns)})",
        [(segment_id, day, filter_version, *asdict(figures).values())],
        "ON DUPLICATE KEY UPDATE " + ", ".join(f"{column} = VALUES({column})" for column in columns),
    )


def history(transaction: Transaction, segment_id: int, first: date, last: date, limit: int) -> list[Row]:
    """Return the newest nights of a segment between two days, both included, the newest first."""
    return transaction.rows(
        f"SELECT day, filter_version, {', '.join(_FIGURES)} FROM segment_history "
        "WHERE segment_id = %s AND day >= %s AND day <= %s ORDER BY day DESC LIMIT %s",
        (segment_id, first, last, limit),
    )


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete the figures of at most `limit` nights before an instant; return how many."""
    return transaction.execute(
        "DELETE FROM segment_history WHERE day < %s ORDER BY day LIMIT %s", (before.date(), limit)
    )


def figures_of(row: Row) -> SegmentFigures | None:
    """Return the figures in a row of either table, None where they have not been counted."""
    if row["counted_at"] is None:
        return None
    values = {column: row[column] for column in _FIGURES}
    return SegmentFigures(**values | {"is_lower_bound": bool(row["is_lower_bound"])})


def _lock_names(transaction: Transaction) -> int:
    """Let all who give names wait for each other; return how many segments there are."""
    # Those that come with the service are always there to be waited for.
    return len(transaction.rows("SELECT id FROM segments ORDER BY id FOR UPDATE"))


def _lock(transaction: Transaction, segment_id: int, versions: frozenset[int] | None) -> Row:
    row = transaction.row(f"SELECT {_COLUMNS} FROM segments WHERE id = %s FOR UPDATE", (segment_id,))
    if row is None:
        raise SegmentNotFoundError(segment_id)
    if versions is not None and row["version"] not in versions:
        raise SegmentChangedError(row["version"])
    return _read(row)


def _require_free(transaction: Transaction, name: str, own: int | None) -> None:
    row = transaction.row("SELECT id FROM segments WHERE name_key = %s FOR UPDATE", (name_key(name),))
    if row is not None and row["id"] != own:
        raise SegmentNameTakenError(row["id"])


def _read(row: Row) -> Row:
    return {**row, "filter": json.loads(row["filter"])}
