"""What predictions became: which were made, the figures of the weeks, comparisons of two versions, and drift."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from churn.adapters.mysql.database import Database, Row, Transaction
from churn.domain.customer import CustomerState
from churn.domain.timestamps import to_millis

if TYPE_CHECKING:
    # It has numpy, which those who read the figures have not.
    from churn.ml.drift import Drift

Role = Literal["served", "shadow"]
Figures = Mapping[str, float | None]
Intervals = Mapping[str, list[float | None]]

TABLES: Mapping[Role, str] = {"served": "predictions", "shadow": "shadow_predictions"}
"""Where the predictions of each role are stored."""

_PREDICTION = "p.id, p.customer_pk, p.model_version, p.churn_probability, p.created_at"
_PAGE = 5000
_STATES = 1000
_HASHES = 2**32


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one version's predictions of one week (its Monday), as `evaluated_at` knew them.

    `expected` follows from the probabilities alone; `churned`, `realised` and the 95 % `intervals` are there from the
    stage `matured` on.
    """

    model_version: str
    role: Role
    week: date
    stage: Literal["estimated", "matured", "settled"]
    horizon_days: int
    customers: int
    churned: int | None
    expected: Figures
    realised: Figures | None
    intervals: Intervals | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions on the same customers at the same instants.

    `differences` are 95 % intervals of the challenger's figure less the champion's.
    """

    champion: str
    challenger: str
    first_week: date
    last_week: date
    customers: int
    churned: int
    champion_figures: Figures
    challenger_figures: Figures
    differences: Intervals
    verdict: Literal["challenger_better", "champion_better", "undecided"]


@dataclass(frozen=True, slots=True)
class Predicted:
    """A stored prediction: when (milliseconds since 1970) and what probability; `other` is that of a version beside."""

    at: int
    probability: float
    other: float = math.nan


def oldest_prediction(transaction: Transaction) -> datetime | None:
    """When the first prediction that is stored was made, None without any."""
    row = transaction.row("SELECT MIN(created_at) AS oldest FROM predictions")
    found: datetime | None = row["oldest"] if row else None
    return found


def weeks_in_order(transaction: Transaction, now: datetime) -> set[date]:
    """The weeks that were evaluated and are not due again; what a clock ahead of `now` has evaluated is due."""
    rows = transaction.rows(
        "SELECT w.week FROM evaluated_weeks w LEFT JOIN model_quality q ON q.week = w.week AND q.evaluated_at > %s "
        "WHERE (w.next_at IS NULL OR w.next_at > %s) AND q.week IS NULL",
        (now, now),
    )
    return {row["week"] for row in rows}


def sampled(transaction: Transaction, start: datetime, end: datetime, most: int) -> float:
    """The share of customers to take so that about `most` at the most have predictions of `start` to before `end`."""
    counts = [
        transaction.row(f"SELECT COUNT(*) AS number FROM {source}", values)
        for source, values in (
            ("predictions WHERE created_at >= %s AND created_at < %s", (start, end)),
            ("customers WHERE deleted = 0", ()),
        )
    ]
    return min(1.0, most / max(1, min(int(row["number"]) for row in counts if row)))


def first_predictions(
    database: Database, role: Role, start: datetime, end: datetime, share: float
) -> dict[str, dict[int, Predicted]]:
    """By version and customer's key, each customer's first prediction of those stored from `start` to before `end`.

    For a share of the customers, chosen by a hash of their keys: the same ones in every week.
    """
    found: dict[str, dict[int, Predicted]] = {}
    for row in _pages(database, f"SELECT {_PREDICTION} FROM {TABLES[role]} p", start, end, share):
        predicted = Predicted(to_millis(row["created_at"]), row["churn_probability"])
        found.setdefault(row["model_version"], {}).setdefault(row["customer_pk"], predicted)
    return found


def first_pairs(
    database: Database, start: datetime, end: datetime, share: float
) -> dict[tuple[str, str], dict[int, Predicted]]:
    """By champion, challenger and customer's key, the first served prediction that has a shadow of its instant."""
    found: dict[tuple[str, str], dict[int, Predicted]] = {}
    # A sweep stores thousands at one instant: by the time alone each would be looked up among all of them.
    query = (
        f"SELECT {_PREDICTION}, served.model_version AS champion, served.churn_probability AS probability "
        "FROM shadow_predictions p STRAIGHT_JOIN predictions served FORCE INDEX (predictions_by_customer) "
        "ON served.customer_pk = p.customer_pk AND served.created_at = p.created_at"
    )
    for row in _pages(database, query, start, end, share):
        predicted = Predicted(to_millis(row["created_at"]), row["probability"], row["churn_probability"])
        found.setdefault((row["champion"], row["model_version"]), {}).setdefault(row["customer_pk"], predicted)
    return found


