"""The records of a source as an import of a kind reads them."""

from collections.abc import Iterator, Sequence

from infra.tools.importer.export_format import Kind
from infra.tools.importer.json_rows import flat
from infra.tools.importer.readers import Source
from infra.tools.importer.rows import Block, Row


def header_of(source: Source) -> Sequence[str]:
    """Return the columns of a table, or of the first record where each has its own."""
    if source.header is not None:
        return source.header
    first = next((row.values for row in source.rows() if row.values is not None), {})
    return tuple(flat(first))


def records_of(source: Source, kind: Kind) -> Iterator[Row | Block]:
    """Yield a file's records; of JSON and Parquet, what is nested in an order or a customer becomes columns."""
    may_nest = source.is_json or source.content.shape == "parquet"
    if not may_nest or kind == "events":
        yield from source.records()
        return
    for row in source.rows():
        nested = row.values is not None and any(isinstance(value, dict | list) for value in row.values.values())
        yield Row(row.line, row.text, flat(row.values)) if nested and row.values is not None else row
