"""Reading the customers: lists, one customer, their history, and their inputs to a model."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database, Transaction, customer_search, customers, events, totals
from churn.adapters.mysql.customer_search import CustomerFilter, Page
from churn.adapters.mysql.database import Row
from churn.domain.customer import CustomerState
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.domain.errors import DATA_ERRORS, CustomerNotFoundError, CustomerUnreadableError
from churn.domain.explanations import drivers, interval_json, others, rounded
from churn.domain.features import FEATURE_NAMES, Features, Inputs, Observed, features_at, inputs_at, shown
from churn.domain.recommendations import recommend
from churn.domain.risk import ACTIVE_STATUSES, CustomerStatus, RiskLevel, cents_at_risk
from churn.domain.search_terms import words_of
from churn.domain.timestamps import from_millis, iso
from churn.observability import note_unreadable
from churn.services.cursors import read_customer_cursor, write_customer_cursor
from churn.services.presentation import address_json
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.answers import Customer, CustomerDetail, CustomerPage, Event, EventPage


@dataclass(frozen=True, slots=True)
class CustomerQuery:
    """A choice of customers, their order, and a page of them (by `cursor`, or else by `offset`)."""

    sort: CustomerSort = "churn_probability"
    order: SortOrder = "desc"
    limit: int = 100
    offset: int = 0
    cursor: str | None = None
    risk_level: tuple[RiskLevel, ...] | None = None
    status: tuple[CustomerStatus, ...] | None = None
    lapsed_since: datetime | None = None
    lapsed_until: datetime | None = None
    search: str | None = None


class Customers:
    """The customers of one database, in the shapes of the wire contract."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def page(self, query: CustomerQuery, now: datetime) -> CustomerPage:
        """Return a page of customers. Raises InvalidCursorError, DatabaseUnavailableError."""
        column = customer_search.SORT_COLUMNS[query.sort]
        # The customer without an order for the longest time has the earliest last order.
        descending = (query.order == "desc") != (query.sort == "days_since_last_order")
        after = None if query.cursor is None else read_customer_cursor(query.cursor, query.sort, query.order)
        wanted = Page(column, descending, query.limit + 1, 0 if after else query.offset, after)

        def work(transaction: Transaction) -> CustomerPage:
            rows, total = self._search(transaction, query, wanted)
            more, rows = len(rows) > query.limit, rows[: query.limit]
            observed = events.observed(transaction)
            return {
                "customers": [self._shown(transaction, row, observed, now)[0] for row in rows],
                "total": wanted.offset + len(rows) + more if total is None else total,
                "total_is_lower_bound": total is None,
                "limit": query.limit,
                "offset": wanted.offset,
                "next_cursor": _cursor_after(rows[-1], query, column) if more else None,
            }

        return self._database.read(work)

    def get(self, customer_id: str, now: datetime) -> CustomerDetail:
        """Return all that is stored of a customer. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> CustomerDetail:
            row = _existing(transaction, customer_id)
            observed = events.observed(transaction)
            listed, features, reasons = self._shown(transaction, row, observed, now)
            probability, base = listed["churn_probability"], reasons.get("base")
            why = drivers(reasons.get("contributions", {}), features)
            rest = None if probability is None or base is None else others(probability, rounded(base), why)
            return {
                **listed,
                "phone": row["phone"],
                "address": address_json(row["address"]),
                "confidence": None if "error" in listed else row["confidence"],
                "model_version": row["model_version"],
                "probability_interval": interval_json(reasons.get("interval")),
                "base_probability": None if base is None else rounded(base),
                "drivers": why,
                "other_contributions": rest,
                "last_prediction_at": None if row["scored_at"] is None else iso(row["scored_at"]),
                "is_active": bool(row["is_active"]),
                "created_at": iso(row["created_at"]),
                "updated_at": iso(row["updated_at"]),
            }

        return self._database.read(work)

    def inputs(self, customer_ids: Collection[str], now: datetime) -> dict[str, Inputs | CustomerUnreadableError]:
        """Return a model's inputs of customers, without those that do not exist.

        The error stands in place of those that cannot be read. Raises DatabaseUnavailableError.
        """

        def work(transaction: Transaction) -> dict[str, Inputs | CustomerUnreadableError]:
            rows = customers.by_id(transaction, customer_ids)
            observed = events.observed(transaction)
            inputs: dict[str, Inputs | CustomerUnreadableError] = {}
            for customer_id, row in rows.items():
                try:
                    inputs[customer_id] = inputs_at(*_state(transaction, row, now), observed)
                except DATA_ERRORS as error:
                    note_unreadable(row["id"], error)
                    inputs[customer_id] = CustomerUnreadableError(CustomerUnreadableError.sentence)
            return inputs

        return self._database.read(work)

    def events(
        self,
        customer_id: str,
        *,
        limit: int,
        event_type: str | None = None,
        date_from: datetime | None = None,
        date_to: datetime | None = None,
    ) -> EventPage:
        """Return a customer's events, the newest first. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> EventPage:
            row = _existing(transaction, customer_id)
            rows, total = events.of_customer(
                transaction, row["id"], limit=limit, event_type=event_type, date_from=date_from, date_to=date_to
            )
            history: list[Event] = [
                {
                    "id": event["event_id"],
                    "event_type": event["event_type"],
                    # Infinity and NaN were stored once, and are no JSON.
                    "event_data": json.loads(event["data"], parse_constant=str),
                    "timestamp": iso(event["occurred_at"]),
                }
                for event in rows
            ]
            return {"events": history, "total": total}

        return self._database.read(work)

    def _shown(
        self, transaction: Transaction, row: Row, observed: Observed, now: datetime
    ) -> tuple[Customer, Features, dict[str, Any]]:
        """Return a customer as a list shows them, with what the figures are made of; without figures if that fails."""
        try:
            features, reasons = _features(transaction, row, observed, now), _reasons(row)
            return self._listed(row, features, reasons), features, reasons
        except DATA_ERRORS as error:
            note_unreadable(row["id"], error)
            features = dict.fromkeys(FEATURE_NAMES)
            listed = self._listed(row, features, {})
            listed["churn_probability"] = listed["expected_spend"] = listed["revenue_at_risk"] = None
            listed["recommendations"], listed["recommended_actions"] = [], []
            listed["error"] = CustomerUnreadableError.sentence
            return listed, features, {}

    def _search(self, transaction: Transaction, query: CustomerQuery, wanted: Page) -> tuple[list[Row], int | None]:
        """Return the rows of a page, and how many customers match in all, None if they were too many to count."""
        words = tuple(words_of(query.search)) if query.search is not None else ()
        if query.search is not None and not words:
            return [], 0
        levels, statuses = query.risk_level or (), query.status or ()
        # Who lapsed at an instant had the last order so long before it.
        since, until = (
            instant and instant - timedelta(days=self._settings.inactivity_days)
            for instant in (query.lapsed_since, query.lapsed_until)
        )
        asked = CustomerFilter(levels, statuses, since, until, words)
        search = customer_search.search(transaction, asked)
        total = search.total
        if asked.is_summed:
            total = totals.read_pairs(transaction, "customers", statuses, levels)
        return customer_search.page(transaction, search, wanted, total), total

    def _listed(self, row: Row, features: Features, reasons: Mapping[str, Any]) -> Customer:
        probability = row["churn_probability"]
        is_counted = probability is not None and row["status"] in ACTIVE_STATUSES
        actions = recommend(
            features, probability or 0.0, reasons.get("contributions", {}),
            bands=self._settings.bands, horizon_days=self._settings.horizon_days,
        )  # fmt: skip
        # mypy holds that the features might have an `error`, too.
        return {
            "customer_id": row["customer_id"],
            "name": row["name"],
            "email": row["email"],
            **shown(features),  # type: ignore[typeddict-item]
            "status": row["status"],
            "churn_probability": None if probability is None else rounded(probability),
            "risk_level": row["risk_level"],
            "model_kind": row["model_kind"],
            "expected_spend": float(row["expected_spend"]),
            "revenue_at_risk": None
            if not is_counted
            else cents_at_risk(probability, float(row["expected_spend"])) / 100,
            "recommendations": [action["text"] for action in actions],
            "recommended_actions": actions,
        }


def _cursor_after(row: Row, query: CustomerQuery, column: str) -> str:
    return write_customer_cursor(query.sort, query.order, row[column], row["id"])


def _existing(transaction: Transaction, customer_id: str) -> Row:
    row = customers.by_id(transaction, [customer_id]).get(customer_id)
    if row is None:
        raise CustomerNotFoundError(customer_id)
    return row


def _features(transaction: Transaction, row: Row, observed: Observed, now: datetime) -> Features:
    return features_at(*_state(transaction, row, now), observed)


def _state(transaction: Transaction, row: Row, now: datetime) -> tuple[CustomerState, datetime]:
    """Return a customer's state, and the instant to read it at: not before the events that are folded into it."""
    state = customers.state_at(transaction, row, now)
    return state, now if state.clock is None else max(now, from_millis(state.clock))


def _reasons(row: Row) -> dict[str, Any]:
    """Return what explains a customer's current prediction, nothing without one."""
    if row["churn_probability"] is None or row["contributions"] is None:
        return {}
    reasons: dict[str, Any] = json.loads(row["contributions"])
    return reasons
