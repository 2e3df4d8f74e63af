"""The words that a customer is found by: what is stored of a customer, and what is looked for, cut up the same way."""

import re
import unicodedata
from functools import cache

WORDS_VERSION = 2
"""The version of the rules below: it rises when one changes, and the words of stored customers are made again."""

WORD_LENGTH = 64
"""Characters of a word that are kept; what is longer is cut, when stored and when looked for."""

_NOT_A_WORD = re.compile(r"[\W_]+")
# Most letters are named after the plain one, as LATIN SMALL LETTER L WITH STROKE; these are not.
_LETTERS = {
    "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ȷ": "j", "ŋ": "n", "ĸ": "k",
    "ə": "e", "ǝ": "e", "ɛ": "e", "ɔ": "o", "ʒ": "z",
    # Curly quotation marks, and apostrophes that are letters.
    **dict.fromkeys("\u2018\u2019\u02bb\u02bc", "'"),
    "\N{HYPHEN}": "-",
}  # fmt: skip
_WITHOUT_SPACES = re.compile(
    "CJK|IDEOGRAPHIC|HIRAGANA|KATAKANA|BOPOMOFO|HANGUL|YI SYLLABLE|THAI|LAO|KHMER|MYANMAR|TIBETAN", re.ASCII
)
"""How the names of characters begin that stand in a script without spaces between words."""


def words_of(text: str) -> list[str]:
    """Return what stands between spaces in a text, each lower-case, without accents and punctuation around it."""
    return [word[:WORD_LENGTH] for word in _whole_words(text)]


def search_words(customer_id: str, name: str | None, email: str | None) -> set[str]:
    """Return every word by whose beginning a customer is found: what stands between spaces, and its parts.

    So ``CUST-001`` is found by ``cust-0`` and by ``001``, ``anna.smith@example.com`` by ``smith`` too, and 王小明 by
    each of its characters.
    """
    whole = [word for text in (customer_id, name, email) if text for word in _whole_words(text)]
    parts = {part for word in whole for part in (word, *_NOT_A_WORD.split(word)) if part}
    return {word[:WORD_LENGTH] for part in parts for word in (part, *_endings(part))}


def _whole_words(text: str) -> list[str]:
    decomposed = unicodedata.normalize("NFKD", text)
    unmarked = "".join(character for character in decomposed if unicodedata.category(character) != "Mn")
    # Hangul is decomposed too: a syllable is one character again.
    plain = unicodedata.normalize("NFC", "".join(map(_plain, unmarked.casefold())))
    return [word for part in plain.split() if (word := re.sub(r"^[\W_]+|[\W_]+$", "", part))]


def _endings(word: str) -> list[str]:
    """Return what begins at each character of a script that puts no spaces between words, and behind it."""
    if word.isascii():
        return []
    without = [_has_no_spaces(character) for character in word]
    return [word[place:] for place in range(1, len(word)) if without[place] or without[place - 1]]


@cache
def _plain(character: str) -> str:
    """Return a letter without what is added to it (ł, ø, đ, ħ, қ), as Unicode names it."""
    if character.isascii():
        return character
    base, added, _ = unicodedata.name(character, "").partition(" WITH ")
    if added and character.isalpha():
        try:
            character = unicodedata.lookup(base)
        except KeyError:
            return character
    return _LETTERS.get(character, character)


@cache
def _has_no_spaces(character: str) -> bool:
    return _WITHOUT_SPACES.match(unicodedata.name(character, "")) is not None
