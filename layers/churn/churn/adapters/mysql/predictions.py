"""Tables `predictions`, what was served, and `shadow_predictions`, what a challenger would have served."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from churn.adapters.mysql import customers
from churn.adapters.mysql.conditions import MOST_COUNTED, Conditions, Counted
from churn.adapters.mysql.customer_pages import Position
from churn.adapters.mysql.database import Database, Row, Transaction, placeholders
from churn.adapters.mysql.statement_parts import HASHES, literal
from churn.domain.customer_record import CustomerRecord
from churn.domain.features import Features
from churn.domain.model import Prediction
from churn.domain.reasons import write_reasons
from churn.domain.risk import ACTIVE_STATUSES
from churn.domain.timeline import Window
from churn.domain.timestamps import to_millis

if TYPE_CHECKING:
    from churn.domain.model_answers import ScoringRole


TABLES: Mapping[ScoringRole, str] = {"served": "predictions", "shadow": "shadow_predictions"}
"""Where the predictions of each role are stored."""

_OF_CUSTOMER = (
    "SELECT p.*, m.kind AS model_kind, m.source AS model_source "
    "FROM (SELECT * FROM predictions {} ORDER BY created_at DESC, id DESC LIMIT %s) p "
    "LEFT JOIN models m ON m.version = p.model_version"
)
_COLUMNS = "p.id, p.customer_pk, p.model_version, p.churn_probability, p.created_at, p.as_of"
_SCORE = "id, customer_pk, churn_probability, model_version, as_of, created_at, value_at_risk, is_active"
_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Predicted:
    """A stored prediction: the instant that it is for (milliseconds since 1970), and the probability.

    `other` is that of a version beside.
    """

    at: int
    probability: float
    other: float = math.nan


def add(
    transaction: Transaction,
    predictions: Sequence[tuple[int, str, Prediction]],
    inputs: Mapping[int, Features],
    records: Mapping[int, CustomerRecord],
    now: datetime,
) -> None:
    """Store predictions, each with its customer's key and risk level.

    `inputs`: what each was made of, by key. `records`: the customers as of their predictions.
    """
    transaction.insert_many(
        "INSERT INTO predictions (customer_pk, risk_level, churn_probability, confidence, model_version, reasons, "
        "as_of, created_at, value_at_risk, is_active)",
        [
            (
                *(pk, level, prediction.churn_probability, prediction.confidence, prediction.model_version),
                *(write_reasons(prediction, inputs[pk]), record.scored_at, now),
                *(record.value_at_risk, record.status in ACTIVE_STATUSES),
            )
            for pk, level, prediction in predictions
            for record in [records[pk]]
        ],
    )


def add_shadows(
    transaction: Transaction,
    version: str,
    probabilities: Mapping[int, float],
    as_of: Mapping[int, datetime],
    now: datetime,
) -> None:
    """Store a challenger's churn probabilities, by customer's key; `as_of`: the instant, by key, that each is for."""
    transaction.insert_many(
        "INSERT INTO shadow_predictions (customer_pk, model_version, churn_probability, as_of, created_at)",
        [(pk, version, probability, as_of[pk], now) for pk, probability in probabilities.items()],
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stored predictions: of a risk level, and stored between two instants, both included."""

    risk_level: str | None = None
    stored_from: datetime | None = None
    stored_until: datetime | None = None

    @property
    def has_time(self) -> bool:
        """Whether an instant is given: the totals have the number of all others."""
        return self.stored_from is not None or self.stored_until is not None

    @property
    def table(self) -> str:
        """The table, read by the index that has them in the order of time."""
        index = "predictions_by_time" if self.risk_level is None else "predictions_by_risk"
        return f"predictions FORCE INDEX ({index})"

    def conditions(self) -> Conditions:
        """Return what the rows must meet."""
        conditions = Conditions()
        conditions.add_equal("risk_level", self.risk_level)
        conditions.add_between("created_at", self.stored_from, self.stored_until)
        return conditions


