"""Input that nobody sends in earnest, for property tests."""

from typing import Any

from hypothesis import strategies as st


def any_json(max_leaves: int) -> st.SearchStrategy[Any]:
    """Return any JSON value, with numbers that JSON does not have and with lone surrogates among its texts."""
    return st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec="utf-16", exclude_categories=())),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=max_leaves,
    )
