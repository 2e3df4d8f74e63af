"""Tables: the delimiter of a CSV, the header below titles, and what below the table is none of its rows."""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from infra.tools.importer.export_format import one_line
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.long_lines import LONGEST_LINE, beginning, lines_of, too_long
from infra.tools.importer.rows import Block, Row

# A longer record has a quote that was never closed, and would swallow the rest of the file.
_MAX_LINES_OF_A_RECORD = 100
_SAMPLE_LINES = 200
_LINES_OF_A_BLOCK = 1000
# Between so many it is looked how long they are: each may be as long as one line can be.
_TAKEN_AT_ONCE = 50
_MOST_OF_A_BLOCK = 4 * LONGEST_LINE
_DELIMITERS = ",;\t|"
_TITLES_AT_MOST = 40
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*", re.IGNORECASE | re.DOTALL)
_TOTALS = re.compile(
    r"(grand\s*)?totals?|sum|summe|gesamt(summe)?|insgesamt|total\s*g[eé]n[eé]ral|totale|totaal|suma|razem|subtotal|"
    r"[\d,.]*\s*record\(s\)\s*downloaded|seller\s*id\s*:.*|end\s+of\s+(report|file)|"
    r"[\d,.]*\s*eintrag/eintr\u00e4ge\s*heruntergeladen|verk\u00e4ufername\s*:.*",
    re.IGNORECASE,
)

type IsHeader = Callable[[Sequence[str]], bool]
"""Whether cells look like the names of columns that an import knows."""


def is_text(text: str) -> bool:
    """Return whether a text holds no byte that its encoding does not have."""
    return text.isascii() or not any("\udc80" <= sign <= "\udcff" or sign == "\ufffd" for sign in text)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a CSV is laid out; `start`: the number of the header's line."""

    delimiter: str
    header: tuple[str, ...]
    start: int
    width: int
    """How many fields the header's line has, also those without a name behind the last one."""


def find_layout(file: IO[str], is_header: IsHeader) -> Layout | None:
    """Return how a text is laid out, None if it holds nothing. Raises UnreadableFileError if it has no header."""
    sample: list[tuple[int, str]] = []
    told, reason, size = "", "", 0
    for number, line in enumerate(lines_of(file, LONGEST_LINE), 1):
        if number == 1 and (match := _SEPARATOR_LINE.fullmatch(line.lstrip("\ufeff"))):
            told = match[1]
        elif why := too_long(line, LONGEST_LINE):
            reason = reason or f"line {number} {why}"
        elif line.strip().strip(_DELIMITERS):
            sample.append((number, line))
            size += len(line)
        if len(sample) == _SAMPLE_LINES or size > LONGEST_LINE:
            break
    if not sample:
        if reason:
            raise UnreadableFileError(f"there is no line of a table: {reason}")
        return None
    best: tuple[float, Layout] | None = None
    for delimiter in [told] if told else _DELIMITERS:
        score, layout = _try(sample, delimiter, is_header)
        if best is None or score > best[0]:
            best = score, layout
    if best and reason and not is_header(best[1].header):
        raise UnreadableFileError(f"no line names the columns, and {reason}: is that the header?")
    return best[1] if best else None


def _try(sample: list[tuple[int, str]], delimiter: str, is_header: IsHeader) -> tuple[float, Layout]:
    """Return how well a delimiter explains the first lines, and the layout with it."""
    records = list(_records(sample, delimiter))
    widths = Counter(len(_trimmed(cells)) for _, cells in records)
    usual = max(widths, key=lambda width: (widths[width] * (width > 1), width))
    same = sum(count for width, count in widths.items() if width >= usual) / len(records)
    index = find_header([cells for _, cells in records], is_header)
    number, cells = records[index]
    score = (usual > 1) * same + is_header(cells) * 2 + min(len(cells), 50) / 1000
    return score, Layout(delimiter, unique_names(cells), number, len(cells))