def newest(transaction: Transaction, wanted: Wanted, *, limit: int, after: Position | None = None) -> list[Row]:
    """Return stored predictions, the newest first: those after a place, which is when one was stored, and its id."""
    conditions = wanted.conditions()
    if after is not None:
        # Two ranges of an index: a sweep stores all its predictions at one instant. Unforced, all before are read too.
        conditions.add("((created_at = %s AND id < %s) OR created_at < %s)", after.value, after.key, after.value)
    return transaction.rows(
        "SELECT p.*, c.customer_id, m.kind AS model_kind, m.source AS model_source FROM (SELECT * FROM "
        f"{wanted.table} {conditions.where()} ORDER BY created_at DESC, id DESC LIMIT %s) p "
        "JOIN customers c ON c.id = p.customer_pk LEFT JOIN models m ON m.version = p.model_version "
        "ORDER BY p.created_at DESC, p.id DESC",
        [*conditions.values, limit],
    )


def count(transaction: Transaction, wanted: Wanted) -> Counted:
    """Return how many stored predictions there are, of which `MOST_COUNTED` are counted."""
    number = wanted.conditions().count(transaction, wanted.table, at_most=MOST_COUNTED + 1)
    return Counted(min(number, MOST_COUNTED), is_lower_bound=number > MOST_COUNTED)


