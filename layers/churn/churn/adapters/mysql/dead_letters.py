"""Table `dead_letters`: Kafka records that could not be applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Transaction


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A Kafka record that could not be applied: its position, its content, and the reason."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str


def add(transaction: Transaction, letters: Sequence[DeadLetter], now: datetime) -> int:
    """Store records, each once by its position in Kafka; return how many were new."""
    return transaction.insert_many(
        "INSERT IGNORE INTO dead_letters "
        "(topic, partition_id, record_offset, reason, record_key, record_value, failed_at)",
        [
            (
                letter.topic,
                letter.partition,
                letter.offset,
                letter.reason[:1024],
                None if letter.key is None else letter.key[:512],
                letter.value,
                now,
            )
            for letter in letters
        ],
        size=50,
    )


def waiting(transaction: Transaction, after: tuple[str, int, int] | None, limit: int) -> list[DeadLetter]:
    """Return dead letters not applied yet, ordered by topic, partition and offset, from `after` on."""
    rows = transaction.rows(
        "SELECT topic, partition_id, record_offset, record_key, record_value, reason FROM dead_letters "
        "WHERE redriven_at IS NULL AND (topic, partition_id, record_offset) > (%s, %s, %s) "
        "ORDER BY topic, partition_id, record_offset LIMIT %s",
        (*(after or ("", -1, -1)), limit),
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
        "UPDATE dead_letters SET redriven_at = %s WHERE topic = %s AND partition_id = %s AND record_offset = %s",
        (now, letter.topic, letter.partition, letter.offset),
    )
