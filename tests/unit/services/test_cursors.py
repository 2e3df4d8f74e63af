"""Cursors that somebody made up are refused, whatever they hold."""

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.adapters.mysql.customer_pages import Position
from churn.adapters.mysql.customer_search import SORT_COLUMNS
from churn.domain.customer_record import CustomerSort
from churn.services.cursors import (
    InvalidCursorError,
    read_alert_cursor,
    read_customer_cursor,
    write_customer_cursor,
)

_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 900).map(lambda digits: 10**digits)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=70)
    | st.sampled_from(
        ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-01", "1e400", "NaN", "Infinity"]
    )
    | st.lists(st.none(), max_size=2)
)


def _forged(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def test_every_sort_has_a_column() -> None:
    assert tuple(SORT_COLUMNS) == get_args(CustomerSort)


@given(st.sampled_from(list(SORT_COLUMNS)), _VALUES, _VALUES)
def test_a_forged_cursor_of_customers_is_a_position_or_refused(sort: CustomerSort, value: Any, key: Any) -> None:
    try:
        position = read_customer_cursor(_forged([sort, "desc", value, key, 100]), sort, "desc")
    except InvalidCursorError as error:
        assert error.errors[0].field == "cursor"  # noqa: PT017  (either way is right)
    else:
        assert 0 <= position.key < 2**63
        if isinstance(position.value, str):
            position.value.encode()


_WRITTEN: dict[CustomerSort, list[object]] = {
    "churn_probability": [None, 0.0, 0.1 + 0.2, 1.0],
    "value_at_risk": [None, Decimal("0.00"), Decimal("9999999999999.99")],
    "expected_spend": [Decimal("0.00"), Decimal("12.50")],
    "risk_change_7d": [None, -0.25, 0.0, 1.0],
    "total_spent": [Decimal("0.00"), Decimal("1000.00")],
    "days_since_last_order": [
        None,
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        datetime(2026, 1, 31, 12, 0, 0, 123_000, tzinfo=UTC),
    ],
    "customer_id": ["CUST-001", "Łódź 1"],
}


@pytest.mark.parametrize("sort", SORT_COLUMNS)
def test_a_written_cursor_of_customers_is_read(sort: CustomerSort) -> None:
    for value in _WRITTEN[sort]:
        position = Position(value, 7, 200)
        assert read_customer_cursor(write_customer_cursor(sort, "asc", position), sort, "asc") == position


@given(st.sampled_from(list(SORT_COLUMNS)), _VALUES, _VALUES)
def test_what_is_read_of_a_cursor_of_customers_is_what_is_written(sort: CustomerSort, value: Any, key: Any) -> None:
    forged = _forged([sort, "desc", value, key, 100])
    try:
        position = read_customer_cursor(forged, sort, "desc")
    except InvalidCursorError:
        return
    assert write_customer_cursor(sort, "desc", position) == forged


_OF_NO_ROW: dict[CustomerSort, list[Any]] = {
    "total_spent": [
        *(True, -1, 5, 5.0, [], ["5.00"], {}),
        *("1_000", "\u0661\u0662", "\u0661\u0662.\u0660\u0660", " 5 ", " 5.00 ", "5", "-0", "-0.00", "-1.00"),
        *("1E+2", "05.00", "5.001", "NaN", "10000000000000000.00"),
    ],
    "expected_spend": [-1, 5],
    "value_at_risk": ["-1.00", 5],
    "customer_id": [None, "", 5],
    "risk_change_7d": [0, -1, True, "0.5", 1.5],
    "churn_probability": [0, 1, True, "0.5", -0.1, [0.5]],
    "days_since_last_order": [
        *("2026-01-31", "2026-01-31T12:00:00+00:00", "20260131T120000Z", "2026-W05-6T12:00:00Z", 5, []),
    ],
}


@pytest.mark.parametrize(("sort", "value"), [(sort, value) for sort, values in _OF_NO_ROW.items() for value in values])
def test_a_value_that_no_row_has_is_refused(sort: CustomerSort, value: Any) -> None:
    with pytest.raises(InvalidCursorError):
        read_customer_cursor(_forged([sort, "desc", value, 7, 0]), sort, "desc")


@pytest.mark.parametrize("passed", [None, -1, 1.5, True, "5", 2**63])
def test_a_number_of_rows_before_that_none_can_be_is_refused(passed: Any) -> None:
    with pytest.raises(InvalidCursorError):
        read_customer_cursor(_forged(["total_spent", "desc", "5.00", 7, passed]), "total_spent", "desc")


def test_a_cursor_in_another_writing_is_refused() -> None:
    written = write_customer_cursor("total_spent", "desc", Position(Decimal("5.00"), 7))
    spaced = base64.urlsafe_b64encode(b'["total_spent", "desc", "5.00", 7, 0]').decode().rstrip("=")
    for forged in (written + "=", spaced):
        with pytest.raises(InvalidCursorError):
            read_customer_cursor(forged, "total_spent", "desc")


@given(_VALUES | st.lists(_VALUES, max_size=3), _VALUES)
def test_a_forged_cursor_of_alerts_is_an_id_or_refused(value: Any, key: Any) -> None:
    for forged in (_forged(value), _forged(["alerts", key])):
        try:
            assert 0 <= read_alert_cursor(forged) < 2**63
        except InvalidCursorError:
            continue


@pytest.mark.parametrize("cursor", ["", "=", "a", "é", "e30", "W10", "bnVsbA", "/" * 1000])
def test_text_that_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        read_alert_cursor(cursor)
    with pytest.raises(InvalidCursorError):
        read_customer_cursor(cursor, "total_spent", "desc")
