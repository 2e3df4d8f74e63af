"""Records of files that know the types of their cells: Parquet and xlsx."""

import json
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.rows import Row
from infra.tools.importer.tables import IsHeader, find_header, is_below_table, unique_names

_SAMPLE_ROWS = 60


def parquet_rows(file: IO[bytes], path: object) -> Iterator[Row]:
    """Yield the rows of Parquet. Raises UnreadableFileError."""
    # Imported late: only an import of Parquet waits for it.
    import pyarrow  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=10_000):
                for values in _records_of(batch):
                    number += 1
                    plain = {name: _plain(value) for name, value in values.items()}
                    yield Row(number, json.dumps(plain, default=str, ensure_ascii=False), plain)
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise UnreadableFileError(f"{path} is not Parquet: {error}") from error


def _records_of(batch: Any) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a batch by column; a time that Python has none for, such as one of the year 10000, is text."""
    try:
        records: Sequence[Mapping[str, Any]] = batch.to_pylist()
    except (OverflowError, ValueError):
        # Cell by cell, which takes longer.
        columns = [[_cell_of_parquet(cell) for cell in column] for column in batch.columns]
        records = [dict(zip(batch.schema.names, cells, strict=True)) for cells in zip(*columns, strict=True)]
    return records


def _cell_of_parquet(cell: Any) -> Any:
    import pyarrow  # noqa: PLC0415

    try:
        return cell.as_py()
    except (OverflowError, ValueError):
        pass
    try:
        return cell.cast(pyarrow.string()).as_py()
    except pyarrow.ArrowException:
        return f"a value of type {cell.type} that cannot be read"


def _plain(value: Any) -> Any:
    """Return a value of Parquet as JSON has it, where JSON has such a value."""
    if isinstance(value, bytes):
        # Bytes that are not UTF-8 become characters that nothing accepts.
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value


def xlsx_rows(file: IO[bytes], path: object, sheet: str | None, is_header: IsHeader) -> Iterator[Row]:
    """Yield the rows of a sheet, the first if none is named. Raises UnreadableFileError."""
    # Imported late: only an import of xlsx waits for it.
    import openpyxl  # noqa: PLC0415

    # Its warnings name no line; what is wrong with a cell is told of the line that needs it.
    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        try:
            is_empty = True
            for row in _sheet_rows(_sheet(book, path, sheet), is_header):
                is_empty = False
                yield row
            others = book.sheetnames[1:] if sheet is None else []
            if is_empty and others:
                raise UnreadableFileError(
                    f"the first sheet of {path}, {book.sheetnames[0]!r}, holds no line to import; name another with "
                    f"--sheet: {', '.join(others)}"
                )
        finally:
            book.close()
    except UnreadableFileError:
        raise
    except (zipfile.BadZipFile, ParseError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnreadableFileError(f"{path} cannot be read as xlsx: {error or type(error).__name__}") from error


def sheet_names(file: IO[bytes]) -> list[str]:
    """Return the names of an xlsx file's sheets, which could be read before."""
    import openpyxl  # noqa: PLC0415

    book = openpyxl.load_workbook(file, read_only=True)
    try:
        return [*book.sheetnames]
    finally:
        book.close()


def _sheet(book: Any, path: object, name: str | None) -> Any:
    if name is None:
        if not book.worksheets:
            raise UnreadableFileError(f"{path} has no sheet")
        return book.worksheets[0]
    if name not in book.sheetnames:
        raise UnreadableFileError(f"{path} has no sheet {name!r}; its sheets: {', '.join(book.sheetnames)}")
    return book[name]


def _sheet_rows(sheet: Any, is_header: IsHeader) -> Iterator[Row]:
    # Some programs write a size that is none.
    sheet.reset_dimensions()
    numbered = ((number, [_cell(value) for value in cells]) for number, cells in enumerate(sheet.values, 1))
    filled = ((number, cells) for number, cells in numbered if any(cell is not None for cell in cells))
    sample = [pair for _, pair in zip(range(_SAMPLE_ROWS), filled, strict=False)]
    if not sample:
        return
    start = find_header([_texts(cells) for _, cells in sample], is_header)
    header = unique_names(_texts(sample[start][1]))
    for number, cells in sample[start + 1 :]:
        yield from _one(number, cells, header)
    for number, cells in filled:
        yield from _one(number, cells, header)


def _one(number: int, cells: Sequence[Any], header: tuple[str, ...]) -> Iterator[Row]:
    padded = [*cells[: len(header)], *[None] * (len(header) - len(cells))]
    if not is_below_table(padded):
        text = ",".join("" if cell is None else str(cell) for cell in padded)
        yield Row(number, text, dict(zip(header, padded, strict=True)))


def _texts(cells: Sequence[Any]) -> list[str]:
    return ["" if cell is None else str(cell) for cell in cells]


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, int | float | date | datetime | bool) or value is None:
        return value
    return str(value)