def of_customer(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> list[Row]:
    """Return a customer's stored predictions, the newest first."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_window(window, "created_at", "id")
    return transaction.rows(
        _OF_CUSTOMER.format(f"FORCE INDEX (predictions_by_customer) {conditions.where()}")
        + " ORDER BY p.created_at DESC, p.id DESC",
        [*conditions.values, limit],
    )


def of_customer_by_id(transaction: Transaction, customer_pk: int, ids: Sequence[int]) -> dict[int, Row]:
    """Return those of some predictions, by their ids, that are a customer's."""
    conditions = Conditions(["customer_pk = %s"], [customer_pk])
    conditions.add_among("id", ids)
    rows = transaction.rows(_OF_CUSTOMER.format(conditions.where()), [*conditions.values, len(ids)])
    return {row["id"]: row for row in rows}


def newest_until(transaction: Transaction, keys: Iterable[int], until: datetime) -> dict[int, float]:
    """Return the newest churn probability of customers, by key, that was stored no later than an instant."""
    # One index seek a customer: a part of a UNION for each takes four times as long to be parsed and planned.
    query = (
        "SELECT c.id, (SELECT p.churn_probability FROM predictions p FORCE INDEX (predictions_by_customer) "
        f"WHERE p.customer_pk = c.id AND p.created_at <= {literal(until)} "
        "ORDER BY p.created_at DESC, p.id DESC LIMIT 1) AS probability "
        "FROM customers c FORCE INDEX (PRIMARY) WHERE c.id IN ({values})"
    )
    rows = transaction.rows_among(query, keys)
    return {row["id"]: row["probability"] for row in rows if row["probability"] is not None}


def count_between(transaction: Transaction, start: datetime, end: datetime, limit: int) -> int:
    """Return how many scores were stored in a span, at most `limit`."""
    row = transaction.row(
        "SELECT COUNT(*) AS number FROM (SELECT 1 FROM predictions FORCE INDEX (predictions_by_time) "
        "WHERE created_at >= %s AND created_at <= %s LIMIT %s) counted",
        (start, end, limit),
    )
    return int(row["number"]) if row else 0


def scores_between(transaction: Transaction, start: datetime, end: datetime, limit: int) -> list[Row]:
    """Return the first scores that were stored in a span, in their order, with what a preview of alerts needs."""
    return transaction.rows(
        f"SELECT {_SCORE} FROM predictions FORCE INDEX (predictions_by_time) "
        "WHERE created_at >= %s AND created_at <= %s ORDER BY created_at, id LIMIT %s",
        (start, end, limit),
    )


def scores_of(transaction: Transaction, keys: Sequence[int], start: datetime, end: datetime) -> list[Row]:
    """Return the scores of some customers that were stored in a span, as `scores_between` has them, in no order."""
    return transaction.rows(
        f"SELECT {_SCORE} FROM predictions FORCE INDEX (predictions_by_customer) "
        f"WHERE customer_pk IN ({placeholders(keys)}) AND created_at >= %s AND created_at <= %s",
        [*keys, start, end],
    )


def oldest(transaction: Transaction) -> datetime | None:
    """Return when the first stored prediction was made, None without any."""
    row = transaction.row("SELECT MIN(created_at) AS oldest FROM predictions")
    created_at: datetime | None = row["oldest"] if row else None
    return created_at


def sampling_share(transaction: Transaction, start: datetime, end: datetime, most: int) -> float:
    """Return the share of customers with which about `most` have predictions from `start` to before `end`."""
    stored = Conditions(["created_at >= %s", "created_at < %s"], [start, end]).count(transaction, "predictions")
    return min(1.0, most / max(1, min(stored, customers.count(transaction))))


def first_predictions(
    database: Database, role: ScoringRole, start: datetime, end: datetime, share: float
) -> dict[str, dict[int, Predicted]]:
    """Return, by version and customer's key, each customer's first prediction stored from `start` to before `end`.

    Only a share of the customers is looked at, chosen by a hash of their keys: the same ones in every week.
    """
    by_version: dict[str, dict[int, Predicted]] = {}
    for row in _pages(database, f"SELECT {_COLUMNS} FROM {TABLES[role]} p", start, end, share):
        predicted = Predicted(_instant(row), row["churn_probability"])
        by_version.setdefault(row["model_version"], {}).setdefault(row["customer_pk"], predicted)
    return by_version


def first_pairs(
    database: Database, start: datetime, end: datetime, share: float
) -> dict[tuple[str, str], dict[int, Predicted]]:
    """Return, by champion, challenger and customer's key, the first served prediction with a shadow of its instant."""
    by_versions: dict[tuple[str, str], dict[int, Predicted]] = {}
    # Rescoring stores thousands at one instant: by the time alone each would be looked up among all of them.
    query = (
        f"SELECT {_COLUMNS}, served.model_version AS champion, served.churn_probability AS probability "
        "FROM shadow_predictions p STRAIGHT_JOIN predictions served FORCE INDEX (predictions_by_customer) "
        "ON served.customer_pk = p.customer_pk AND served.created_at = p.created_at"
    )
    for row in _pages(database, query, start, end, share):
        predicted = Predicted(_instant(row), row["probability"], row["churn_probability"])
        by_versions.setdefault((row["champion"], row["model_version"]), {}).setdefault(row["customer_pk"], predicted)
    return by_versions


def erase(transaction: Transaction, customer_pk: int) -> Counter[str]:
    """Delete a customer's predictions; return the change of the totals."""
    change: Counter[str] = Counter()
    for row in transaction.rows("SELECT risk_level FROM predictions WHERE customer_pk = %s FOR UPDATE", (customer_pk,)):
        change[f"predictions:{row['risk_level']}"] -= 1
    for table in TABLES.values():
        transaction.execute(f"DELETE FROM {table} WHERE customer_pk = %s", (customer_pk,))
    return change


def _instant(row: Row) -> int:
    """Return the instant that a prediction is for; the first releases stored only when it was made."""
    return to_millis(row["as_of"] or row["created_at"])


def prune(transaction: Transaction, role: ScoringRole, before: datetime, limit: int) -> tuple[int, Counter[str]]:
    """Delete at most `limit` predictions stored before an instant; return how many, and the change of the totals."""
    level = "risk_level" if role == "served" else "NULL AS risk_level"
    rows = transaction.rows(
        f"SELECT id, {level} FROM {TABLES[role]} WHERE created_at < %s ORDER BY created_at, id LIMIT %s FOR UPDATE",
        (before, limit),
    )
    transaction.execute_among(f"DELETE FROM {TABLES[role]} WHERE id IN ({{values}})", [row["id"] for row in rows])
    change = Counter({f"predictions:{row['risk_level']}": 0 for row in rows if row["risk_level"]})
    change.subtract(f"predictions:{row['risk_level']}" for row in rows if row["risk_level"])
    return len(rows), change


def _pages(database: Database, query: str, start: datetime, end: datetime, share: float) -> Iterator[Row]:
    """Yield the rows of a query over predictions `p`, by when they were stored; each page is a range of that index."""
    return database.pages(
        f"{query} WHERE ((p.created_at = %(created_at)s AND p.id > %(id)s) "
        "OR (p.created_at > %(created_at)s AND p.created_at < %(end)s)) "
        "AND CRC32(p.customer_pk) < %(hash)s ORDER BY p.created_at, p.id LIMIT %(size)s",
        {"created_at": start, "id": 0},
        _PAGE,
        end=end,
        hash=math.ceil(share * HASHES),
    )
