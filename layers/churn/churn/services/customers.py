"""Reading the customers: lists, one customer, their history, and their inputs to a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import (
    Database,
    Transaction,
    customer_counts,
    customer_search,
    customer_states,
    customers,
    events,
    orders,
    totals,
)
from churn.adapters.mysql.customer_pages import CustomerFilter, Found, Page
from churn.adapters.mysql.database import Row
from churn.domain.customer import CustomerState
from churn.domain.customer_record import CUSTOMER_FIELDS, FIELDS_OF_STATE, CustomerSort, SortOrder
from churn.domain.errors import (
    DATA_ERRORS,
    CustomerNotFoundError,
    CustomerUnreadableError,
    FieldError,
    InvalidInputError,
)
from churn.domain.explanations import drivers, interval_json, others, rounded
from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, Features, Observed, features_at, shown
from churn.domain.hypotheses import StoredCustomer
from churn.domain.outlooks import expected_money
from churn.domain.recommendations import recommend
from churn.domain.risk import ACTIVE_STATUSES, RiskPercentiles, stored_value_at_risk
from churn.domain.timestamps import from_millis, iso
from churn.domain.values import numbers_of_json, shown_json
from churn.observability import note_unreadable
from churn.services.cursors import read_customer_cursor, write_customer_cursor
from churn.services.customer_filters import CustomerFilters, filter_at
from churn.services.presentation import address_json
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.answers import (
        Customer,
        CustomerDetail,
        CustomerFieldsPage,
        CustomerPage,
        Event,
        EventPage,
        PlaceInList,
    )


@dataclass(frozen=True, slots=True)
class CustomerQuery(CustomerFilters):
    """A choice of customers, their order, and a page of them (by `cursor`, or else by `offset`).

    `segment`: the id or the name of a segment, whose filters hold as well.
    """

    sort: CustomerSort = "churn_probability"
    order: SortOrder = "desc"
    limit: int = 100
    offset: int = 0
    cursor: str | None = None
    segment: str | None = None


class OffsetRefusedError(InvalidInputError):
    """The list has pages by cursor alone."""

    sentence = (
        "works without segment, has_open_alert, changed_since, fields that begin with min_, max_, first_order_ or "
        "ordered_again_, and for the sorts value_at_risk, "
        "expected_spend and risk_change_7d without search, lapsed_since and lapsed_until; go on with `cursor` here"
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What customers are shown with: the instant, since when the shop sends what, and everybody's risk."""

    now: datetime
    observed: Observed
    percentiles: RiskPercentiles


