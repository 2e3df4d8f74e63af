"""Table `dead_letters`: Kafka records that could not be applied."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Transaction

_KEY_BYTES = 512
Position = tuple[str, int, int, bytes]
"""Topic, partition, offset, and the hash of the content."""


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


def add(transaction: Transaction, letters: Sequence[DeadLetter], now: datetime) -> int:
    """Store records, each once by its position and content; return how many were new."""
    return transaction.insert_many(
        "INSERT IGNORE INTO dead_letters "
        "(topic, partition_id, record_offset, content_hash, reason, record_key, record_value, failed_at)",
        [
            (
                *letter.position,
                letter.reason[:1024],
                None if letter.key is None else letter.key[:_KEY_BYTES],
                letter.value,
                now,
            )
            for letter in letters
        ],
    )


def waiting(transaction: Transaction, after: Position | None, limit: int) -> list[DeadLetter]:
    """Return dead letters not applied yet, in the order of their positions, from `after` on."""
    rows = transaction.rows(
        "SELECT topic, partition_id, record_offset, record_key, record_value, reason FROM dead_letters "
        "WHERE redriven_at IS NULL AND (topic, partition_id, record_offset, content_hash) > (%s, %s, %s, %s) "
        "ORDER BY topic, partition_id, record_offset, content_hash LIMIT %s",
        (*(after or ("", -1, -1, b"")), limit),
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
