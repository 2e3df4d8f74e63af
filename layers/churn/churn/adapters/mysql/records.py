"""What scoring leaves behind a customer: predictions, alerts, dead letters, and the model that served."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from churn.adapters.mysql.database import Transaction
from churn.domain.alerts import NewAlert
from churn.domain.model import Prediction, kind_of


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A Kafka record that is no event: where it stood, what it held, and what is wrong with it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    reason: str


def add_predictions(
    transaction: Transaction, predictions: Sequence[tuple[int, str, Prediction]], now: datetime
) -> None:
    """Stores predictions, each with its customer's key and risk level."""
    transaction.insert_many(
        "INSERT INTO predictions (customer_pk, risk_level, churn_probability, confidence, model_version, created_at)",
        [
            (pk, level, prediction.churn_probability, prediction.confidence, prediction.model_version, now)
            for pk, level, prediction in predictions
        ],
    )


def add_shadow_predictions(
    transaction: Transaction, version: str, probabilities: Mapping[int, float], now: datetime
) -> None:
    """Stores a challenger's churn probabilities, each by its customer's key."""
    transaction.insert_many(
        "INSERT INTO shadow_predictions (customer_pk, model_version, churn_probability, created_at)",
        [(pk, version, probability, now) for pk, probability in probabilities.items()],
    )


def open_alerts(transaction: Transaction, customer_pks: Sequence[int]) -> set[tuple[int, str]]:
    """The open alerts of some customers, as pairs of the customer's key and the alert's type."""
    if not customer_pks:
        return set()
    places = ", ".join(["%s"] * len(customer_pks))
    rows = transaction.rows(
        f"SELECT customer_pk, alert_type FROM alerts WHERE is_open = 1 AND customer_pk IN ({places})", customer_pks
    )
    return {(int(row["customer_pk"]), row["alert_type"]) for row in rows}


def add_alerts(transaction: Transaction, alerts: Sequence[tuple[int, NewAlert]], now: datetime) -> list[int]:
    """Stores alerts, each with its customer's key, and returns their ids.

    To be called last in a transaction: the ids come from a row that stays locked until the commit, so that they rise
    in the order of the commits and a reader who asks for those above the last that it saw misses none.
    """
    if not alerts:
        return []
    transaction.execute("UPDATE counters SET value = value + %s WHERE name = 'alerts'", (len(alerts),))
    counter = transaction.row("SELECT value FROM counters WHERE name = 'alerts'")
    last = int(counter["value"]) if counter else 0
    ids = list(range(last - len(alerts) + 1, last + 1))
    transaction.insert_many(
        "INSERT INTO alerts (id, customer_pk, alert_type, priority, title, message, reason, risk_score, created_at)",
        [
            (
                number,
                pk,
                alert.alert_type,
                alert.priority,
                alert.title[:512],
                alert.message[:1024],
                alert.reason[:512],
                alert.risk_score,
                now,
            )
            for number, (pk, alert) in zip(ids, alerts, strict=True)
        ],
    )
    return ids


def add_dead_letters(transaction: Transaction, letters: Sequence[DeadLetter], now: datetime) -> int:
    """Stores records that are no events, each once by where it stood; returns how many were new."""
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


def waiting_dead_letters(transaction: Transaction, after: tuple[str, int, int] | None, limit: int) -> list[DeadLetter]:
    """Dead letters that were never applied, by where they stood: topic, partition and offset, from `after` on."""
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
    """Records that a dead letter has been applied after all."""
    transaction.execute(
        "UPDATE dead_letters SET redriven_at = %s WHERE topic = %s AND partition_id = %s AND record_offset = %s",
        (now, letter.topic, letter.partition, letter.offset),
    )


def record_model(transaction: Transaction, version: str, metadata: Mapping[str, object], now: datetime) -> bool:
    """Records that a model serves from now on; returns whether none of its version has served before."""
    changed = transaction.execute(
        "INSERT INTO models (version, kind, metadata, loaded_at) VALUES (%s, %s, %s, %s) "
        "ON DUPLICATE KEY UPDATE metadata = VALUES(metadata), loaded_at = VALUES(loaded_at)",
        (version, kind_of(metadata), json.dumps(metadata), now),
    )
    # MySQL counts a new row as one and a row that was there as two.
    return changed == 1