class Customers:
    """The customers of one database, in the shapes of the wire contract."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def page(self, query: CustomerQuery, now: datetime) -> CustomerPage:
        """Return a page of customers.

        Raises InvalidCursorError, OffsetRefusedError, UnknownSegmentError, DatabaseUnavailableError.
        """
        shown, place = self._page(query, now, frozenset(CUSTOMER_FIELDS))
        return {"customers": shown, **place}

    def page_of_fields(self, query: CustomerQuery, fields: Collection[str], now: datetime) -> CustomerFieldsPage:
        """Return a page with these fields of each customer; raises what `page` does."""
        shown, place = self._page(query, now, frozenset(fields))
        chosen = [{name: value for name, value in customer.items() if name in fields} for customer in shown]
        return {"customers": chosen, **place}

    def _page(self, query: CustomerQuery, now: datetime, fields: frozenset[str]) -> tuple[list[Customer], PlaceInList]:
        """Return a page of customers, in whom what is not among the fields may be missing."""
        column = customer_search.SORT_COLUMNS[query.sort]
        # The customer without an order for the longest time has the earliest last order.
        descending = (query.order == "desc") != (query.sort == "days_since_last_order")
        after = None if query.cursor is None else read_customer_cursor(query.cursor, query.sort, query.order)
        with_states = not fields.isdisjoint(FIELDS_OF_STATE)
        wanted = Page(column, descending, query.limit, 0 if after else query.offset, after, with_states)
        days = self._settings.inactivity_days
        takes_offset = query.segment is None and customer_search.takes_offset(query.at(now, days), column)
        if wanted.offset and not takes_offset:
            raise OffsetRefusedError(FieldError("offset", OffsetRefusedError.sentence))

        def work(transaction: Transaction) -> tuple[list[Customer], PlaceInList]:
            asked = filter_at(transaction, query, now, days, query.segment)
            found, total = _search(transaction, asked, wanted)
            reading = _reading(transaction, now, with_percentiles="risk_percentile" in fields)
            if with_states:
                shown = [self._shown(transaction, row, reading)[0] for row in found.rows]
            else:
                unknown = dict.fromkeys(FEATURE_NAMES)
                shown = [self._listed(row, unknown, {}, reading) for row in found.rows]
            place: PlaceInList = {
                "total": wanted.passed + len(found.rows) + found.has_more if total is None else total,
                # The last page ends the list: with those before it, it has them all.
                "total_is_lower_bound": total is None and found.after is not None,
                "limit": query.limit,
                "offset": wanted.offset,
                "next_cursor": None
                if found.after is None
                else write_customer_cursor(query.sort, query.order, found.after),
            }
            return shown, place

        return self._database.read(work)

    def get(self, customer_id: str, now: datetime) -> CustomerDetail:
        """Return all that is stored of a customer. Raises CustomerNotFoundError, DatabaseUnavailableError."""

        def work(transaction: Transaction) -> CustomerDetail:
            row = existing(transaction, customer_id)
            listed, features, reasons = self._shown(transaction, row, _reading(transaction, now))
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
                "explained_at": None if reasons.get("as_of") is None else iso(from_millis(reasons["as_of"])),
                "last_prediction_at": None if row["scored_at"] is None else iso(row["scored_at"]),
                "is_active": bool(row["is_active"]),
                "created_at": iso(row["created_at"]),
                "updated_at": iso(row["updated_at"]),
            }

        return self._database.read(work)

    def stored(
        self, customer_ids: Collection[str], now: datetime, with_values: Collection[str] = ()
    ) -> dict[str, StoredCustomer | CustomerUnreadableError]:
        """Return customers as stored, without those that do not exist; the value of a usual order for `with_values`.

        The error stands in place of those that cannot be read. Raises DatabaseUnavailableError.
        """

        def work(transaction: Transaction) -> dict[str, StoredCustomer | CustomerUnreadableError]:
            rows = customers.by_id(transaction, customer_ids)
            observed = events.observed(transaction)
            found: dict[str, StoredCustomer | CustomerUnreadableError] = {}
            for customer_id, row in rows.items():
                try:
                    state, at = _state(transaction, row, now)
                    cents = orders.typical_cents(transaction, row["id"]) if customer_id in with_values else None
                    customer = StoredCustomer(state, at, observed, cents, bool(row["of_sample"]))
                    customer.inputs  # noqa: B018 (what is wrong with a state shows when it is read)
                    found[customer_id] = customer
                except DATA_ERRORS as error:
                    note_unreadable(row["id"], error)
                    found[customer_id] = CustomerUnreadableError(CustomerUnreadableError.sentence)
            return found

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
            row = existing(transaction, customer_id)
            rows, total = events.of_customer(
                transaction, row["id"], limit=limit, event_type=event_type, date_from=date_from, date_to=date_to
            )
            return {"events": [event_json(event) for event in rows], "total": total}

        return self._database.read(work)

    def _shown(
        self, transaction: Transaction, row: Row, reading: _Reading
    ) -> tuple[Customer, Features, dict[str, Any]]:
        """Return a customer as a list shows them, with what the figures are made of; without figures if that fails."""
        try:
            features, reasons = _features(transaction, row, reading), _reasons(row)
            return self._listed(row, features, reasons, reading), features, reasons
        except DATA_ERRORS as error:
            note_unreadable(row["id"], error)
            features = dict.fromkeys(FEATURE_NAMES)
            listed = self._listed(row, features, {}, reading)
            listed["churn_probability"] = listed["expected_spend"] = listed["risk_percentile"] = None
            listed["value_at_risk"] = listed["revenue_at_risk"] = listed["risk_change_7d"] = None
            listed["expected_orders"] = listed["expected_spend_interval"] = None
            listed["next_order_expected_at"] = listed["overdue_factor"] = None
            listed["recommendations"], listed["recommended_actions"] = [], []
            listed["error"] = CustomerUnreadableError.sentence
            return listed, features, {}

    def _listed(self, row: Row, features: Features, reasons: Mapping[str, Any], reading: _Reading) -> Customer:
        probability, value = row["churn_probability"], stored_value_at_risk(row)
        is_counted = probability is not None and row["status"] in ACTIVE_STATUSES
        actions = recommend(
            features, probability or 0.0, reasons.get("contributions", {}),
            bands=self._settings.bands, at_risk=0.0 if probability is None else value,
            effects=self._settings.action_effects,
        )  # fmt: skip
        money = expected_money(row, features["days_since_last_order"])
        # mypy holds that the parts might have an `error`, too.
        return {
            "customer_id": row["customer_id"],
            "name": row["name"],
            "email": row["email"],
            **shown(features),
            "status": row["status"],
            "churn_probability": None if probability is None else rounded(probability),
            "risk_level": row["risk_level"],
            "model_kind": row["model_kind"],
            "model_source": row["model_source"],
            **money,  # type: ignore[typeddict-item]
            "value_at_risk": value,
            "risk_percentile": reading.percentiles.of(probability) if is_counted else None,
            "risk_change_7d": None if row["risk_change_7d"] is None else rounded(row["risk_change_7d"]),
            "revenue_at_risk": value if is_counted else None,
            "days_at_risk": _days_since(reading.now, row["at_risk_since"]),
            "days_since_return": _days_since(reading.now, row["returned_at"]),
            "recommendations": [action["text"] for action in actions],
            "recommended_actions": actions,
        }


def event_json(row: Row) -> Event:
    """Return an event of a customer's history as clients see it."""
    return {
        "id": row["event_id"],
        "event_type": row["event_type"],
        # Infinity and NaN were stored once, and are no JSON.
        "event_data": shown_json(row["data"]),
        "timestamp": iso(row["occurred_at"]),
    }


