"""The one reader of JSON: each fault has its sentence; and its compact writer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.json_text import read_json, write_compact, write_object


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is not JSON in UTF-8"),
        (b"{", "is not JSON in UTF-8"),
        (b'"V\xfe"', "is not JSON in UTF-8"),
        (b"NaN", "holds NaN, which is not JSON"),
        (b"[-Infinity]", "holds -Infinity, which is not JSON"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"1" * 5000, "holds a number with too many digits"),
    ],
)
def test_each_fault_has_its_sentence(text: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        read_json(text)


@given(st.binary(max_size=40))
def test_nothing_else_is_raised(text: bytes) -> None:
    assert _refusal(text).startswith(("is not JSON", "holds ", "is read"))


def _refusal(text: bytes) -> str:
    try:
        read_json(text)
    except ValueError as error:
        return str(error)
    return "is read"


_PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)


@given(st.dictionaries(st.text(max_size=10), _PLAIN | st.lists(_PLAIN, max_size=2), max_size=5))
def test_an_object_is_written_as_by_the_one_encoder(members: dict[str, object]) -> None:
    assert write_object(members) == write_compact(members)
