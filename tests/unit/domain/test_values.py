"""The one reader of values from outside: a value, or a sentence; never another exception."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.values import MAX_DEPTH, amount, json_value, number, numbers_of_json, shown_json, storable, truth

_ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 4300).map(lambda digits: 10**digits - 1)
    | st.floats()
    | st.text()
    | st.lists(st.none(), max_size=2)
    | st.dictionaries(st.text(max_size=2), st.none(), max_size=2)
)


@given(_ANYTHING)
def test_a_reader_gives_a_value_or_a_sentence(value: Any) -> None:
    for read in (number, amount, truth):
        try:
            result = read(value)
        except ValueError as error:
            assert str(error).startswith(("must be", "is too large"))  # noqa: PT017  (either way is right)
        else:
            assert math.isfinite(result)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (True, True),
        (False, False),
        (1, True),
        (0, False),
        ("true", True),
        (" False ", False),
        ("0", False),
        ("1", True),
        ("no", False),
        ("", False),
    ],
)
def test_text_that_means_a_truth_value_is_one(value: object, meaning: bool) -> None:
    assert truth(value) is meaning


@pytest.mark.parametrize("value", ["maybe", 2, None, [], "nein"])
def test_what_means_no_truth_value_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="true or false"):
        truth(value)


@given(st.text(st.characters(codec="utf-16", exclude_categories=())))
def test_storable_text_has_bytes_in_utf8(text: str) -> None:
    storable(text).encode()


def test_lone_surrogates_are_replaced_wherever_they_stand() -> None:
    assert json_value({"a\ud800": ["b\udfff", {"c": 1}]}) == {"a\ufffd": ["b\ufffd", {"c": 1}]}


def test_deep_nesting_is_refused() -> None:
    nested: Any = 1
    for _ in range(MAX_DEPTH):
        nested = [nested]
    assert json_value(nested) == nested
    with pytest.raises(ValueError, match="nested more than"):
        json_value([nested])


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_a_number_that_json_does_not_have_is_refused_wherever_it_stands(number: float) -> None:
    with pytest.raises(ValueError, match="too large"):
        json_value({"a": [1, {"b": number}]})


@pytest.mark.parametrize("text", ['{"a": 1e999}', "[-1e999]", "Infinity", '{"a": {"b": NaN}}', "[1, -Infinity]"])
def test_what_is_read_as_numbers_holds_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        numbers_of_json(text)
    assert numbers_of_json('{"a": [1.5, -2, 1e300, null]}') == {"a": [1.5, -2, 1e300, None]}


def test_stored_json_is_shown_as_json() -> None:
    shown = shown_json('{"a": 1e999, "b": [-1e999, Infinity, NaN], "c": 1.5, "d": 2}')
    assert shown == {"a": "1e999", "b": ["-1e999", "Infinity", "NaN"], "c": 1.5, "d": 2}