def _reading(transaction: Transaction, now: datetime, *, with_percentiles: bool = True) -> _Reading:
    counts = totals.read(transaction, "bins:") if with_percentiles else {}
    percentiles = RiskPercentiles({int(name.removeprefix("bins:")): count for name, count in counts.items()})
    return _Reading(now, events.observed(transaction), percentiles)


def _search(transaction: Transaction, asked: CustomerFilter, wanted: Page) -> tuple[Found, int | None]:
    """Return the customers of a page, and how many match in all, None if it was too much work to count them."""
    if asked.is_nobody:
        return Found([], None), 0
    search = customer_search.search(transaction, asked)
    total = search.total
    if asked.is_summed:
        total = totals.read_pairs(transaction, "customers", asked.statuses, asked.risk_levels)
    found = customer_search.page(transaction, search, wanted, total)
    if total is None and found.after is not None:
        total = customer_counts.number_of(transaction, search, totals.read_pairs(transaction, "customers", (), ()))
    return found, total


def _days_since(now: datetime, instant: datetime | None) -> float | None:
    return None if instant is None else round(max(0.0, (now - instant) / timedelta(days=1)), 1)


def existing(transaction: Transaction, customer_id: str) -> Row:
    """Return a customer's row, with the state. Raises CustomerNotFoundError."""
    row = customers.by_id(transaction, [customer_id]).get(customer_id)
    if row is None:
        raise CustomerNotFoundError(customer_id)
    return row


def _features(transaction: Transaction, row: Row, reading: _Reading) -> Features:
    return features_at(*_state(transaction, row, reading.now), reading.observed)


def _state(transaction: Transaction, row: Row, now: datetime) -> tuple[CustomerState, datetime]:
    """Return a customer's state, and the instant to read it at: not before the events folded into it, or the score."""
    state = customer_states.state_at(transaction, row, now)
    return state, now if state.clock is None else max(now, from_millis(state.clock))


def _reasons(row: Row) -> dict[str, Any]:
    """Return what explains a customer's current prediction, nothing without one."""
    if row["churn_probability"] is None or row["contributions"] is None:
        return {}
    reasons: dict[str, Any] = numbers_of_json(row["contributions"])
    numbers = {"base": reasons.get("base"), **reasons.get("contributions", {})}
    if not isinstance(reasons.get("as_of"), int | None):
        raise ValueError("the instant of the reasons cannot be read")
    are_numbers = all(isinstance(one, int | float) for one in numbers.values())
    if not are_numbers or not numbers.keys() <= {"base", *INPUT_NAMES}:
        raise ValueError("the reasons of the prediction cannot be read")
    return reasons
