"""The words that a customer is found by: what is stored of a customer, and what is looked for, cut up the same way."""

import contextlib
import re
import unicodedata
from functools import cache

WORDS_VERSION = 3
"""The version of the rules below: it rises when one changes, and the words of stored customers are made again."""

WORD_LENGTH = 64
"""Characters of a word that are kept; what is longer is cut, when stored and when looked for."""

# Accents, and what has no width or shape of its own (a zero-width space, a soft hyphen, marks of direction).
_UNSEEN = frozenset({"Mn", "Cf"})
_NOT_A_WORD = re.compile(r"[\W_]+")
# What the names of Latin letters end with, as in LATIN SMALL LETTER L WITH STROKE, U BAR, BARRED O or AE, is the plain
# one; these are not.
_LATIN = re.compile(
    "LATIN (?:SMALL |CAPITAL )?(?:LETTER|LIGATURE)(?: [A-Z]{3,})* ([A-Z]{1,2})(?: BAR| ROTUNDA)?", re.ASCII
)
_LETTERS = {
    "ð": "d", "þ": "th", "ŋ": "n", "ĸ": "k", "ə": "e", "ʒ": "z", "ʃ": "sh",
    "\N{LATIN SMALL LETTER GAMMA}": "g", "ƣ": "gh", "\N{LATIN SMALL LETTER ALPHA}": "a",
    "\N{LATIN SMALL LETTER IOTA}": "i", "ʊ": "u", "ƿ": "w", "\N{HYPHEN}": "-",
}  # fmt: skip
# Curly quotation marks, primes, accents that stand alone, and apostrophes that are letters. Before they are decomposed,
# where an accent that stands alone becomes a space.
_APOSTROPHES = str.maketrans(
    dict.fromkeys(
        "`\u00b4\u02b9\u02bb\u02bc\u02bd\u02be\u02bf\u02c8\u02ca\u02cb\u0374\u055a\u05f3\u1fbd\u1fbf\u1fef\u1ffd\u1ffe"
        "\u2018\u2019\u201b\u2032\u2035\ua78b\ua78c\uff40",
        "'",
    )
)
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
    decomposed = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES))
    unmarked = "".join(character for character in decomposed if unicodedata.category(character) not in _UNSEEN)
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
    if character in _LETTERS:
        return _LETTERS[character]
    base, added, _ = unicodedata.name(character, "").partition(" WITH ")
    if latin := _LATIN.fullmatch(base):
        return latin[1].lower()
    if added and character.isalpha():
        with contextlib.suppress(KeyError):
            return unicodedata.lookup(base)
    return character


@cache
def _has_no_spaces(character: str) -> bool:
    return _WITHOUT_SPACES.match(unicodedata.name(character, "")) is not None
