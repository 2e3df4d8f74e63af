"""Tables of model monitoring: weekly quality, comparisons of two versions, and drift."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import models
from churn.adapters.mysql.database import Row, Transaction

if TYPE_CHECKING:
    from churn.domain.model_answers import ComparisonVerdict, Figures, Intervals, QualityStage, ScoringRole

    # It needs numpy, which functions that only read the figures do not have.
    from churn.ml.drift import Drift


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of one version's predictions of one week (its Monday).

    `expected` follows from the probabilities alone; `churned`, `realised` and the 95 % `intervals` are there from the
    stage `matured` on.
    """

    model_version: str
    role: ScoringRole
    week: date
    stage: QualityStage
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
    verdict: ComparisonVerdict


def weeks_in_order(transaction: Transaction, now: datetime) -> set[date]:
    """Return the weeks that were evaluated and are not due again; one evaluated by a clock ahead of `now` is due."""
    rows = transaction.rows(
        "SELECT w.week FROM evaluated_weeks w LEFT JOIN model_quality q ON q.week = w.week AND q.evaluated_at > %s "
        "WHERE (w.next_at IS NULL OR w.next_at > %s) AND q.week IS NULL",
        (now, now),
    )
    return {row["week"] for row in rows}


def horizons(transaction: Transaction) -> dict[str, int]:
    """Return the horizon in days of the versions that have served or been evaluated."""
    evaluated = transaction.rows("SELECT model_version, MAX(horizon_days) AS days FROM model_quality GROUP BY 1")
    return {row["model_version"]: int(row["days"]) for row in evaluated} | models.horizons(transaction)


def put_week(
    transaction: Transaction, week: date, rows: Sequence[Quality], next_at: datetime | None, now: datetime
) -> None:
    """Replace the figures of a week, and store when it is due again."""
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
    """Return the newest week with outcomes of a challenger, if one was evaluated since the last comparison."""
    row = transaction.row(
        "SELECT MAX(week) AS week, MAX(evaluated_at) > COALESCE((SELECT MAX(evaluated_at) FROM model_comparisons "
        "WHERE evaluated_at <= %s), '1970-01-01') AS is_new FROM model_quality "
        "WHERE role = 'shadow' AND stage <> 'estimated'",
        (now,),
    )
    week: date | None = row["week"] if row and row["is_new"] else None
    return week


def put_comparisons(transaction: Transaction, comparisons: Sequence[Comparison], now: datetime) -> None:
    """Store comparisons, each in place of an older one of the same two versions."""
    transaction.insert_many(
        "REPLACE INTO model_comparisons (champion, challenger, first_week, last_week, customers, churned, "
        "champion_figures, challenger_figures, differences, verdict, evaluated_at)",
        [
            (
                *(
                    comparison.champion,
                    comparison.challenger,
                    comparison.first_week,
                    comparison.last_week,
                    comparison.customers,
                    comparison.churned,
                ),
                *(
                    _json(comparison.champion_figures),
                    _json(comparison.challenger_figures),
                    _json(comparison.differences),
                ),
                *(comparison.verdict, now),
            )
            for comparison in comparisons
        ],
    )


def put_drift(transaction: Transaction, day: date, version: str, customers: int, drifts: Sequence[Drift]) -> None:
    """Store the drift of a day's columns, in place of what was stored of that day or by a clock ahead."""
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
    """Return the figures of what was served in the newest weeks, the newest first, and then the most customers."""
    return _qualities(transaction, "role = 'served' ORDER BY week DESC, customers DESC LIMIT %s", (limit,))


def weeks(transaction: Transaction, version: str, limit: int = 100) -> list[Quality]:
    """Return the figures of a version's newest weeks, the newest first."""
    return _qualities(transaction, "model_version = %s ORDER BY week DESC, role LIMIT %s", (version, limit))


def matured_accuracy(transaction: Transaction, version: str, newest: int) -> float | None:
    """Return the accuracy of what a version served in its `newest` weeks with outcomes, None without any.

    A prediction is accurate if it is on the right side of 0.5.
    """
    rows = transaction.rows(
        "SELECT customers, realised FROM model_quality WHERE model_version = %s AND role = 'served' "
        "AND realised IS NOT NULL ORDER BY week DESC LIMIT %s",
        (version, newest),
    )
    customers = sum(row["customers"] for row in rows)
    return sum(_read(row["realised"])["accuracy"] * row["customers"] for row in rows) / customers if rows else None


def comparisons(transaction: Transaction, version: str) -> list[Comparison]:
    """Return the comparisons that a version was part of, the newest first."""
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
    """Return the columns of the newest day whose drift against a version's reference is stored, the score first.

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


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, allow_nan=False)


def _read(text: str | None) -> Any:
    return None if text is None else json.loads(text)
