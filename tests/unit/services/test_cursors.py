"""Cursors that somebody made up are refused, whatever they hold."""

import base64
import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.adapters.mysql.customer_search import SORT_COLUMNS
from churn.domain.customer_record import CustomerSort
from churn.services.cursors import InvalidCursorError, read_alert_cursor, read_customer_cursor

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
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_every_sort_has_a_column() -> None:
    assert tuple(SORT_COLUMNS) == get_args(CustomerSort)


@given(st.sampled_from(list(SORT_COLUMNS)), _VALUES, _VALUES)
def test_a_forged_cursor_of_customers_is_a_position_or_refused(sort: CustomerSort, value: Any, key: Any) -> None:
    try:
        position = read_customer_cursor(_forged([sort, "desc", value, key]), sort, "desc")
    except InvalidCursorError as error:
        assert error.errors[0].field == "cursor"  # noqa: PT017  (either way is right)
    else:
        assert 0 <= position.key < 2**63
        if isinstance(position.value, str):
            position.value.encode()


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
