"""The one reader of identifiers, of customers, events and orders: the same for Kafka, REST and files.

An identifier is text in Unicode's form NFC without blanks around it. Upper and lower case differ. A number stands for
its digits: 12345 and 12345.0 are ``12345``, while the text ``12345.0`` is what it says.
"""

import unicodedata
from collections.abc import Container

MAX_ID_LENGTH = 64

# A float holds every whole number up to here; above, two identifiers may have become one on their way.
_EXACT_UP_TO = 2**53
# What decoders put in the place of bytes that they cannot read: two identifiers may have become one.
_UNREADABLE = "\ufffd"
# Of Unicode's categories these are letters, marks or symbols, and yet nothing is seen of them.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0") | {
    chr(code) for first, last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)) for code in range(first, last + 1)
}
_PLACEHOLDERS = frozenset(
    {
        *("null", "(null)", "<null>", "nil", "none", "undefined", "[object object]", "nan", "nat", "na", "<na>"),
        *("n/a", "#n/a", "#null!", "#name?", "#ref!", "#value!", "#num!", "#div/0!", "\\n", "\\\\n"),
        *("-", "--", "---", "\N{EN DASH}", "\N{EM DASH}", ".", "?", "-1", "-1.0"),
        "00000000-0000-0000-0000-000000000000",
    }
)


def identifier(value: object) -> str:
    """Return an identifier from text or a whole number; ValueError says what is wrong with anything else."""
    text = canonical(as_sent(value))
    if not text:
        raise ValueError("must be text that is not empty")
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(f"must have at most {MAX_ID_LENGTH} characters")
    if not text.isprintable() or not _INVISIBLE.isdisjoint(text):
        raise ValueError("must not hold invisible characters")
    if _UNREADABLE in text:
        raise ValueError("holds a character that could not be read: send it in UTF-8")
    return text


def as_sent(value: object) -> str:
    """Return the text of an identifier without blanks around it, in the Unicode form that it came in.

    Raises ValueError for what is neither text nor a whole number.
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be text, or a whole number")
    if isinstance(value, float):
        if not value.is_integer():
            raise ValueError("must be text, or a whole number")
        if abs(value) > _EXACT_UP_TO:
            raise ValueError("is too large a number to be exact: give it as text")
    elif abs(value) >= 10**MAX_ID_LENGTH:
        raise ValueError(f"must have at most {MAX_ID_LENGTH} characters")
    return str(int(value))


def canonical(text: str) -> str:
    """Return text in the one form in which identifiers are compared."""
    return unicodedata.normalize("NFC", text.strip())


def stored_forms(text: str) -> tuple[str, ...]:
    """Return the forms that an identifier may be stored in, the likeliest first.

    Before there was one form, identifiers were stored as they came; what came in another form was mostly NFD.
    """
    plain = text.strip()
    return tuple(dict.fromkeys((plain, canonical(plain), unicodedata.normalize("NFD", plain))))


def stands_for_nobody(customer_id: str, allowed: Container[str] = ()) -> bool:
    """Return whether an identifier is what tools write where there is no customer, such as ``null``, ``-`` or ``0``.

    Those of `allowed` are customers all the same.
    """
    text = customer_id.casefold()
    is_zero = not text.strip("0.") and text.count(".") <= 1
    return (is_zero or text in _PLACEHOLDERS) and customer_id not in allowed
