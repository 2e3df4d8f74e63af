"""Answers are written as JSON that every client reads."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.entrypoints.http.json_answers import written

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), _VALUES, max_size=5))
def test_what_is_written_is_read_as_it_was(body: dict[str, Any]) -> None:
    assert json.loads(written(body)) == body


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_null(number: float) -> None:
    assert written({"a": number, "b": [1.5]}) == '{"a":null,"b":[1.5]}'


def test_text_that_has_no_bytes_is_written_all_the_same() -> None:
    text = written({"detail": "there is no customer \ud800"})
    assert text.encode()
    assert json.loads(text)["detail"].startswith("there is no customer ")