def _records(sample: list[tuple[int, str]], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    lines = Lines(iter(sample))
    while (taken := lines.take()) is not None:
        number, text = taken
        cells, _ = read_record(number, text, lines, delimiter)
        if isinstance(cells, str):
            cells = text.rstrip("\r\n").split(delimiter)
        yield number, cells


def find_header(records: Sequence[Sequence[str]], is_header: IsHeader) -> int:
    """Return which of the first records names the columns: the first whose names are known, else the first wide one."""
    first = records[:_TITLES_AT_MOST]
    for index, cells in enumerate(first):
        if is_header(cells):
            return index
    widths = Counter(len(_trimmed(cells)) for cells in records)
    usual = max(widths, key=lambda width: (widths[width], width))
    return next((index for index, cells in enumerate(first) if len(_trimmed(cells)) >= usual), 0)


def unique_names(cells: Sequence[str]) -> tuple[str, ...]:
    """Return the names of columns without blanks; of two that are the same the second is numbered."""
    names: dict[str, None] = {}
    for cell in _trimmed(cells):
        name = one_line(cell.replace("\ufeff", "").strip())
        number = 2
        unique = name
        while unique in names:
            unique = f"{name} ({number})"
            number += 1
        names[unique] = None
    return tuple(names)


def _trimmed(cells: Sequence[str]) -> Sequence[str]:
    end = len(cells)
    while end and not cells[end - 1].strip():
        end -= 1
    return cells[:end]


class Lines:
    """Lines that can be given back."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        """Take numbered lines."""
        self._lines = lines
        self._returned: list[tuple[int, str]] = []

    def take(self) -> tuple[int, str] | None:
        """Return the next line with its number, None at the end."""
        if self._returned:
            return self._returned.pop(0)
        return next(self._lines, None)

    def take_many(self, most: int) -> list[tuple[int, str]]:
        """Return the next lines with their numbers, none at the end."""
        taken = self._returned[:most]
        del self._returned[:most]
        size = sum(len(text) for _, text in taken)
        while len(taken) < most and size <= _MOST_OF_A_BLOCK:
            further = [*islice(self._lines, min(most - len(taken), _TAKEN_AT_ONCE))]
            if not further:
                break
            taken += further
            size += sum([len(text) for _, text in further])
        return taken

    def give_back(self, lines: list[tuple[int, str]]) -> None:
        """Take lines back, which come next."""
        self._returned = lines + self._returned


def read_record(number: int, text: str, lines: Lines, delimiter: str) -> tuple[list[str] | str, str]:
    """Return the record that begins with a line, and its text; what is wrong with it in place of the record.

    A quoted field takes the lines that follow.
    """
    if '"' not in text and "\r" not in text[:-2] and len(text) <= csv.field_size_limit():
        plain = text.rstrip("\r\n")
        return plain.split(delimiter), plain
    joined, taken = text, [(number, text)]
    while True:
        try:
            fields = next(csv.reader([joined], delimiter=delimiter, strict=True))
        except csv.Error as error:
            is_short = len(taken) < _MAX_LINES_OF_A_RECORD and len(joined) <= LONGEST_LINE
            is_open = "end of data" in str(error) and is_short
            following = lines.take() if is_open else None
            if following is None:
                lines.give_back(taken[1:])
                reason = f"its quotes do not match: {error}" if '"' in joined else str(error)
                return reason, text.rstrip("\r\n")
            taken.append(following)
            joined += following[1]
        except StopIteration:
            return [], ""
        else:
            return fields, joined.rstrip("\r\n")


def csv_records(file: IO[str], layout: Layout) -> Iterator[Row | Block]:
    """Yield the records below the header; blank lines, totals and what a system writes below its table are none."""
    lines = Lines(enumerate(lines_of(file, LONGEST_LINE), 1))
    while (taken := lines.take()) is not None and taken[0] < layout.start:
        pass
    if taken is not None:
        # The header itself may have a field that goes over lines.
        read_record(*taken, lines, layout.delimiter)
    while numbered := lines.take_many(_LINES_OF_A_BLOCK):
        if block := _block(numbered, layout):
            yield block
        else:
            lines.give_back(numbered)
            yield from _rows(lines, numbered[-1][0], layout)


def _block(numbered: Sequence[tuple[int, str]], layout: Layout) -> Block | None:
    """Return lines as a block, None if one of them may be no record, or a record of several lines."""
    texts = [text.rstrip("\r\n") for _, text in numbered]
    joined = "\n".join(texts)
    if '"' in joined or "\r" in joined or max(map(len, texts)) > csv.field_size_limit() or not is_text(joined):
        return None
    width, delimiter = len(layout.header), layout.delimiter
    records = [text.split(delimiter) for text in texts]
    if layout.header[0] in (cells[0] for cells in records):
        # Exports that were put together have the header again.
        return None
    for cells in records:
        if len(cells) != width or ("" in cells and cells.count("") * 2 >= width - 1):
            return None
    columns = zip(*records, strict=True)
    return Block([number for number, _ in numbered], texts, dict(zip(layout.header, columns, strict=True)))


def _rows(lines: Lines, last: int, layout: Layout) -> Iterator[Row]:
    """Yield the records that begin with the next lines, up to the line of a number."""
    width, header, delimiter = len(layout.header), layout.header, layout.delimiter
    while (taken := lines.take()) is not None:
        number, text = taken
        if number > last:
            lines.give_back([taken])
            return
        if why := too_long(text, LONGEST_LINE):
            yield Row(number, beginning(text), error=why)
            continue
        if not is_text(text):
            yield Row(number, text.rstrip("\r\n"), error="is not UTF-8")
            continue
        fields, joined = read_record(number, text, lines, delimiter)
        if isinstance(fields, str):
            yield Row(number, joined, error=fields)
        elif len(fields) == width:
            is_sparse = "" in fields
            if is_sparse and (not joined.strip(_BLANK) or is_below_table(fields)):
                continue
            if one_line(fields[0]).strip() == header[0] and unique_names(fields) == header:
                continue
            yield Row(number, joined, dict(zip(header, fields, strict=True)))
        elif (cells := _trimmed(fields)) and not is_below_table([*cells, *[""] * (width - len(cells))]):
            yield _ragged(number, joined, cells, layout)


_BLANK = ' \t\r\n",;|'


def is_below_table(cells: Sequence[Any]) -> bool:
    """Return whether cells are a line of totals, or another that a system writes below its table."""
    if sum(cell in (None, "") for cell in cells) * 2 < len(cells) - 1:
        return False
    filled = [str(cell).strip() for cell in cells if cell not in (None, "")]
    first = filled[0] if filled else ""
    return bool(first) and bool(
        _TOTALS.fullmatch(first.rstrip(":").strip()) or _TOTALS.fullmatch(" ".join(filled[:2]).rstrip(",: "))
    )


def _ragged(number: int, text: str, cells: Sequence[str], layout: Layout) -> Row:
    header = layout.header
    # What stands in columns without a name, such as a note beside the table, is of no order.
    if len(header) <= len(cells) <= layout.width:
        return Row(number, text, dict(zip(header, cells, strict=False)))
    return Row(number, text, error=f"has {len(cells)} fields where the header has {len(header)}")


def check_header(header: Sequence[str], path: object) -> None:
    """Raise UnreadableFileError if the names of columns are no text."""
    if not all(is_text(name) for name in header):
        raise UnreadableFileError(f"the header of {path} cannot be read: it is in no encoding that is known")
