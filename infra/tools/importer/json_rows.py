"""Records of JSON: a value a line, an array of objects, or an object that wraps one; nested objects become columns."""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import IO, Any

from infra.tools.importer.json_lists import DEEPEST, Keys, likeliest_list, list_within, named_list, unwrapped
from infra.tools.importer.long_lines import beginning, lines_of, too_long
from infra.tools.importer.rows import Row
from infra.tools.importer.tables import IsHeader, is_text

_CHUNK = 256 * 1024
# A longer element is none: a bracket was never closed.
_LONGEST = 4 * 1024 * 1024
_SPACE = re.compile(r"[\s,]*")
_NEXT_OBJECT = re.compile(r"\n[\s,]*(?=\{)")
_DECODER = json.JSONDecoder()
_NO_VALUE = object()
_DEEPEST = 3
_CUT_OFF = "the file ends before its array does: it may be cut off"
# An amount of money with its currency, as APIs of shops and of payments write it.
_AMOUNTS = ("amount", "value")
_CURRENCIES = frozenset({"currency", "currencycode", "currency_code", "currencyCode"})


def is_json(head: str) -> bool:
    """Return whether a text begins as JSON does."""
    return head.lstrip("\ufeff \t\r\n")[:1] in {"{", "["}


def json_list(file: IO[str], is_header: IsHeader, name: str | None = None) -> tuple[Keys | None, Mapping[Keys, int]]:
    """Return the keys to the list that has the records of a text, and how many objects each of its lists has.

    The keys are None if it is no part of an object. `name`: of the list that is wanted. Raises UnreadableFileError if
    there is none of that name.
    """
    head = file.read(_CHUNK).lstrip("\ufeff \t\r\n")
    found = list_within(head, is_header)
    if found is None and name is None:
        return None, {}
    scan = _Scan(file, head)
    scan.count()
    lists = {keys: count for keys, count in scan.counts.items() if count}
    if name is not None:
        return named_list(lists, name), lists
    names = {keys: is_header([*flat(first)]) for keys, first in scan.first.items()}
    return likeliest_list(lists, names) or found, lists


def json_rows(file: IO[str], keys: Keys | None = None) -> Iterator[Row]:
    """Yield the records of a text of JSON; `keys`: where the list with them is, see `json_list`."""
    head = file.read(_CHUNK)
    lead = head.lstrip("\ufeff \t\r\n")
    start = head[: len(head) - len(lead)].count("\n") + 1
    line = lead.split("\n", 1)[0]
    if keys is not None:
        yield from _Lists(file, lead, start, keys).rows()
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
    following = lines_of(file, _LONGEST)
    *whole, last = head.splitlines(keepends=True) or [""]
    yield from whole
    if last.endswith("\n"):
        yield last
    else:
        yield last + next(following, "")
    yield from following


