"""The words that a customer is found by: what is stored of a customer, and what is looked for, cut up the same way."""

import re
import unicodedata

WORD_LENGTH = 64
"""Characters of a word that are kept; what is longer is cut, when stored and when looked for."""

_NOT_A_WORD = re.compile(r"[\W_]+")


def words_of(text: str) -> list[str]:
    """Return what stands between spaces in a text, each lower-case, without accents and punctuation around it."""
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in decomposed if unicodedata.category(character) != "Mn").casefold()
    words = (re.sub(r"^[\W_]+|[\W_]+$", "", part) for part in plain.split())
    return [word[:WORD_LENGTH] for word in words if word]


def search_words(customer_id: str, name: str | None, email: str | None) -> set[str]:
    """Return every word by whose beginning a customer is found: what stands between spaces, and its parts.

    So ``CUST-001`` is found by ``cust-0`` and by ``001``, ``anna.smith@example.com`` by ``smith`` too.
    """
    whole = [word for text in (customer_id, name, email) if text for word in words_of(text)]
    return {part for word in whole for part in (word, *_NOT_A_WORD.split(word)) if part}
