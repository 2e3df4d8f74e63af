"""Lists as Parquet: the columns of the CSV, with types, and texts as they are."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints, is_typeddict

import pyarrow
import pyarrow.parquet

from churn.services.csv_files import ListFile

# A group of rows is what memory holds: the columns of so many, each with its statistics.
_ROWS_PER_GROUP = 20_000
_INSTANT = pyarrow.timestamp("us", "UTC")
_TYPES = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64(), bool: pyarrow.bool_()}


def write_parquet(path: Path, file: ListFile, answer: type, items: Iterable[Mapping[str, object]]) -> int:
    """Write the items of a list, whose type in answers is `answer`; return how many there were."""
    schema = _schema(file, answer)
    number, rows = 0, []
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for item in items:
            rows.append(file.row(item))
            number += 1
            if len(rows) == _ROWS_PER_GROUP:
                writer.write_table(_table(rows, schema))
                rows.clear()
        writer.write_table(_table(rows, schema))
    return number


def _table(rows: list[list[object]], schema: Any) -> Any:
    columns = zip(*rows, strict=True) if rows else ((),) * len(schema)
    return pyarrow.Table.from_arrays(
        [
            pyarrow.array(map(_instant, values) if field.type == _INSTANT else values, field.type)
            for values, field in zip(columns, schema, strict=True)
        ],
        schema=schema,
    )


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _schema(file: ListFile, answer: type) -> Any:
    hints = _columns(answer)
    return pyarrow.schema([(column, _type_of(hints[column])) for column in file.columns])


def _columns(answer: type, prefix: str = "") -> dict[str, Any]:
    """Return the types of an answer's fields by the names of their columns, as `ListFile.row` makes them."""
    columns: dict[str, Any] = {}
    for name, hint in get_type_hints(answer, include_extras=True).items():
        kind = _without_none(hint)
        columns |= _columns(kind, f"{prefix}{name}_") if is_typeddict(kind) else {f"{prefix}{name}": kind}
    return columns


def _without_none(hint: Any) -> Any:
    options = get_args(hint)
    return next(option for option in options if option is not NoneType) if NoneType in options else hint


def _type_of(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        is_instant = kind.__metadata__[0].get("format") == "date-time"
        return _INSTANT if is_instant else _type_of(kind.__origin__)
    # A choice is a text, and so is a list of texts.
    return _TYPES.get(kind, pyarrow.string())
