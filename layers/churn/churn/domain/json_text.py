"""The one reader of JSON that comes from outside: from Kafka, REST and the WebSocket; and its compact writer."""

import json
import math
from collections.abc import Callable, Mapping
from json.encoder import encode_basestring_ascii
from typing import Any


def read_json(raw: bytes | str) -> Any:
    """Return the value of a JSON text. Raises ValueError with a sentence that says what is wrong with it."""
    try:
        text = raw if isinstance(raw, str) else raw.decode(json.detect_encoding(raw), "surrogatepass")
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except (json.JSONDecodeError, UnicodeError):
        raise ValueError("is not JSON in UTF-8") from None
    except _NoJsonError:
        raise
    except ValueError:
        # Python converts texts of at most 4,300 digits.
        raise ValueError("holds a number with too many digits") from None


class _NoJsonError(ValueError):
    """A name of JavaScript's that is no JSON."""


def _no_constant(name: str) -> float:
    raise _NoJsonError(f"holds {name}, which is not JSON")


# Made once: to make one takes longer than to read or write an event.
_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_ENCODER = json.JSONEncoder(separators=(",", ":"))


def write_compact(value: Any) -> str:
    """Return a value as JSON without blanks, as it is stored."""
    return _ENCODER.encode(value)


def write_object(members: Mapping[str, Any]) -> str:
    """Return `write_compact` of an object; one that holds nothing nested takes a third of the time."""
    try:
        texts = [f"{encode_basestring_ascii(name)}:{PLAIN[type(value)](value)}" for name, value in members.items()]
    except KeyError:
        return write_compact(members)
    return f"{{{','.join(texts)}}}"


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else _ENCODER.encode(value)


PLAIN: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: repr,
    float: _number,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
}
"""What writes a value that holds no other, by its type."""
