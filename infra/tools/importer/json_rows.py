"""Records of JSON: a value a line, an array of objects, or an object that wraps one; nested objects become columns."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from infra.tools.importer.rows import Row
from infra.tools.importer.tables import is_text

_CHUNK = 256 * 1024
# A longer element is none: a bracket was never closed.
_LONGEST = 16 * 1024 * 1024
# What APIs write before their records, none of which is a field of an order.
_PAGING = (
    r'(?:"(?:object|has_more|url|count|total|total_count|pages?|per_page|page_size|limit|offset|next|prev|previous|meta'
    r'|success|ok|code|message|links|paging|pagination|cursor|errors?)"'
    r'\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.\w]+|\{[^{}]*\})\s*,\s*)*'
)
_WRAPPED = re.compile(
    r"\s*\{\s*(?:"
    r'"(?:orders|customers|events|data|items|results|records|rows|transactions|payments)"|'
    rf'{_PAGING}(?:"(?:data|result|response|body|payload)"\s*:\s*\{{\s*{_PAGING})?'
    r'"(?:orders|customers|events|data|results|records|rows)"'
    r")\s*:\s*\["
)
_CUT_OFF = "the file ends before its array does: it may be cut off"
_SPACE = re.compile(r"[\s,]*")
_NEXT_OBJECT = re.compile(r"\n\s*(?=\{)")
_DECODER = json.JSONDecoder()
_DEEPEST = 3


def is_json(head: str) -> bool:
    """Return whether a text begins as JSON does."""
    return head.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}


def json_rows(file: IO[str]) -> Iterator[Row]:
    """Yield the records of a text of JSON."""
    head = file.read(_CHUNK)
    lead = head.lstrip("\ufeff \t\r\n")
    wrapped = _WRAPPED.match(lead)
    start = head[: len(head) - len(lead)].count("\n") + 1
    line = lead.split("\n", 1)[0]
    if wrapped:
        yield from _Elements(file, lead[wrapped.end() :], start, is_array=True).rows()
    elif lead.startswith("[") and (not _is_value(line, list) or _is_array_on_one_line(lead)):
        yield from _Elements(file, lead[1:], start, is_array=True).rows()
    elif lead.startswith("{") and not _is_value(line, dict) and _first_value(lead):
        yield from _Elements(file, lead, start, is_array=False).rows()
    else:
        yield from _lines(_joined(head, file))


def _is_value(line: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(line), kind)
    except (ValueError, RecursionError):
        return False


def _is_array_on_one_line(lead: str) -> bool:
    """Return whether the whole text is one array, which may be the only line."""
    line, _, rest = lead.partition("\n")
    return not rest.strip() and _is_value(line, list) and "{" in line


def _first_value(lead: str) -> bool:
    """Return whether an object over several lines stands at the beginning."""
    try:
        _DECODER.raw_decode(lead)
    except (ValueError, RecursionError):
        return False
    return True


def _joined(head: str, file: IO[str]) -> Iterator[str]:
    *whole, last = head.splitlines(keepends=True) or [""]
    yield from whole
    if last.endswith("\n"):
        yield last
    else:
        yield last + file.readline()
    yield from file


def _lines(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        if not is_text(text):
            yield Row(number, text, error="is not UTF-8")
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            yield Row(number, text, error="is not JSON")
            continue
        yield _row(number, text, values)


def _row(number: int, text: str, values: Any) -> Row:
    if isinstance(values, dict):
        return Row(number, text, values)
    return Row(number, text, error="must be a JSON object")


class _Elements:
    """The elements of an array, or values that stand behind one another, read piece by piece."""

    def __init__(self, file: IO[str], buffer: str, line: int, *, is_array: bool) -> None:
        self._file = file
        self._is_array = is_array
        self._buffer = buffer
        self._line = line

    def rows(self) -> Iterator[Row]:
        while self._skip():
            try:
                values, end = _DECODER.raw_decode(self._buffer)
            except (ValueError, RecursionError):
                if len(self._buffer) < _LONGEST and self._more():
                    continue
                line, text, is_cut = self._line, self._buffer[:200], len(self._buffer) < _LONGEST
                goes_on = self._resume()
                yield Row(line, text, error=_CUT_OFF if self._is_array and is_cut and not goes_on else "is not JSON")
                if not goes_on:
                    return
                continue
            if end == len(self._buffer) and self._more():
                # A number may go on in what comes next.
                continue
            text = self._buffer[:end]
            if is_text(text):
                yield _row(self._line, " ".join(text.split()), values)
            else:
                yield Row(self._line, text, error="is not UTF-8")
            self._drop(end)
        if self._is_array and not self._buffer:
            yield Row(self._line, "", error=_CUT_OFF)

    def _skip(self) -> bool:
        """Drop what stands between elements; return whether there is another."""
        while True:
            self._drop(_SPACE.match(self._buffer).end())  # type: ignore[union-attr]
            if self._buffer:
                return not (self._is_array and self._buffer.startswith("]")) or self._begins_again()
            if not self._more():
                return False

    def _begins_again(self) -> bool:
        """Go into an array that stands behind the one that ends here; return whether there is one."""
        while not (rest := self._buffer[1:].lstrip()) and self._more():
            pass
        if not rest.startswith("["):
            return False
        self._drop(self._buffer.index("[") + 1)
        return self._skip()

    def _resume(self) -> bool:
        """Drop an element that is none, up to the next object that begins on a line of its own."""
        while (match := _NEXT_OBJECT.search(self._buffer, 1)) is None:
            self._drop(max(len(self._buffer) - 1, 0))
            if not self._more():
                return False
        self._drop(match.end())
        return True

    def _more(self) -> bool:
        chunk = self._file.read(_CHUNK)
        self._buffer += chunk
        return bool(chunk)

    def _drop(self, end: int) -> None:
        self._line += self._buffer.count("\n", 0, end)
        self._buffer = self._buffer[end:]


def flat(values: Mapping[str, Any], depth: int = 0, prefix: str = "") -> dict[str, Any]:
    """Return values with those of nested objects beside them, as ``customer.id``; of a list of refunds their sum."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            result |= flat(value, depth + 1, f"{prefix}{name}.")
            continue
        result[prefix + name] = value
        if name == "refunds" and isinstance(value, list):
            result[f"{prefix}refunds.total"] = sum(map(_refunded, value))
    return result


def _refunded(refund: Any) -> float:
    """Return the amount of a refund, which APIs of shops tell as its total, or by the payments that make it up."""
    if not isinstance(refund, Mapping):
        return 0.0
    for name in ("total", "amount"):
        if (amount := _number(refund.get(name))) is not None:
            return abs(amount)
    payments = refund.get("transactions")
    paid = [one for one in payments if isinstance(one, Mapping)] if isinstance(payments, list) else []
    amounts = [_number(one.get("amount")) for one in paid if one.get("status", "success") == "success"]
    return sum(abs(amount) for amount in amounts if amount is not None)


def _number(value: Any) -> float | None:
    try:
        number = None if value is None or isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None