def _lines(lines: Iterator[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, 1):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        if why := too_long(text, _LONGEST):
            yield Row(number, beginning(text), error=why)
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
    values = unwrapped(values)
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
                if len(self._buffer) <= _LONGEST and self._more():
                    continue
                line, text, why = self._line, beginning(self._buffer), too_long(self._buffer, _LONGEST)
                goes_on = self._resume()
                if not why and self._is_array and not goes_on:
                    why = _CUT_OFF
                yield Row(line, text, error=why or "is not JSON")
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


class _Lists(_Elements):
    """The elements of the list that lies under the same keys in each of some objects, such as pages of an API."""

    def __init__(self, file: IO[str], buffer: str, line: int, keys: Keys) -> None:
        super().__init__(file, buffer, line, is_array=True)
        self._keys = keys

    def rows(self) -> Iterator[Row]:
        while self._to_next():
            if not self._buffer.startswith("{"):
                yield Row(self._line, self._buffer[:200], error="is not JSON")
                return
            yield from self._object(())

    def _object(self, above: Keys) -> Iterator[Row]:
        """Yield the elements within an object that the buffer begins with; what is broken ends the file."""
        self._drop(1)
        while self._to_next() and not self._buffer.startswith("}"):
            key = self._value()
            if not (isinstance(key, str) and self._to_next() and self._buffer.startswith(":")):
                break
            self._drop(1)
            self._to_next()
            here = (*above, key)
            if self._buffer.startswith("{") and here == self._keys[: len(here)]:
                yield from self._object(here)
            elif self._buffer.startswith("[") and here == self._keys:
                self._drop(1)
                yield from super().rows()
                if not self._buffer:
                    # The array has said that it is cut off.
                    return
                self._drop(1)
            elif not (self._pass_over() if self._buffer.startswith("[") else self._value() is not _NO_VALUE):
                break
        if self._buffer.startswith("}"):
            self._drop(1)
        elif self._buffer:
            yield Row(self._line, self._buffer[:200], error="is not JSON")
            self._drop(len(self._buffer))
            while self._more():
                self._drop(len(self._buffer))

    def _pass_over(self) -> bool:
        """Drop another list, which may be longer than a value, entry by entry; return whether it could be read."""
        self._drop(1)
        while self._to_next() and not self._buffer.startswith("]"):
            if self._value() is _NO_VALUE:
                return False
        self._drop(1)
        return True

    def _to_next(self) -> bool:
        """Drop blanks and commas; return whether there is anything behind them."""
        while True:
            self._drop(_SPACE.match(self._buffer).end())  # type: ignore[union-attr]
            if self._buffer or not self._more():
                return bool(self._buffer)

    def _value(self) -> object:
        """Take a value from the beginning of the buffer; return _NO_VALUE if there is none."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self._buffer)
            except (ValueError, RecursionError):
                if len(self._buffer) < _LONGEST and self._more():
                    continue
                return _NO_VALUE
            if end == len(self._buffer) and self._more():
                continue
            self._drop(end)
            return value


class _Scan(_Lists):
    """What lists of objects some objects have, such as pages of an API, and how many objects each has."""

    def __init__(self, file: IO[str], buffer: str) -> None:
        super().__init__(file, buffer, 1, ())
        self.counts: Counter[Keys] = Counter()
        self.first: dict[Keys, Mapping[str, Any]] = {}

    def count(self) -> None:
        """Count the objects of all lists; what is broken ends that."""
        while self._to_next() and self._buffer.startswith("{") and self._count_within(()):
            pass

    def _count_within(self, above: Keys) -> bool:
        """Count within an object that the buffer begins with; return whether it could be read."""
        self._drop(1)
        while self._to_next() and not self._buffer.startswith("}"):
            key = self._value()
            if not (isinstance(key, str) and self._to_next() and self._buffer.startswith(":")):
                return False
            self._drop(1)
            self._to_next()
            here = (*above, key)
            if self._buffer.startswith("{") and len(here) < DEEPEST:
                is_whole = self._count_within(here)
            elif self._buffer.startswith("["):
                is_whole = self._count_list(here)
            else:
                is_whole = self._value() is not _NO_VALUE
            if not is_whole:
                return False
        self._drop(1)
        return True

    def _count_list(self, keys: Keys) -> bool:
        self._drop(1)
        while self._to_next() and not self._buffer.startswith("]"):
            value = unwrapped(self._value())
            if value is _NO_VALUE:
                return False
            if isinstance(value, dict):
                self.counts[keys] += 1
                self.first.setdefault(keys, value)
        self._drop(1)
        return True


def flat(values: Mapping[str, Any], depth: int = 0, prefix: str = "") -> dict[str, Any]:
    """Return values with those of nested objects beside them, as ``customer.id``; of a list of refunds their sum.

    An object of an amount and its currency is also the amount.
    """
    result: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            if (amount := _money(value)) is not None:
                result[prefix + name] = amount
            result |= flat(value, depth + 1, f"{prefix}{name}.")
            continue
        result[prefix + name] = value
        if name == "refunds" and isinstance(value, list):
            result[f"{prefix}refunds.total"] = sum(map(_refunded, value))
    return result


def _money(values: Mapping[str, Any]) -> Any:
    """Return the amount of an object that is one of money, in the shop's currency where there are two; else None."""
    if isinstance(inner := values.get("shopMoney", values.get("shop_money")), Mapping):
        return _money(inner)
    name = next((name for name in _AMOUNTS if name in values), None)
    if name is None or _CURRENCIES.isdisjoint(values):
        return None
    return values[name] if _number(values[name]) is not None else None


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
