"""A customer's story: all that happened about them, the risk over time, and what was known and said at an instant."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database, Transaction, alert_actions, alert_pages, customer_notes, events, predictions
from churn.adapters.mysql.database import Row
from churn.domain.alert_work import WorkThen, work_then
from churn.domain.customer import pruned_until
from churn.domain.customer_record import CHANGE_SPAN
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.explanations import drivers, interval_json, others, rounded
from churn.domain.reasons import Point, Reasons, change_between, read_reasons
from churn.domain.timeline import TIMELINE_KINDS, Place, TimelineKind, Window, in_order, window_after
from churn.domain.timestamps import from_millis, iso, iso_micros
from churn.services.cursors import read_timeline_cursor, write_timeline_cursor
from churn.services.customer_notes import note_json, place_of
from churn.services.customers import event_json, existing
from churn.services.presentation import action_json, alert_json
from churn.settings import Retention

if TYPE_CHECKING:
    from churn.domain.story_answers import (
        AlertThen,
        CustomerThen,
        RiskChange,
        RiskHistory,
        RiskPoint,
        Timeline,
        TimelineItem,
    )


# Of one kind at most one is open at a time; an older one is open if it was opened again.
_MOST_ALERTS = 500
_PREDICTIONS: tuple[TimelineKind, ...] = ("prediction",)


@dataclass(frozen=True, slots=True)
class TimelineQuery:
    """Which part of a customer's story: kinds, None for all; between two instants; a page of it."""

    limit: int = 50
    kind: tuple[TimelineKind, ...] | None = None
    date_from: datetime | None = None
    date_to: datetime | None = None
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class RiskQuery:
    """Which stored predictions of a customer, and between which two of them, by their ids, the change is asked for."""

    limit: int = 50
    date_from: datetime | None = None
    date_to: datetime | None = None
    cursor: str | None = None
    compare_from: int | None = None
    compare_to: int | None = None


class CustomerStory:
    """What is stored about a customer's past."""

    def __init__(self, database: Database, retention: Retention) -> None:
        self._database = database
        self._retention = retention

    def timeline(self, customer_id: str, query: TimelineQuery, now: datetime) -> Timeline:
        """Return a page of all that happened about a customer, the newest first.

        Each kind is read from an index in its order, as many rows as a page has. Raises CustomerNotFoundError,
        InvalidCursorError, DatabaseUnavailableError.
        """
        after = None if query.cursor is None else read_timeline_cursor(query.cursor, TIMELINE_KINDS)

        def work(transaction: Transaction) -> Timeline:
            customer = existing(transaction, customer_id)
            rows = {}
            for kind in query.kind or TIMELINE_KINDS:
                window = window_after(after, kind, query.date_from, query.date_to)
                rows[kind] = _READERS[kind](transaction, customer["id"], window, query.limit + 1)
            found, has_more = in_order(rows, query.limit)
            return {
                "items": [item for _, item in found],
                "next_cursor": write_timeline_cursor(found[-1][0]) if has_more else None,
                "kept_since": {
                    "note": None,
                    "event": _pruned_until(customer),
                    "prediction": _since(now, self._retention.predictions),
                    "alert": _since(now, self._retention.alerts),
                    "action": _since(now, self._retention.alerts),
                },
            }

        return self._database.read(work)

    def predictions(self, customer_id: str, query: RiskQuery) -> RiskHistory:
        """Return a page of a customer's stored predictions, the newest first, each with what changed it.

        Raises CustomerNotFoundError, InvalidCursorError, InvalidInputError for one to compare that there is not,
        DatabaseUnavailableError.
        """
        after = None if query.cursor is None else read_timeline_cursor(query.cursor, _PREDICTIONS)
        window = window_after(after, "prediction", query.date_from, query.date_to)

        def work(transaction: Transaction) -> RiskHistory:
            customer_pk = existing(transaction, customer_id)["id"]
            points = _risk_points(transaction, customer_pk, window, query.limit + 1)
            shown, has_more = points[: query.limit], len(points) > query.limit
            return {
                "predictions": [point for _, point in shown],
                "comparison": _comparison(transaction, customer_pk, query.compare_from, query.compare_to),
                "next_cursor": write_timeline_cursor(shown[-1][0]) if has_more else None,
            }

        return self._database.read(work)

    def then(self, customer_id: str, at: datetime, now: datetime) -> CustomerThen:
        """Return what was known and said of a customer at an instant: what nothing stored tells is null.

        Raises CustomerNotFoundError, InvalidInputError for an instant to come, DatabaseUnavailableError.
        """
        if at > now:
            raise InvalidInputError(FieldError("as_of", "lies ahead"))

        def work(transaction: Transaction) -> CustomerThen:
            from churn.domain.answers import CustomerDetail  # noqa: PLC0415 (types are no part of a function's start)

            customer = existing(transaction, customer_id)
            rows = predictions.of_customer(transaction, customer["id"], Window(last=at), 1)
            answer: CustomerThen = {
                # What is told of a customer today is not known of then, but for what follows.
                **dict.fromkeys(CustomerDetail.__required_keys__),  # type: ignore[typeddict-item]
                "customer_id": customer["customer_id"],
                "as_of": iso(at),
                "open_alerts": _open_then(transaction, customer["id"], at) if self._keeps_alerts(at, now) else None,
                **(_said(rows[0]) if rows else {}),
                "risk_change_7d": _change_of_week(transaction, customer["id"], rows),
            }
            return answer

        return self._database.read(work)

    def _keeps_alerts(self, at: datetime, now: datetime) -> bool:
        return not self._retention.alerts or at >= now - timedelta(days=self._retention.alerts)


