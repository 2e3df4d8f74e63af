"""Table `dead_letters`: Kafka records that could not be applied."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched

from churn.adapters.mysql.conditions import Conditions
from churn.adapters.mysql.database import Row, Transaction
from churn.domain.record_subjects import Person, customer_of, customers_perhaps_named, is_about
from churn.domain.tombstones import Tombstones

_KEY_BYTES = 512
Position = tuple[str, int, int, bytes]
"""Topic, partition, offset, and the hash of the content."""

_PLACE = "topic, partition_id, record_offset, content_hash"
_FIRST: Position = ("", -1, -1, b"")
_WAITS = "redriven_at IS NULL AND record_value IS NOT NULL"
_CONTENT = ("record_key", "record_value")
# Any bytes are text in Latin-1, and its letters of ASCII are the same in UTF-8.
_LOWER = "LOWER(CONVERT({} USING latin1))"
_PLAIN = re.compile(r"[a-z0-9_.-]+")
_READ_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A Kafka record that could not be applied: its position, its content, and the reason."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str

    @property
    def position(self) -> Position:
        """What identifies the record: a topic that begins again at offset 0 has other records at the same places."""
        content = (self.key or b"")[:_KEY_BYTES] + b"\0" + (self.value or b"")
        return self.topic, self.partition, self.offset, hashlib.sha256(content).digest()


def add(
    transaction: Transaction,
    letters: Sequence[DeadLetter],
    now: datetime,
    tombstones: Tombstones,
    *,
    erased: frozenset[str] = frozenset(),
) -> int:
    """Store records, each once by its position and content; return how many were new.

    Of a record that may name an erased customer neither key nor value are stored, as if they had been dropped. One
    whose content was dropped already is not new, whatever it names somebody by: Kafka may deliver it again.
    """
    dropped = _dropped(transaction, [_hidden(letter.position, tombstones) for letter in letters])

    def row(letter: DeadLetter) -> tuple[object, ...]:
        *place, digest = letter.position
        reason = letter.reason[:1024]
        if not erased.isdisjoint(customers_perhaps_named(letter.key, letter.value)):
            return *_hidden(letter.position, tombstones), reason, None, None, None, now
        key = None if letter.key is None else letter.key[:_KEY_BYTES]
        return *place, digest, reason, customer_of(letter.value), key, letter.value, now

    return transaction.insert_many(
        "INSERT IGNORE INTO dead_letters "
        "(topic, partition_id, record_offset, content_hash, reason, customer_id, record_key, record_value, failed_at)",
        [row(letter) for letter in letters if _hidden(letter.position, tombstones) not in dropped],
    )


def _hidden(position: Position, tombstones: Tombstones) -> Position:
    """Return where a record stands once its content is dropped."""
    topic, partition, offset, digest = position
    return topic, partition, offset, tombstones.digest(digest)


def _dropped(transaction: Transaction, positions: Sequence[Position]) -> set[Position]:
    """Return those of the positions where a record stands."""
    found: set[Position] = set()
    for part in batched(positions, _READ_AT_ONCE, strict=False):
        places = ", ".join(["(%s, %s, %s, %s)"] * len(part))
        rows = transaction.rows(
            f"SELECT {_PLACE} FROM dead_letters WHERE ({_PLACE}) IN ({places})",
            [value for position in part for value in position],
        )
        found.update(_place(row) for row in rows)
    return found


def erase(transaction: Transaction, person: Person, tombstones: Tombstones) -> None:
    """Drop key and value of the records about a customer; their reasons and their number stay.

    Of those that name another customer the server finds those that may be meant; all others are looked at.
    """
    parts = sorted({_part(person.customer_id), *map(_part, person.details)})
    may_be_meant = " OR ".join([f"LOCATE(%s, {_LOWER.format(column)}) > 0" for column in _CONTENT for _ in parts])
    after: Position | None = _FIRST
    while after:
        rows = transaction.rows(
            f"SELECT {_PLACE}, record_key, record_value FROM dead_letters "
            f"WHERE ({_PLACE}) > (%s, %s, %s, %s) AND (record_key IS NOT NULL OR record_value IS NOT NULL) "
            f"AND (customer_id IS NULL OR customer_id = %s OR {may_be_meant}) ORDER BY {_PLACE} LIMIT %s",
            (*after, person.customer_id, *(parts * len(_CONTENT)), _READ_AT_ONCE),
        )
        meant = [_place(row) for row in rows if is_about(person, row["record_key"], row["record_value"])]
        drop_contents(transaction, meant, tombstones)
        after = _place(rows[-1]) if len(rows) == _READ_AT_ONCE else None


def with_content(transaction: Transaction, after: Position | None, limit: int) -> list[tuple[Position, list[str]]]:
    """Return the next records that have a key or a value: where they stand, and which customers they may name."""
    rows = transaction.rows(
        f"SELECT {_PLACE}, record_key, record_value FROM dead_letters "
        f"WHERE (record_key IS NOT NULL OR record_value IS NOT NULL) AND ({_PLACE}) > (%s, %s, %s, %s) "
        f"ORDER BY {_PLACE} LIMIT %s",
        (*(after or _FIRST), limit),
    )
    return [(_place(row), customers_perhaps_named(row["record_key"], row["record_value"])) for row in rows]


def count_since(transaction: Transaction, since: datetime) -> int:
    """Return how many records have been stored since an instant."""
    row = transaction.row("SELECT COUNT(*) AS number FROM dead_letters WHERE failed_at >= %s", (since,))
    return 0 if row is None else int(row["number"])


def count_waiting(transaction: Transaction, most: int) -> int:
    """Return how many records wait to be redriven; no more than `most` and one are counted."""
    row = transaction.row(
        f"SELECT COUNT(*) AS number FROM (SELECT 1 AS one FROM dead_letters WHERE {_WAITS} LIMIT %s) AS counted",
        (most + 1,),
    )
    return 0 if row is None else int(row["number"])


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands in the list of all, the newest first."""

    failed_at: datetime
    position: Position


