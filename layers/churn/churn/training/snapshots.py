"""Snapshots of customers at several cut-offs of the past: their inputs at that time, and whether they churned after."""

import hashlib
import itertools
import math
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.customer import CustomerState, observed_kinds
from churn.domain.events import Event, order_cents
from churn.domain.features import INPUT_NAMES, inputs_at
from churn.domain.timestamps import DAY, from_millis, iso, to_millis
from churn.ml.arrays import Flags, Floats
from churn.training.plan import CannotTrainError, Plan, TooLittleHistoryError

Histories = Iterable[tuple[str, Sequence[Event]]]
"""All customers, each with all their events; training iterates over them twice, so a generator will not do."""

Progress = Callable[[str], None]

FEWEST_CUSTOMERS = 200
FEWEST_OF_A_KIND = 30
LEAD_DAYS = 30
MOST_CUT_OFFS = 4
MOST_CUSTOMERS = 100_000
"""Of more customers a sample is learned from."""
MOST_EARLIER = 16
MOST_JUDGED = 10_000
"""Of more customers of a window a sample weighs a blend."""
_FEWEST_WITH_STRAYS = 50
FOLDS = 4
LEAK_AUC = 0.98
"""No single feature predicts churn so well unless it contains what happened after the cut-off."""

_END: tuple[int, None] = (0, None)
_first = itemgetter(0)


@dataclass(slots=True)
class Snapshots:
    """The eligible customers at one cut-off, and every customer's orders until then."""

    cut_off: int
    """In milliseconds since 1970."""
    values: array[float] = field(default_factory=lambda: array("d"))
    labels: array[int] = field(default_factory=lambda: array("b"))
    numbers: array[int] = field(default_factory=lambda: array("l"))
    places: array[int] = field(default_factory=lambda: array("l"))
    """Where each customer stands in the histories, from 0."""
    bought: array[float] = field(default_factory=lambda: array("d"))
    valued: array[float] = field(default_factory=lambda: array("d"))
    ordered: array[int] = field(default_factory=lambda: array("l"))
    """On how many days of the horizon each customer ordered."""
    spent: array[float] = field(default_factory=lambda: array("d"))
    """The value of the orders of the horizon; NaN if that of one is unknown."""

    @property
    def inputs(self) -> Floats:
        """Shape (n, INPUT_NAMES); NaN if unknown."""
        return np.array(self.values).reshape(-1, len(INPUT_NAMES))

    @property
    def churned(self) -> Flags:
        """Shape (n,): whether the customer ordered nothing in the horizon after the cut-off."""
        return np.array(self.labels, dtype=np.bool_)

    @property
    def folds(self) -> npt.NDArray[np.int64]:
        """Shape (n,): the customer's fold of FOLDS, the same at every cut-off."""
        return np.array(self.numbers, dtype=np.int64) % FOLDS

    @property
    def buying(self) -> Floats:
        """Shape (customers, 3), lapsed ones included: repeat purchases, days to the last order, age in days."""
        return np.array(self.bought).reshape(-1, 3)

    @property
    def values_of_orders(self) -> Floats:
        """Shape (customers, 2), lapsed ones included: days with an order, the value of all orders.

        Without those of whom the value of an order is unknown.
        """
        return np.array(self.valued).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """The rows to fit: the forest's columns, the labels, and the fold and window of each row's customer."""

    columns: Floats
    churned: Flags
    folds: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