def states(database: Database, customer_pks: Iterable[int]) -> Iterator[tuple[int, CustomerState]]:
    """The states of customers by their keys, in the order of the keys; memory stays that of one page."""
    keys = sorted(customer_pks)
    for first in range(0, len(keys), _STATES):
        page = keys[first : first + _STATES]
        query = (
            "SELECT customer_pk, state FROM customer_states "
            f"WHERE customer_pk IN ({', '.join(['%s'] * len(page))}) ORDER BY customer_pk"
        )
        rows = database.run(lambda transaction, query=query, page=page: transaction.rows(query, page))  # type: ignore[misc]
        yield from ((row["customer_pk"], CustomerState.from_json(row["state"])) for row in rows)


def active_customers(transaction: Transaction, ordered_since: datetime, most: int) -> list[int]:
    """The keys of about `most` active customers who have ordered since an instant, chosen by a hash of their keys."""
    condition = "FROM customers WHERE deleted = 0 AND is_active = 1 AND last_order_at >= %s"
    row = transaction.row(f"SELECT COUNT(*) AS number {condition}", (ordered_since,))
    share = min(1.0, most / max(1, int(row["number"]) if row else 0))
    rows = transaction.rows(
        f"SELECT id {condition} AND CRC32(id) < %s ORDER BY id", (ordered_since, math.ceil(share * _HASHES))
    )
    return [row["id"] for row in rows]


def horizons(transaction: Transaction) -> dict[str, int]:
    """The horizon in days of the versions that have served or been evaluated."""
    evaluated = transaction.rows("SELECT model_version, MAX(horizon_days) AS days FROM model_quality GROUP BY 1")
    served = {
        row["version"]: json.loads(row["metadata"]).get("horizon_days")
        for row in transaction.rows("SELECT version, metadata FROM models")
    }
    return {
        **{row["model_version"]: int(row["days"]) for row in evaluated},
        **{version: int(days) for version, days in served.items() if days},
    }


def put_week(
    transaction: Transaction, week: date, rows: Sequence[Quality], next_at: datetime | None, now: datetime
) -> None:
    """Stores the figures of a week in the place of those before, and when it is due again."""
    transaction.execute("DELETE FROM model_quality WHERE week = %s", (week,))
    transaction.insert_many(
        "INSERT INTO model_quality (model_version, role, week, stage, horizon_days, customers, churned, expected, "
        "realised, intervals, evaluated_at)",
        [
            (
                *(row.model_version, row.role, row.week, row.stage, row.horizon_days, row.customers, row.churned),
                *(_json(row.expected), _json(row.realised), _json(row.intervals), now),
            )
            for row in rows
        ],
    )
    transaction.execute("REPLACE INTO evaluated_weeks (week, next_at) VALUES (%s, %s)", (week, next_at))


def week_to_compare(transaction: Transaction, now: datetime) -> date | None:
    """The newest week with outcomes of a challenger, where one has been evaluated since the last comparison."""
    row = transaction.row(
        "SELECT MAX(week) AS week, MAX(evaluated_at) > COALESCE((SELECT MAX(evaluated_at) FROM model_comparisons "
        "WHERE evaluated_at <= %s), '1970-01-01') AS is_new FROM model_quality "
        "WHERE role = 'shadow' AND stage <> 'estimated'",
        (now,),
    )
    found: date | None = row["week"] if row and row["is_new"] else None
    return found


def put_comparisons(transaction: Transaction, comparisons: Sequence[Comparison], now: datetime) -> None:
    """Stores comparisons, each in the place of an older one of the same two versions."""
    transaction.insert_many(
        "REPLACE INTO model_comparisons (champion, challenger, first_week, last_week, customers, churned, "
        "champion_figures, challenger_figures, differences, verdict, evaluated_at)",
        [
            (
                *(one.champion, one.challenger, one.first_week, one.last_week, one.customers, one.churned),
                *(_json(one.champion_figures), _json(one.challenger_figures), _json(one.differences)),
                *(one.verdict, now),
            )
            for one in comparisons
        ],
    )


