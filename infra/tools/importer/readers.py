"""The records of a file in any of the formats, numbered by line; it can be read more than once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from churn.domain.values import storable
from infra.tools.importer.content import Content, Scratch, guarded, open_content
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.json_lists import Keys, in_words, told_lists
from infra.tools.importer.json_rows import is_json, json_list, json_rows
from infra.tools.importer.json_tables import is_json_table, json_table_rows
from infra.tools.importer.rows import Block, Row
from infra.tools.importer.tables import IsHeader, Layout, check_header, csv_records, find_layout
from infra.tools.importer.typed_rows import parquet_rows, sheet_names, xlsx_rows

_HEAD = 4096
_MOST_SHEETS = 12
_DELIMITER_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Source:
    """A file that was opened; `description`: what was found in it, in words."""

    content: Content
    description: str
    header: tuple[str, ...] | None
    """The columns of a table; of JSON, Parquet and xlsx each row says its own."""
    _encoding: str
    _layout: Layout | None
    _sheet: str | None
    _is_header: IsHeader
    _list: Keys | None = None
    """Where JSON has the list with the records."""
    _is_json_table: bool = False
    _lists: Mapping[Keys, int] = field(default_factory=dict)
    """How many objects each list has that an object of JSON is made around."""

    @property
    def is_json(self) -> bool:
        """Whether each row has columns of its own."""
        return self.content.shape == "text" and self._layout is None

    @property
    def is_table(self) -> bool:
        """Whether it is CSV or xlsx, which spreadsheets may have written."""
        return self.content.shape == "xlsx" or self._layout is not None

    def elsewhere(self) -> str:
        """Return where else in the file the records may be, as the end of a sentence; empty if nowhere."""
        if lists := self._other_lists():
            return f"; {lists}"
        names = self._sheets() if self._sheet is None else []
        if len(names) <= 1:
            return ""
        return f"; this is the sheet {names[0]!r}, and --sheet names another: {', '.join(names[1:])}"

    def unread(self) -> list[str]:
        """Return a sentence on the sheets of a workbook, or the lists of JSON, that are not read, if there are any."""
        if lists := self._other_lists():
            return [lists]
        others = self._sheets()[1:] if self._sheet is None else []
        if not others:
            return []
        names = ", ".join(repr(storable(name)) for name in others[:_MOST_SHEETS])
        return [f"the first sheet of {len(others) + 1:,} was read; --sheet names another: {names}"]

    def _sheets(self) -> list[str]:
        if self.content.shape != "xlsx":
            return []
        with self.content.reopen() as file:
            return sheet_names(file)

    def _other_lists(self) -> str:
        """Return a sentence on the lists of JSON that are not read; empty without any."""
        others = {keys: count for keys, count in self._lists.items() if keys != self._list}
        if not others:
            return ""
        read = f"the list {in_words(self._list)!r} is read" if self._list else "no list is read"
        return f"{read}, and the file has others, of which --list=NAME reads one: {told_lists(others)}"

    def rows(self) -> Iterator[Row]:
        """Yield all records one by one. Raises UnreadableFileError."""
        for record in self.records():
            if isinstance(record, Block):
                yield from record.rows()
            else:
                yield record

    def records(self) -> Iterator[Row | Block]:
        """Yield all records in their order, many together where they are in columns. Raises UnreadableFileError."""
        path = self.content.path
        with guarded(path):
            if self.content.shape == "parquet":
                with self.content.reopen() as file:
                    yield from parquet_rows(file, path)
            elif self.content.shape == "xlsx":
                with self.content.reopen() as file:
                    yield from xlsx_rows(file, path, self._sheet, self._is_header)
            else:
                with self.content.text(self._encoding) as text:
                    yield from self._records_of(text)

    def _records_of(self, text: IO[str]) -> Iterator[Row | Block]:
        if self._layout is not None:
            return csv_records(text, self._layout)
        return json_table_rows(text) if self._is_json_table else json_rows(text, self._list)


def open_source(
    path: Path,
    scratch: Scratch,
    is_header: IsHeader,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    list_name: str | None = None,
) -> Source:
    """Return a file's records; what must be unpacked is unpacked into `scratch`.

    `list_name`: the list of JSON that has the records.

    Raises UnreadableFileError if it is in no known format, or cannot be read.
    """
    content = open_content(path, scratch)
    if content.shape != "text":
        name = ", ".join([{"parquet": "Parquet", "xlsx": "xlsx"}[content.shape], *content.layers])
        return Source(content, name, None, "", None, sheet, is_header)
    codec = encoding or content.encoding()
    try:
        with guarded(path), content.text(codec) as file:
            head = file.read(_HEAD)
    except LookupError:
        raise UnreadableFileError(f"--encoding: {codec} is no encoding that is known here") from None
    except UnicodeError as error:
        raise UnreadableFileError(f"{path} cannot be read as {codec}: {error}") from error
    words = content.describe(codec)
    if is_json(head):
        with guarded(path), content.text(codec) as file:
            keys, lists = json_list(file, is_header, list_name)
        with guarded(path), content.text(codec) as file:
            is_table = keys is None and is_json_table(file, is_header)
        within = f"JSON, the list {in_words(keys)!r}, {words}" if keys else f"JSON, {words}"
        return Source(content, within, None, codec, None, sheet, is_header, keys, is_table, lists)
    if head.lstrip("\ufeff \t\r\n").lower().startswith(("<html", "<!doctype", "<table", "<?xml")):
        raise UnreadableFileError(f"{path} is a web page or XML: save it as CSV or xlsx")
    if "\x00" in head:
        raise UnreadableFileError(f"{path} is neither CSV, JSON, Parquet nor xlsx")
    with guarded(path), content.text(codec) as file:
        layout = find_layout(file, is_header)
    if layout is None:
        raise UnreadableFileError(f"{path} holds no line to import: it is empty")
    check_header(layout.header, path)
    name = _DELIMITER_NAMES.get(layout.delimiter, repr(layout.delimiter))
    return Source(content, f"CSV ({name}), {words}", layout.header, codec, layout, sheet, is_header)