@dataclass(slots=True)
class Extent:
    """The extent of the histories; instants are those of orders that count, in milliseconds since 1970."""

    customers: int = 0
    events: int = 0
    first: int | None = None
    last: int | None = None
    orders: array[int] = field(default_factory=lambda: array("q"))
    observed: dict[str, int] = field(default_factory=dict)
    fingerprint: str = ""
    """SHA-256 of every customer's id and of the events' ids, types and instants."""

    @property
    def span_days(self) -> float:
        """From the first order to the last, without the hundredth of them at each end: a stray date spans nothing.

        Of few orders none is a stray one.
        """
        placed = np.sort(np.array(self.orders))
        strays = math.ceil(len(placed) / 100) if len(placed) >= _FEWEST_WITH_STRAYS else 0
        kept = placed[strays : len(placed) - strays]
        return float(kept[-1] - kept[0]) / DAY if len(kept) else 0.0

    def described(self) -> dict[str, Any]:
        """Return what a model's metadata say of the data."""
        return {
            "fingerprint": self.fingerprint,
            "customers": self.customers,
            "events": self.events,
            "first": iso(from_millis(self.first or 0)),
            "last": iso(from_millis(self.last or 0)),
        }


def scan_histories(histories: Histories, now: datetime, progress: Progress) -> Extent:
    """Return the extent of the histories; orders after `now` are not counted."""
    extent, digest, latest = Extent(), hashlib.sha256(), to_millis(now)
    for customer_id, events in histories:
        extent.customers += 1
        extent.events += len(events)
        if extent.customers % 10_000 == 0:
            progress(f"looking through the histories: {extent.customers:,} customers")
        for kind, since in observed_kinds(events).items():
            extent.observed[kind] = min(extent.observed.get(kind, since), since)
        timed = [(event.event_id, event.event_type, event.at) for event in events]
        orders = _orders_that_count(events, latest)
        if orders:
            extent.orders.extend(orders)
            extent.first = min(orders) if extent.first is None else min(extent.first, *orders)
            extent.last = max(orders) if extent.last is None else max(extent.last, *orders)
        lines = sorted(f"{event_id} {kind} {at}" for event_id, kind, at in timed)
        digest.update("\n".join([customer_id, *lines, ""]).encode())
    extent.fingerprint = digest.hexdigest()
    return extent


def _orders_that_count(events: Sequence[Event], latest: int) -> list[int]:
    """Return the instants of a customer's orders up to `latest` that count and were never cancelled."""
    taken_back = {event.order_id for event in events if event.event_type == "order_cancelled"}
    placed = (event for event in events if event.event_type == "order_placed" and event.at <= latest)
    return [event.at for event in placed if order_cents(event.data) != 0 and event.order_id not in taken_back]


def cut_offs(extent: Extent, plan: Plan) -> list[int]:
    """Return the cut-offs to fit at, then the one to test at, in milliseconds since 1970.

    Raises CannotTrainError if the orders do not cover them, or if windows overlap.
    """
    horizon, embargo = plan.horizon_days * DAY, plan.embargo_days * DAY
    if extent.first is None or extent.last is None:
        of_whom = f" in the histories of {extent.customers} customers" if extent.customers else ""
        raise TooLittleHistoryError(f"there are no orders{of_whom}")
    if plan.fit_at and plan.test_at is None:
        raise CannotTrainError("cut-offs to fit at were given, but none to test at")
    test_at = extent.last - horizon if plan.test_at is None else to_millis(plan.test_at)
    if plan.test_at is not None and test_at + horizon > extent.last + DAY:
        raise CannotTrainError(
            f"the window tested ends on {from_millis(test_at + horizon):%Y-%m-%d}, "
            f"the last order is of {from_millis(extent.last):%Y-%m-%d}"
        )
    if plan.fit_at:
        fit_at = sorted(map(to_millis, plan.fit_at))
    else:
        earliest = extent.first + LEAD_DAYS * DAY
        steps = itertools.count(test_at - embargo - horizon, -_step(plan))
        fit_at = sorted(itertools.takewhile(lambda at: at >= earliest, itertools.islice(steps, MOST_CUT_OFFS)))
        if not fit_at:
            raise TooLittleHistoryError(
                f"the orders span {extent.span_days:.1f} days; "
                f"{LEAD_DAYS + 2 * plan.horizon_days + plan.embargo_days} are needed: {LEAD_DAYS} to begin with, "
                f"two windows of {plan.horizon_days}, and {plan.embargo_days} between them"
            )
    if fit_at[-1] + horizon > test_at:
        raise CannotTrainError(
            f"what follows the cut-off {from_millis(fit_at[-1]):%Y-%m-%d} reaches into the window that is tested; "
            f"fit no later than {from_millis(test_at - horizon):%Y-%m-%d}"
        )
    return [*fit_at, test_at]


