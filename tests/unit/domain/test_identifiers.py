"""The one reader of identifiers: one answer for a form, wherever it comes in."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.identifiers import MAX_ID_LENGTH, as_sent, canonical, identifier, stands_for_nobody

_DECOMPOSED = "Ame\u0301lie"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12345, "12345"),
        (12345.0, "12345"),
        ("12345", "12345"),
        ("12345.0", "12345.0"),
        ("00123", "00123"),
        (" CUST-1\t", "CUST-1"),
        ("\u00a0CUST-1\u2003", "CUST-1"),
        ("cust-1", "cust-1"),
        (_DECOMPOSED, "Am\u00e9lie"),
        ("two words", "two words"),
        (10**63, "1" + "0" * 63),
        (-0.0, "0"),
    ],
)
def test_each_form_has_one_answer(value: object, expected: str) -> None:
    assert identifier(value) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (12345.5, "whole number"),
        (True, "whole number"),
        (None, "whole number"),
        (["a"], "whole number"),
        ({"a": 1}, "whole number"),
        (float("nan"), "whole number"),
        (float("inf"), "whole number"),
        (1e16, "too large a number to be exact"),
        (10**64, "at most 64"),
        (10**4299, "at most 64"),
        ("", "not empty"),
        (" \t\u00a0", "not empty"),
        ("x" * 65, "at most 64"),
        ("V\ufffd-3", "send it in UTF-8"),
        ("a\u200bb", "invisible"),
        ("\ufeffa", "invisible"),
        ("a\u00adb", "invisible"),
        ("a\x00b", "invisible"),
        ("a\nb", "invisible"),
        ("a\u00a0b", "invisible"),
        ("a\ud800", "invisible"),
        ("\u3164", "invisible"),
        ("a\u2800", "invisible"),
        ("a\ufe0f", "invisible"),
        ("a\U000e0100", "invisible"),
    ],
)
def test_what_is_no_identifier_is_refused_with_a_sentence(value: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        identifier(value)


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(1, 4300).map(lambda digits: 10**digits - 1)
    | st.floats()
    | st.text(st.characters(codec="utf-16", exclude_categories=()))
    | st.lists(st.none(), max_size=2)
)
def test_any_value_is_an_identifier_that_stays_itself_or_is_refused(value: Any) -> None:
    try:
        result = identifier(value)
    except ValueError as error:
        assert str(error)  # noqa: PT017  (either way is right)
    else:
        assert identifier(result) == result == canonical(as_sent(value))
        assert 0 < len(result) <= MAX_ID_LENGTH
        assert unicodedata.is_normalized("NFC", result)
        result.encode()


@pytest.mark.parametrize(
    "customer_id",
    [
        "null",
        "NULL",
        "nan",
        "NaN",
        "None",
        "none",
        "#N/A",
        "N/A",
        "\\N",
        "-",
        "0",
        "0.0",
        "000",
        "-1",
        "undefined",
        "<NA>",
    ],
)
def test_what_tools_write_where_there_is_nobody_is_no_customer(customer_id: str) -> None:
    assert stands_for_nobody(customer_id)
    assert not stands_for_nobody(customer_id, {customer_id})


@pytest.mark.parametrize("customer_id", ["1", "10", "0001", "Nanette", "null-1", "CUST-0", "0x0", "N", "1.0.0"])
def test_a_customer_is_one(customer_id: str) -> None:
    assert not stands_for_nobody(customer_id)