def put_drift(transaction: Transaction, day: date, version: str, customers: int, drifts: Sequence[Drift]) -> None:
    """Stores how the columns of a day differ, in the place of what was stored of that day, or by a clock ahead."""
    transaction.execute("DELETE FROM feature_drift WHERE model_version = %s AND day >= %s", (version, day))
    transaction.insert_many(
        "INSERT INTO feature_drift (day, model_version, column_name, customers, psi, noise, missing, missing_before, "
        "importance, verdict)",
        [
            (
                *(day, version, drift.column, customers, drift.psi, drift.noise),
                *(drift.missing, drift.missing_before, drift.importance, drift.verdict),
            )
            for drift in drifts
        ],
    )


def served_weeks(transaction: Transaction, limit: int = 100) -> list[Quality]:
    """The figures of what was served in the newest weeks, the newest first, and then the most customers."""
    return _qualities(transaction, "role = 'served' ORDER BY week DESC, customers DESC LIMIT %s", (limit,))


def weeks(transaction: Transaction, version: str, limit: int = 100) -> list[Quality]:
    """The figures of a version's newest weeks, the newest first."""
    return _qualities(transaction, "model_version = %s ORDER BY week DESC, role LIMIT %s", (version, limit))


def matured_accuracy(transaction: Transaction, newest: int) -> float | None:
    """The share of served predictions on the right side of 0.5, in the `newest` weeks with outcomes; None without."""
    known = "role = 'served' AND realised IS NOT NULL"
    rows = transaction.rows(
        f"SELECT customers, realised FROM model_quality WHERE {known} AND week >= (SELECT MIN(week) FROM "
        f"(SELECT DISTINCT week FROM model_quality WHERE {known} ORDER BY week DESC LIMIT %s) AS newest)",
        (newest,),
    )
    customers = sum(row["customers"] for row in rows)
    return sum(_read(row["realised"])["accuracy"] * row["customers"] for row in rows) / customers if rows else None


def comparisons(transaction: Transaction, version: str) -> list[Comparison]:
    """The comparisons that a version was part of, the newest first."""
    rows = transaction.rows(
        "SELECT * FROM model_comparisons WHERE champion = %s OR challenger = %s ORDER BY evaluated_at DESC, champion",
        (version, version),
    )
    return [
        Comparison(
            *(row["champion"], row["challenger"], row["first_week"], row["last_week"], row["customers"]),
            *(row["churned"], _read(row["champion_figures"]), _read(row["challenger_figures"])),
            *(_read(row["differences"]), row["verdict"]),
        )
        for row in rows
    ]


def newest_drift(transaction: Transaction, version: str) -> list[Row]:
    """The columns of the newest day whose drift against a version's reference is stored, the score first.

    A row has the names of `churn.ml.drift.Drift`, with `day` and how many `customers` were compared.
    """
    return transaction.rows(
        "SELECT day, customers, column_name AS `column`, psi, noise, missing, missing_before, importance, verdict "
        "FROM feature_drift WHERE model_version = %s "
        "AND day = (SELECT MAX(day) FROM feature_drift WHERE model_version = %s) "
        "ORDER BY column_name <> 'score', psi DESC, column_name",
        (version, version),
    )


def _qualities(transaction: Transaction, condition: str, values: Sequence[object]) -> list[Quality]:
    return [
        Quality(
            *(row["model_version"], row["role"], row["week"], row["stage"], row["horizon_days"], row["customers"]),
            *(row["churned"], _read(row["expected"]), _read(row["realised"]), _read(row["intervals"])),
        )
        for row in transaction.rows(f"SELECT * FROM model_quality WHERE {condition}", values)
    ]


def _pages(database: Database, query: str, start: datetime, end: datetime, share: float) -> Iterator[Row]:
    """The rows of a query over predictions `p`, by when they were stored; each page is a range of that index."""
    at, key = start, 0
    while True:
        rows = database.run(
            lambda transaction, at=at, key=key: transaction.rows(  # type: ignore[misc]
                f"{query} WHERE ((p.created_at = %s AND p.id > %s) OR (p.created_at > %s AND p.created_at < %s)) "
                "AND CRC32(p.customer_pk) < %s ORDER BY p.created_at, p.id LIMIT %s",
                (at, key, at, end, math.ceil(share * _HASHES), _PAGE),
            )
        )
        yield from rows
        if len(rows) < _PAGE:
            return
        at, key = rows[-1]["created_at"], rows[-1]["id"]


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
