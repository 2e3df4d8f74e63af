"""Filters of customers: kept as JSON without a loss, and joined so that each narrows the other."""

import json
from datetime import UTC, date, datetime
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from churn.adapters.mysql.customer_pages import CustomerFilter
from churn.domain.risk import RISK_LEVELS, CustomerStatus
from churn.entrypoints.http.customer_requests import CustomerFilters as Requested
from churn.services.customer_filters import CustomerFilters
from tests.support.events import NOW

_INSTANTS = st.datetimes(datetime(1971, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_DAYS = st.dates(date(1971, 1, 2), date(2149, 1, 1)).map(date.isoformat)
_NUMBERS = st.floats(0, 1, width=32)


def _some(values: "st.SearchStrategy[object]") -> "st.SearchStrategy[object]":
    return st.none() | values


def _choices(known: tuple[str, ...]) -> "st.SearchStrategy[tuple[str, ...]]":
    return st.lists(st.sampled_from(known), min_size=1, unique=True).map(tuple)


_FIELDS: dict[str, "st.SearchStrategy[object]"] = {
    name: _some(_NUMBERS) for name in CustomerFilters.__dataclass_fields__ if name.startswith("min_")
} | {
    "risk_level": _some(_choices(RISK_LEVELS)),
    "status": _some(_choices(get_args(CustomerStatus))),
    "lapsed_since": _some(_INSTANTS),
    "lapsed_until": _some(_INSTANTS),
    "changed_since": _some(_INSTANTS),
    "first_order_from": _some(_DAYS),
    "ordered_again_to": _some(_DAYS),
    "search": _some(st.text(min_size=1, max_size=20)),
    "has_open_alert": _some(st.booleans()),
    "min_total_orders": _some(st.integers(0, 99)),
}
_ASKED = st.fixed_dictionaries(_FIELDS)


@given(_ASKED)
def test_what_is_kept_is_what_was_asked_and_can_be_asked_again(fields: dict[str, object]) -> None:
    asked = CustomerFilters(**Requested.model_validate(fields).model_dump())
    kept = json.loads(json.dumps(asked.to_json()))
    assert CustomerFilters.from_json(kept) == CustomerFilters.from_json(asked.to_json())
    assert CustomerFilters(**Requested.model_validate(kept).model_dump()) == CustomerFilters.from_json(kept)
    assert CustomerFilters.from_json(kept).to_json() == kept
    assert kept.keys() == {name for name, value in fields.items() if value is not None}


@given(_ASKED, _ASKED)
def test_joined_filters_are_the_same_either_way_and_one_with_everybody_is_the_other(
    fields: dict[str, object], others: dict[str, object]
) -> None:
    first, second = (CustomerFilters(**one).at(NOW, 180) for one in (fields, others))  # type: ignore[arg-type]
    assert _sets(first.narrowed_by(second)) == _sets(second.narrowed_by(first))
    assert first.narrowed_by(CustomerFilter()) == first
    joined = first.narrowed_by(second)
    if not joined.is_nobody:
        assert set(joined.statuses) <= set(first.statuses or joined.statuses)
        assert set(joined.risk_levels) <= set(second.risk_levels or joined.risk_levels)
    assert joined.is_nobody or _allows(first, second)


def _sets(one: CustomerFilter) -> tuple[object, ...]:
    return (
        set(one.risk_levels), set(one.statuses), one.ordered_after, one.ordered_until, set(one.words),
        {(bound.column, bound.least, bound.most) for bound in one.bounds}, one.is_nobody,
        set(one.ordered_again), None if one.is_nobody else one.has_open_alert,
    )  # fmt: skip


def _allows(first: CustomerFilter, second: CustomerFilter) -> bool:
    """Return whether no choice of the one excludes all of the other's."""
    pairs = ((first.risk_levels, second.risk_levels), (first.statuses, second.statuses))
    return all(not one or not other or set(one) & set(other) for one, other in pairs)