def newest(
    transaction: Transaction, *, after: Place | None, limit: int, only_waiting: bool, value_bytes: int
) -> list[Row]:
    """Return a page of records, the newest first, with the beginnings of their keys and values.

    `value_bytes`: so many bytes of each; with 0 neither is read. `bytes` is the size of the whole value.
    """
    conditions, index = Conditions(), "dead_letters_by_state" if only_waiting else "dead_letters_by_time"
    if only_waiting:
        conditions.add(_WAITS)
    if after is not None:
        conditions.add("failed_at <= %s", after.failed_at)
        conditions.add(f"(failed_at < %s OR ({_PLACE}) < (%s, %s, %s, %s))", after.failed_at, *after.position)
    content = "customer_id, LEFT(record_key, %s) AS record_key, LEFT(record_value, %s) AS record_value, "
    return transaction.rows(
        f"SELECT {_PLACE}, failed_at, redriven_at, reason, {content if value_bytes else ''}"
        f"LENGTH(record_value) AS bytes FROM dead_letters FORCE INDEX ({index}) {conditions.where()} "
        f"ORDER BY failed_at DESC, {', '.join(f'{column} DESC' for column in _PLACE.split(', '))} LIMIT %s",
        [*([value_bytes] * 2 if value_bytes else []), *conditions.values, limit],
    )


def place_of(row: Row) -> Place:
    """Return where a row of `newest` stands."""
    return Place(row["failed_at"], _place(row))


def drop_contents(transaction: Transaction, positions: Sequence[Position], tombstones: Tombstones) -> None:
    """Drop key and value of records; their reasons and their number stay, and nobody can guess what they held."""
    for position in positions:
        transaction.execute(
            "UPDATE dead_letters SET customer_id = NULL, record_key = NULL, record_value = NULL, content_hash = %s "
            f"WHERE ({_PLACE}) = (%s, %s, %s, %s)",
            (tombstones.digest(position[-1]), *position),
        )


def prune(transaction: Transaction, before: datetime, limit: int) -> int:
    """Delete at most `limit` records that failed before an instant; return how many."""
    return transaction.execute(
        "DELETE FROM dead_letters WHERE failed_at < %s ORDER BY failed_at LIMIT %s", (before, limit)
    )


def waiting(transaction: Transaction, after: Position | None, limit: int) -> list[DeadLetter]:
    """Return dead letters not applied yet, in the order of their positions, from `after` on; without the erased."""
    rows = transaction.rows(
        "SELECT topic, partition_id, record_offset, record_key, record_value, reason FROM dead_letters "
        f"WHERE {_WAITS} AND ({_PLACE}) > (%s, %s, %s, %s) "
        f"ORDER BY {_PLACE} LIMIT %s",
        (*(after or _FIRST), limit),
    )
    return [
        DeadLetter(
            row["topic"],
            row["partition_id"],
            row["record_offset"],
            row["record_key"],
            row["record_value"],
            row["reason"],
        )
        for row in rows
    ]


def mark_redriven(transaction: Transaction, letter: DeadLetter, now: datetime) -> None:
    """Record that a dead letter has been applied."""
    transaction.execute(
        "UPDATE dead_letters SET redriven_at = %s "
        "WHERE topic = %s AND partition_id = %s AND record_offset = %s AND content_hash = %s",
        (now, *letter.position),
    )


def _place(row: Row) -> Position:
    return row["topic"], row["partition_id"], row["record_offset"], row["content_hash"]


def _part(word: str) -> str:
    """Return a part of an id, e-mail or name that is the same in every writing, and of a phone its last digits.

    Empty if there is none, which is found everywhere.
    """
    if not any(character.isalpha() for character in word):
        return re.sub(r"\D", "", word)[-2:]
    return max(_PLAIN.findall(word.lower().split("@")[0]), key=len, default="")