_Entry = tuple[Place, Any]


def _events(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> Sequence[_Entry]:
    return [
        (
            Place(row["occurred_at"], "event", row["event_id"]),
            {"kind": "event", "at": iso(row["occurred_at"]), "event": event_json(row)},
        )
        for row in events.newest_of(transaction, customer_pk, window, limit)
    ]


def _alerts(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> Sequence[_Entry]:
    return [
        (
            Place(row["created_at"], "alert", row["id"]),
            {"kind": "alert", "at": iso_micros(row["created_at"]), "alert": alert_json(row)},
        )
        for row in alert_pages.of_customer(transaction, customer_pk, window, limit)
    ]


def _actions(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> Sequence[_Entry]:
    return [
        (
            Place(row["done_at"], "action", row["change_number"]),
            {
                "kind": "action",
                "at": iso(row["done_at"]),
                "alert_id": row["alert_id"],
                "alert_type": row["alert_type"],
                "action": action_json(row, row["change_number"]),
            },
        )
        for row in alert_actions.of_customer(transaction, customer_pk, window, limit)
    ]


def _predictions(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> Sequence[_Entry]:
    return [
        (place, {"kind": "prediction", "at": point["created_at"], "prediction": point})
        for place, point in _risk_points(transaction, customer_pk, window, limit)
    ]


def _notes(transaction: Transaction, customer_pk: int, window: Window, limit: int) -> Sequence[_Entry]:
    return [
        (place_of(row), {"kind": "note", "at": iso(row["written_at"]), "note": note_json(row)})
        for row in customer_notes.of_customer(transaction, customer_pk, window, limit)
    ]


_READERS: dict[TimelineKind, Callable[[Transaction, int, Window, int], Sequence[tuple[Place, TimelineItem]]]] = {
    "note": _notes,
    "action": _actions,
    "alert": _alerts,
    "prediction": _predictions,
    "event": _events,
}


def _risk_points(
    transaction: Transaction, customer_pk: int, window: Window, limit: int
) -> list[tuple[Place, RiskPoint]]:
    """Return stored predictions, each with the change from the one before, which may lie outside of the window."""
    first = window.first
    rows = predictions.of_customer(transaction, customer_pk, window.without_first(), limit + 1)
    return [
        (Place(row["created_at"], "prediction", row["id"]), _risk_point(row, previous))
        for row, previous in zip_longest(rows, map(_point, rows[1:]))
        if first is None or row["created_at"] >= first
    ][:limit]


def _point(row: Row) -> Point:
    return Point(row["id"], row["churn_probability"], row["model_version"], read_reasons(row["reasons"]))


def _value(row: Row) -> float | None:
    return None if row["value_at_risk"] is None else float(row["value_at_risk"])


def _risk_point(row: Row, before: Point | None) -> RiskPoint:
    point = _point(row)
    return {
        "id": row["id"],
        "created_at": iso(row["created_at"]),
        "as_of": iso(row["as_of"] or row["created_at"]),
        "churn_probability": rounded(row["churn_probability"]),
        "risk_level": row["risk_level"],
        "value_at_risk": _value(row),
        "confidence": row["confidence"],
        "model_version": row["model_version"],
        "model_kind": row["model_kind"],
        "model_source": row["model_source"],
        "probability_interval": None if point.reasons is None else interval_json(point.reasons.interval),
        "change": None if before is None else change_between(before, point),
    }


def _comparison(transaction: Transaction, customer_pk: int, first: int | None, last: int | None) -> RiskChange | None:
    """Return the change from a prediction to another, the newest by default; None where none is asked for."""
    if first is None:
        return None
    newest = predictions.of_customer(transaction, customer_pk, Window(), 1) if last is None else []
    second = newest[0]["id"] if newest else last or first
    found = predictions.of_customer_by_id(transaction, customer_pk, [first, second])
    faults = [
        FieldError(name, "is the id of no stored prediction of this customer")
        for name, number in (("compare_from", first), ("compare_to", second))
        if number not in found
    ]
    if faults:
        raise InvalidInputError(*faults)
    return change_between(_point(found[first]), _point(found[second]))


def _said(row: Row) -> Any:
    """Return what a stored prediction said, under the names of a customer's answer."""
    reasons, probability = read_reasons(row["reasons"]), row["churn_probability"]
    return {
        "churn_probability": rounded(probability),
        "risk_level": row["risk_level"],
        "value_at_risk": _value(row),
        "confidence": row["confidence"],
        "model_version": row["model_version"],
        "model_kind": row["model_kind"],
        "model_source": row["model_source"],
        "last_prediction_at": iso(row["as_of"] or row["created_at"]),
        **({} if reasons is None else _reasoned(reasons, probability)),
        "explained_at": None if reasons is None else iso(row["as_of"] or row["created_at"]),
    }


def _reasoned(reasons: Reasons, probability: float) -> Any:
    why = drivers(reasons.contributions, reasons.values)
    return {
        **reasons.values,
        "probability_interval": interval_json(reasons.interval),
        "base_probability": rounded(reasons.base),
        "drivers": why,
        "other_contributions": others(rounded(probability), rounded(reasons.base), why),
    }


def _change_of_week(transaction: Transaction, customer_pk: int, rows: Sequence[Row]) -> float | None:
    """Return the change from the newest prediction that was stored a week before the newest of `rows`."""
    if not rows:
        return None
    earlier = rows[0]["created_at"] - CHANGE_SPAN
    before = predictions.newest_until(transaction, [customer_pk], earlier).get(customer_pk)
    return None if before is None else rounded(rows[0]["churn_probability"] - before)


def _open_then(transaction: Transaction, customer_pk: int, at: datetime) -> list[AlertThen]:
    """Return a customer's alerts that were open at an instant, the newest first."""
    found = alert_pages.of_customer(transaction, customer_pk, Window(last=at), _MOST_ALERTS)
    actions: dict[int, list[Row]] = {row["id"]: [] for row in found}
    for action in alert_actions.of_alerts(transaction, [*actions]):
        actions[action["alert_id"]].append(action)
    states = [(row, work_then(row, _told(actions[row["id"]]), at)) for row in found]
    return [_alert_then(row, state, at) for row, state in states if state.is_open is not False]


def _told(actions: Sequence[Row]) -> list[tuple[datetime, dict[str, Any]]]:
    return [(action["done_at"], json.loads(action["changed"])) for action in actions]


def _alert_then(row: Row, state: WorkThen, at: datetime) -> AlertThen:
    # What an alert said before it was raised to a higher band is not kept.
    is_as_raised = row["raised_at"] is None or row["raised_at"] <= at
    return {
        "id": row["id"],
        "alert_type": row["alert_type"],
        "created_at": iso_micros(row["created_at"]),
        "status": state.status,
        "assigned_to": state.assigned_to,
        "priority": row["priority"] if is_as_raised else None,
        "title": row["title"] if is_as_raised else None,
        "message": row["message"] if is_as_raised else None,
        "reason": row["reason"] if is_as_raised else None,
        "risk_score": row["risk_score"] if is_as_raised else None,
        "previous_risk_score": row["risk_before"] if is_as_raised else None,
        "model_source": row["model_source"] if is_as_raised else None,
    }


def _pruned_until(customer: Row) -> str | None:
    millis = pruned_until(customer["state"])
    return None if millis is None else iso(from_millis(millis))


def _since(now: datetime, days: int) -> str | None:
    return iso(now - timedelta(days=days)) if days else None
