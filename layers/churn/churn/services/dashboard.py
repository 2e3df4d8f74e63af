"""The dashboard: its figures of this moment, and over time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, customers, hourly_stats, model_quality, models, totals
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.dashboard import PERIOD_DAYS, RATE_DAYS, Granularity, Period, churn_rate
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.explanations import rounded
from churn.domain.risk import ACTIVE_STATUSES, RISK_LEVELS
from churn.domain.timestamps import hour_of, iso
from churn.services.alert_outcomes import newest_known
from churn.services.alerts import list_alerts
from churn.services.churn_rates import rates_from
from churn.services.figure_links import figure_links
from churn.services.predictions import PredictionQuery, list_predictions
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.dashboard_answers import AccuracyBasis, RecentActivity, Stats, Trend, Trends

STATS_SECONDS = 2
TRENDS_SECONDS = 30
_ACCURACY_WEEKS = 4
_HOURLY_UP_TO_DAYS = 30


class GranularityTooFineError(InvalidInputError):
    """The granularity would give too many points over the period."""


class Dashboard:
    """The dashboard's figures of one database; `cache` keeps them for some seconds."""

    def __init__(self, database: Database, cache: Cache, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._settings = settings

    def stats(self, now: datetime) -> Stats:
        """Return the dashboard's figures, at most some seconds old. Raises DatabaseUnavailableError."""
        return self._cache.get_or_make(
            "stats", STATS_SECONDS, lambda: self._database.read(lambda transaction: self._stats(transaction, now))
        )

    def trends(self, period: Period, granularity: Granularity, now: datetime) -> Trends:
        """Return the dashboard's figures over time. Raises GranularityTooFineError, DatabaseUnavailableError."""
        days = PERIOD_DAYS[period]
        if granularity == "hour" and days > _HOURLY_UP_TO_DAYS:
            message = f"hours are given for at most {_HOURLY_UP_TO_DAYS} days"
            raise GranularityTooFineError(FieldError("granularity", message))

        def make() -> list[Trend]:
            first = now - timedelta(days=days)
            # A point's rate is relative to the customers of 30 days before it.
            earliest = _bucket(first, granularity) - timedelta(days=RATE_DAYS)
            rows, known_from = self._database.read(
                lambda transaction: (
                    hourly_stats.between(transaction, earliest, now),
                    rates_from(transaction, self._settings.inactivity_days),
                )
            )
            return _trends(rows, first, granularity, known_from)

        points = self._cache.get_or_make(f"trends:{period}:{granularity}", TRENDS_SECONDS, make)
        return {"trends": points, "period": period, "granularity": granularity}

    def recent_activity(self, limit: int = 10) -> RecentActivity:
        """Return the newest alerts and predictions. Raises DatabaseUnavailableError."""
        return {
            "alerts": list_alerts(self._database, limit=limit)["alerts"],
            "predictions": list_predictions(self._database, PredictionQuery(limit))["predictions"],
        }

    def _stats(self, transaction: Transaction, now: datetime) -> Stats:
        sums = totals.read(
            transaction, "customers:", "probability", "revenue_at_risk", "value_unknown", "alerts:resolved:",
            f"alerts_created:{now.astimezone(UTC):%Y-%m-%d}",
        )  # fmt: skip
        levels: Counter[str] = Counter()
        for name, count in sums.items():
            kind, *parts = name.split(":")
            if kind == "customers" and parts[0] in ACTIVE_STATUSES:
                levels[parts[1]] += count
        model = models.answering_now(transaction)
        accuracy, basis = _accuracy(transaction, model)
        before = now - timedelta(days=RATE_DAYS)
        lapsed, active = self._lapsed_since(transaction, before, now), hourly_stats.active_at(transaction, before)
        known_from = rates_from(transaction, self._settings.inactivity_days)
        scored = sum(levels[level] for level in RISK_LEVELS)
        return {
            "total_customers": _prefixed(sums, "customers:"),
            "churn_rate": churn_rate(lapsed, active) if known_from is not None and known_from <= now else None,
            "churned_customers": lapsed,
            "active_customers_before": active,
            "high_risk_customers": levels["high"] + levels["critical"],
            "revenue_at_risk": None if 0 < scored <= sums["value_unknown"] else sums["revenue_at_risk"] / 100,
            "currency": self._settings.currency,
            "alerts_today": _prefixed(sums, "alerts_created:"),
            "resolved_alerts": _prefixed(sums, "alerts:resolved:"),
            "alert_outcomes": newest_known(transaction, _ACCURACY_WEEKS),
            "model_accuracy": accuracy,
            "model_accuracy_basis": basis,
            "last_model_update": None if model is None else iso(model["promoted_at"] or model["loaded_at"]),
            "model_source": None if model is None else model["source"],
            "risk_distribution": {
                "low": levels["low"],
                "medium": levels["medium"],
                "high": levels["high"],
                "critical": levels["critical"],
            },
            "average_churn_probability": rounded(sums["probability"] / 1e6 / scored) if scored else None,
            "links": figure_links(now, before, model, basis),
            "generated_at": iso(now),
        }

    def _lapsed_since(self, transaction: Transaction, since: datetime, now: datetime) -> int:
        inactivity = timedelta(days=self._settings.inactivity_days)
        return customers.ordered_last_between(transaction, since - inactivity, now - inactivity)


def _accuracy(transaction: Transaction, model: Row | None) -> tuple[float | None, AccuracyBasis | None]:
    """Return the share of customers that the model which answers now was right about, and what it was measured on."""
    if model is None:
        return None, None
    realised = model_quality.matured_accuracy(transaction, model["version"], _ACCURACY_WEEKS)
    if realised is not None:
        return round(100 * realised, 2), "matured_outcomes"
    metrics = json.loads(model["metadata"]).get("metrics") or {}
    accuracy = metrics.get("forest", {}).get("accuracy")
    return (None, None) if accuracy is None else (round(100 * accuracy, 2), "held_out_window")


def _trends(rows: list[Row], first: datetime, granularity: Granularity, known_from: datetime | None) -> list[Trend]:
    points: dict[datetime, Trend] = {}
    active = {row["hour"]: row["active_customers"] for row in rows}
    for row in rows:
        hour = row["hour"]
        start = _bucket(hour, granularity)
        if start < _bucket(first, granularity):
            continue
        point = points.setdefault(
            start,
            {
                "date": _label(start, granularity),
                "churn_rate": None,
                "high_risk_customers": None,
                "new_customers": 0,
                "churned_customers": 0,
            },
        )
        point["new_customers"] += row["new_customers"]
        point["churned_customers"] += row["churned_customers"]
        if row["high_risk_customers"] is not None:
            point["high_risk_customers"] = row["high_risk_customers"]
        left, is_known = row["left_customers"], known_from is not None and known_from <= hour
        before = active.get(hour - timedelta(days=RATE_DAYS))
        point["churn_rate"] = churn_rate(left, before) if is_known and left is not None else None
    return list(points.values())


def _bucket(instant: datetime, granularity: Granularity) -> datetime:
    hour = hour_of(instant)
    match granularity:
        case "hour":
            return hour
        case "week":
            return hour.replace(hour=0) - timedelta(days=hour.weekday())
        case "month":
            return hour.replace(hour=0, day=1)
        case _:
            return hour.replace(hour=0)


def _label(start: datetime, granularity: Granularity) -> str:
    return iso(start) if granularity == "hour" else f"{start:%Y-%m-%d}"


def _prefixed(sums: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in sums.items() if name.startswith(prefix))