def _step(plan: Plan) -> int:
    """Return how far apart cut-offs lie: half a horizon, a day at least."""
    return max(plan.horizon_days * DAY // 2, DAY)


def earlier_cut_offs(extent: Extent, plan: Plan, first: int) -> list[int]:
    """Return the cut-offs of every half horizon before the `first` that is learned from, as far as the orders go."""
    steps = range(first - _step(plan), (extent.first or first) + LEAD_DAYS * DAY - 1, -_step(plan))
    return sorted(steps[:MOST_EARLIER])


def take_snapshots(
    histories: Histories, at: Sequence[int], extent: Extent, plan: Plan, progress: Progress, earlier: Sequence[int] = ()
) -> list[Snapshots]:
    """Return the snapshots at the cut-offs, oldest first; a sample if there are more than 100,000 customers.

    Those `earlier`, which come first, are of 10,000 customers at most.
    """
    few = [(Snapshots(cut_off), _share(MOST_JUDGED, extent)) for cut_off in earlier]
    shared = few + [(Snapshots(cut_off), _share(MOST_CUSTOMERS, extent)) for cut_off in at]
    for place, (customer_id, events) in enumerate(histories):
        if place and place % 10_000 == 0:
            progress(f"taking snapshots: {place:,} of {extent.customers:,} customers")
        checksum = zlib.crc32(customer_id.encode())
        # The checksum's high bits choose customers, its low bits the fold: neither depends on the other.
        windows = [window for window, share in shared if (checksum >> 8) < share * (1 << 24)]
        if windows:
            in_order = sorted(((event.at, event) for event in events), key=_first)
            for window in _take(windows, in_order, extent, plan):
                window.numbers.append(checksum)
                window.places.append(place)
    return [window for window, _ in shared]


def _share(most: int, extent: Extent) -> float:
    return min(1.0, most / max(1, extent.customers))


def _take(windows: list[Snapshots], events: list[tuple[int, Event]], extent: Extent, plan: Plan) -> list[Snapshots]:
    """Take the snapshots of one customer; return those at whose cut-off they are eligible."""
    state = CustomerState()
    applied: set[str] = set()
    rest = iter(events)
    at, event = next(rest, _END)
    eligible: list[Snapshots] = []
    for window in windows:
        while event is not None and at < window.cut_off:
            _apply(state, event, applied)
            at, event = next(rest, _END)
        inputs = inputs_at(state, from_millis(window.cut_off), extent.observed)
        days, recency, age = (inputs[name] for name in ("purchase_days", "days_since_last_order", "account_age_days"))
        if recency is None or age is None or days is None:
            continue
        window.bought.extend((days - 1, max(0.0, age - recency), age))
        if inputs["total_spent"] is not None:
            window.valued.extend((days, inputs["total_spent"]))
        if state.is_eligible(window.cut_off, plan.lookback_days):
            window.values.extend(math.nan if value is None else value for value in inputs.values())
            eligible.append(window)
    while event is not None:
        _apply(state, event, applied)
        at, event = next(rest, _END)
    # Only now, after all events: a label counts what was cancelled or corrected later.
    for window in eligible:
        end = window.cut_off + plan.horizon_days * DAY
        window.labels.append(not state.ordered_between(window.cut_off, end))
        days_with_order, cents = state.bought_between(window.cut_off, end)
        window.ordered.append(days_with_order)
        window.spent.append(math.nan if cents is None else cents / 100)
    return eligible


def _apply(state: CustomerState, event: Event, applied: set[str]) -> None:
    if event.event_id not in applied:
        applied.add(event.event_id)
        state.apply(event)
