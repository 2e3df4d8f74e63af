"""Everything that is read: customers, their history, predictions, alerts and the dashboard's figures.

Answers are JSON-ready, in the shapes of the wire contract.
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from churn.adapters.mysql import Database, Transaction, totals
from churn.adapters.mysql import events as history
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql import queries as reads
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.customer import CustomerState
from churn.domain.errors import CustomerNotFoundError
from churn.domain.explanations import drivers, interval_json
from churn.domain.features import Features, Inputs, Observed, features_at, inputs_at, shown
from churn.domain.recommendations import recommend
from churn.domain.risk import ACTIVE_STATUSES, RISK_LEVELS
from churn.domain.search_terms import words_of
from churn.domain.timestamps import iso
from churn.services.presentation import alert_json
from churn.settings import Settings

STATS_SECONDS = 2
TRENDS_SECONDS = 30
_RATE_DAYS = 30
_ACCURACY_WEEKS = 4
_PERIOD_DAYS = {"7d": 7, "30d": 30, "90d": 90, "1y": 365}
_HOURLY_UP_TO_DAYS = 30


class BadCursor(ValueError):
    """A cursor that this list, in this order, did not give."""


class TooFine(ValueError):
    """So fine a granularity over so long a period would be too many points."""


@dataclass(frozen=True, slots=True)
class CustomerQuery:
    """Which customers, in what order, and which page of them (by `cursor`, or else by `offset`)."""

    sort: str = "churn_probability"
    order: str = "desc"
    limit: int = 100
    offset: int = 0
    cursor: str | None = None
    risk_level: str | None = None
    status: str | None = None
    search: str | None = None


class Catalogue:
    """The reads over one database; `cache` keeps the dashboard's figures for some seconds."""

    def __init__(self, database: Database, cache: Cache, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._settings = settings

    def customers(self, query: CustomerQuery, now: datetime) -> dict[str, Any]:
        """A page of customers. Raises BadCursor, DatabaseUnavailableError."""
        column = reads.SORT_COLUMNS[query.sort]
        # Who has been silent the longest has the earliest last order.
        descending = (query.order == "desc") != (query.sort == "days_since_last_order")
        after = None if query.cursor is None else _read_cursor(query.cursor, query.sort, query.order)
        offset = 0 if after else query.offset
        words = tuple(words_of(query.search)) if query.search is not None else ()

        def work(transaction: Transaction) -> dict[str, Any]:
            total: int | None
            if query.search is not None and not words:
                rows, total = [], 0
            else:
                wanted = reads.CustomerFilter(query.risk_level, query.status, words)
                listing = reads.listing(transaction, wanted)
                rows = reads.customer_page(
                    transaction, listing.conditions, column=column, descending=descending,
                    limit=query.limit + 1, offset=offset, after=after,
                )  # fmt: skip
                total = _total(transaction, query) if not words else listing.total
            more, rows = len(rows) > query.limit, rows[: query.limit]
            observed = history.observed(transaction)
            return {
                "customers": [self._listed(row, _features(row, observed, now), _reasons(row)) for row in rows],
                "total": offset + len(rows) + more if total is None else total,
                "total_is_lower_bound": total is None,
                "limit": query.limit,
                "offset": offset,
                "next_cursor": _write_cursor(query, rows[-1], column) if more else None,
            }

        return self._database.run(work)

    def customer(self, customer_id: str, now: datetime) -> dict[str, Any]:
        """All that is known of a customer. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> dict[str, Any]:
            row = self._one(transaction, customer_id)
            observed = history.observed(transaction)
            features, reasons = _features(row, observed, now), _reasons(row)
            return {
                **self._listed(row, features, reasons),
                "phone": row["phone"],
                "address": row["address"],
                "confidence": row["confidence"],
                "model_version": row["model_version"],
                "probability_interval": interval_json(reasons.get("interval")),
                "drivers": [asdict(driver) for driver in drivers(reasons.get("contributions", {}), features)],
                "last_prediction_at": None if row["scored_at"] is None else iso(row["scored_at"]),
                "is_active": bool(row["is_active"]),
                "created_at": iso(row["created_at"]),
                "updated_at": iso(row["updated_at"]),
            }

        return self._database.run(work)

    def inputs(self, customer_ids: Collection[str], now: datetime) -> dict[str, Inputs]:
        """A model's inputs of customers, without those that do not exist. Raises DatabaseUnavailableError."""

        def work(transaction: Transaction) -> dict[str, Inputs]:
            rows = reads.customers_by_id(transaction, customer_ids)
            observed = history.observed(transaction)
            return {customer_id: inputs_at(*_state(row, now), observed) for customer_id, row in rows.items()}

        return self._database.run(work)

    def events(
        self,
        customer_id: str,
        *,
        limit: int,
        event_type: str | None = None,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
    ) -> dict[str, Any]:
        """A customer's history, the newest first. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> dict[str, Any]:
            row = self._one(transaction, customer_id)
            rows, total = reads.events(
                transaction, row["id"], limit=limit, event_type=event_type, date_from=date_from, date_to=date_to
            )
            events = [
                {
                    "id": event["event_id"],
                    "event_type": event["event_type"],
                    "event_data": json.loads(event["data"]),
                    "timestamp": iso(event["occurred_at"]),
                }
                for event in rows
            ]
            return {"events": events, "total": total}

        return self._database.run(work)

    def predictions(
        self,
        *,
        limit: int,
        risk_level: str | None = None,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
    ) -> dict[str, Any]:
        """Stored predictions, the newest first. Raises DatabaseUnavailableError."""

        def work(transaction: Transaction) -> dict[str, Any]:
            rows, total = reads.predictions(
                transaction, limit=limit, risk_level=risk_level, date_from=date_from, date_to=date_to
            )
            if total is None:
                sums = totals.read(transaction, "predictions:")
                total = sums[f"predictions:{risk_level}"] if risk_level else sums.total()
            return {"predictions": [_prediction_json(row) for row in rows], "total": total}

        return self._database.run(work)

    def alerts(
        self,
        *,
        limit: int,
        status: str | None = None,
        priority: str | None = None,
        since: int | datetime | None = None,
        cursor: str | None = None,
    ) -> dict[str, Any]:
        """Alerts, the newest first. Raises BadCursor, DatabaseUnavailableError."""
        before = None if cursor is None else _read_alert_cursor(cursor)

        def work(transaction: Transaction) -> dict[str, Any]:
            rows, total = reads.alerts(
                transaction, limit=limit + 1, status=status, priority=priority, since=since, before=before
            )
            if total is None:
                sums = totals.read(transaction, "alerts:")
                total = _sum(sums, 1, status, 2, priority)
            more, rows = len(rows) > limit, rows[:limit]
            return {
                "alerts": [alert_json(row) for row in rows],
                "total": total,
                "next_cursor": _encode(["alerts", rows[-1]["id"]]) if more else None,
            }

        return self._database.run(work)

    def stats(self, now: datetime) -> dict[str, Any]:
        """The dashboard's figures, at most some seconds old. Raises DatabaseUnavailableError."""
        return self._cache.get_or_make(
            "stats", STATS_SECONDS, lambda: self._database.run(lambda transaction: self._stats(transaction, now))
        )

    def trends(self, period: str, granularity: str, now: datetime) -> dict[str, Any]:
        """The dashboard's figures over time. Raises TooFine, DatabaseUnavailableError."""
        days = _PERIOD_DAYS[period]
        if granularity == "hour" and days > _HOURLY_UP_TO_DAYS:
            raise TooFine(f"hours are given for at most {_HOURLY_UP_TO_DAYS} days")

        def make() -> list[dict[str, Any]]:
            first = now - timedelta(days=days)
            # The rate of a point looks back on the customers of 30 days before it.
            earliest = _bucket(first, granularity) - timedelta(days=_RATE_DAYS)
            return _trends(
                self._database.run(lambda transaction: reads.hours(transaction, earliest, now)), first, granularity
            )

        points = self._cache.get_or_make(f"trends:{period}:{granularity}", TRENDS_SECONDS, make)
        return {"trends": points, "period": period, "granularity": granularity}

    def recent_activity(self, limit: int = 10) -> dict[str, Any]:
        """The newest alerts and predictions. Raises DatabaseUnavailableError."""
        return {
            "alerts": self.alerts(limit=limit)["alerts"],
            "predictions": self.predictions(limit=limit)["predictions"],
        }

    def _one(self, transaction: Transaction, customer_id: str) -> Row:
        row = reads.customers_by_id(transaction, [customer_id]).get(customer_id)
        if row is None:
            raise CustomerNotFoundError(customer_id)
        return row

    def _listed(self, row: Row, features: Features, reasons: Mapping[str, Any]) -> dict[str, Any]:
        probability = row["churn_probability"]
        actions = recommend(
            features, probability or 0.0, reasons.get("contributions", {}),
            bands=self._settings.bands, horizon_days=self._settings.horizon_days,
        )  # fmt: skip
        return {
            "customer_id": row["customer_id"],
            "name": row["name"],
            "email": row["email"],
            **shown(features),
            "status": row["status"],
            "churn_probability": probability,
            "risk_level": row["risk_level"],
            "model_kind": row["model_kind"],
            "recommendations": [action.text for action in actions],
            "recommended_actions": [asdict(action) for action in actions],
        }

    def _stats(self, transaction: Transaction, now: datetime) -> dict[str, Any]:
        sums = totals.read(
            transaction, "customers:", "probability", "revenue_at_risk", "alerts:resolved:",
            f"alerts_created:{now.astimezone(UTC):%Y-%m-%d}",
        )  # fmt: skip
        levels: Counter[str] = Counter()
        for name, count in sums.items():
            kind, *parts = name.split(":")
            if kind == "customers" and parts[0] in ACTIVE_STATUSES:
                levels[parts[1]] += count
        scored = sum(levels[level] for level in RISK_LEVELS)
        return {
            "total_customers": _prefixed(sums, "customers:"),
            "churn_rate": self._churn_rate(transaction, now),
            "high_risk_customers": levels["high"] + levels["critical"],
            "revenue_at_risk": sums["revenue_at_risk"] / 100,
            "alerts_today": _prefixed(sums, "alerts_created:"),
            "resolved_alerts": _prefixed(sums, "alerts:resolved:"),
            **_model(reads.serving_model(transaction), quality.matured_accuracy(transaction, _ACCURACY_WEEKS)),
            "risk_distribution": {level: levels[level] for level in RISK_LEVELS},
            "average_churn_probability": sums["probability"] / 1e6 / scored if scored else 0.0,
            "generated_at": iso(now),
        }

    def _churn_rate(self, transaction: Transaction, now: datetime) -> float:
        before = now - timedelta(days=_RATE_DAYS)
        inactivity = timedelta(days=self._settings.inactivity_days)
        active = reads.active_at(transaction, before)
        return _per_cent(reads.lapsed_between(transaction, before - inactivity, now - inactivity), active)


def _features(row: Row, observed: Observed, now: datetime) -> Features:
    return features_at(*_state(row, now), observed)


def _state(row: Row, now: datetime) -> tuple[CustomerState, datetime]:
    """A customer's state, and the instant that it is looked at: not before it was scored."""
    state = CustomerState() if row["state"] is None else CustomerState.from_json(row["state"])
    return state, max(now, row["scored_at"] or now)


def _reasons(row: Row) -> dict[str, Any]:
    """What goes with a customer's current prediction; nothing where there is none."""
    if row["churn_probability"] is None or row["contributions"] is None:
        return {}
    reasons: dict[str, Any] = json.loads(row["contributions"])
    return reasons


def _prediction_json(row: Row) -> dict[str, Any]:
    return {
        "id": row["id"],
        "customer_id": row["customer_id"],
        "churn_probability": row["churn_probability"],
        "risk_level": row["risk_level"],
        "confidence": row["confidence"],
        "model_version": row["model_version"],
        "model_kind": row["model_kind"],
        "created_at": iso(row["created_at"]),
    }


def _model(row: Row | None, realised: float | None) -> dict[str, Any]:
    accuracy, basis = realised, "matured_outcomes"
    if accuracy is None and row is not None:
        accuracy = json.loads(row["metadata"]).get("metrics", {}).get("forest", {}).get("accuracy")
        basis = "held_out_window"
    return {
        "model_accuracy": None if accuracy is None else round(100 * accuracy, 2),
        "model_accuracy_basis": None if accuracy is None else basis,
        "last_model_update": None if row is None else iso(row["loaded_at"]),
    }


def _trends(rows: list[Row], first: datetime, granularity: str) -> list[dict[str, Any]]:
    points: dict[datetime, dict[str, Any]] = {}
    lapsed_until: list[int] = []
    active = {row["hour"]: row["active_customers"] for row in rows}
    position = {row["hour"]: number for number, row in enumerate(rows)}
    high = lapsed = 0
    for row in rows:
        hour = row["hour"]
        lapsed += row["churned_customers"]
        lapsed_until.append(lapsed)
        high = high if row["high_risk_customers"] is None else row["high_risk_customers"]
        start = _bucket(hour, granularity)
        if start < _bucket(first, granularity):
            continue
        point = points.setdefault(start, {"date": _label(start, granularity), "new": 0, "churned": 0})
        point["new"] += row["new_customers"]
        point["churned"] += row["churned_customers"]
        point["high"] = high
        before = hour - timedelta(days=_RATE_DAYS)
        known = before in position
        point["rate"] = _per_cent(lapsed - lapsed_until[position[before]], active[before]) if known else 0.0
    return [
        {
            "date": point["date"],
            "churn_rate": point["rate"],
            "high_risk_customers": point["high"],
            "new_customers": point["new"],
            "churned_customers": point["churned"],
        }
        for point in points.values()
    ]


def _bucket(instant: datetime, granularity: str) -> datetime:
    hour = instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    match granularity:
        case "hour":
            return hour
        case "week":
            return hour.replace(hour=0) - timedelta(days=hour.weekday())
        case "month":
            return hour.replace(hour=0, day=1)
        case _:
            return hour.replace(hour=0)


def _label(start: datetime, granularity: str) -> str:
    return iso(start) if granularity == "hour" else f"{start:%Y-%m-%d}"


def _per_cent(part: int, whole: int | None) -> float:
    return round(min(100.0, 100 * part / whole), 2) if whole else 0.0


def _total(transaction: Transaction, query: CustomerQuery) -> int:
    return _sum(totals.read(transaction, "customers:"), 1, query.status, 2, query.risk_level)


def _sum(sums: Mapping[str, int], one: int, first: str | None, other: int, second: str | None) -> int:
    return sum(
        count
        for name, count in sums.items()
        if first in {None, name.split(":")[one]} and second in {None, name.split(":")[other]}
    )


def _prefixed(sums: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in sums.items() if name.startswith(prefix))


def _write_cursor(query: CustomerQuery, row: Row, column: str) -> str:
    value = row[column]
    if isinstance(value, datetime):
        value = iso(value)
    elif isinstance(value, Decimal):
        value = str(value)
    return _encode([query.sort, query.order, value, row["id"]])


def _read_cursor(cursor: str, sort: str, order: str) -> reads.Position:
    match _decode(cursor):
        case [str(given_sort), str(given_order), value, int(key)] if (given_sort, given_order) == (sort, order):
            try:
                return reads.Position(None if value is None else _SORT_VALUES[sort](value), key)
            except (ValueError, TypeError, InvalidOperation):
                pass
    raise BadCursor("is not the next_cursor of a page of this list in this order")


def _read_alert_cursor(cursor: str) -> int:
    match _decode(cursor):
        case ["alerts", int(key)]:
            return key
    raise BadCursor("is not the next_cursor of a page of alerts")


def _finite(value: Any) -> Decimal:
    number = Decimal(value)
    if not number.is_finite() or abs(number) > 10**13:
        raise ValueError("not a value of the list")
    return number


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.tzinfo is None:
        raise ValueError("not a time of the list")
    return instant


def _probability(value: Any) -> float:
    if not isinstance(value, float | int) or not 0 <= value <= 1:
        raise ValueError("not a probability")
    return float(value)


def _identifier(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise ValueError("not an id")
    return value


_SORT_VALUES: dict[str, Any] = {
    "churn_probability": _probability,
    "total_spent": _finite,
    "days_since_last_order": _instant,
    "customer_id": _identifier,
}


def _encode(value: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def _decode(cursor: str) -> Any:
    try:
        return json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
