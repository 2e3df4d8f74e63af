"""The words that customers are found by."""

import pytest

from churn.domain.search_terms import WORD_LENGTH, search_words, words_of


@pytest.mark.parametrize("looked_for", ["CUST-0", "001", "anna", "mull", "MÜLL", "anna.m", "example"])
def test_what_people_type_begins_a_word_of_the_customer(looked_for: str) -> None:
    words = search_words("CUST-001", "Anna Müller", "anna.muller@example.com")
    assert all(any(word.startswith(part) for word in words) for part in words_of(looked_for))


def test_nothing_but_punctuation_has_no_words() -> None:
    assert words_of("%% _ -- ") == []
    assert search_words("%", None, "") == set()


def test_words_fit_their_column() -> None:
    assert max(map(len, search_words("x" * 64, "ß" * 255, "y@" + "z" * 250))) == WORD_LENGTH
