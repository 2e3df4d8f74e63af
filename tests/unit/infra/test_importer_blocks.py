"""Many rows of a table that are read at once come to the very same as each row read by itself."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.tools.importer import tables
from infra.tools.importer.events import _CANONICAL, digest
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.order_blocks import BlockReader
from infra.tools.importer.readers import Source
from infra.tools.importer.rows import Block, Row
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_COLUMNS = {
    "customer": ["ann", "bob", "12", "007", "Zo\u00eb", "null", "", " ann ", "'1", "1.5E+9", "a@b.example"],
    "order": ["1", "22", "A-3", "", "0", "007", "4.0", "9" * 70],
    "date": ["2026-01-05 10:00:00", "2026-01-05T10:00:59", "2026-02-01", "2026-02-01 10+01:00", "", "05.01.2026"],
    "amount": ["1.50", "20", "0", "-3.00", "1e400", "", "x", "2,50", "1.234"],
    "qty": ["1", "", "2.0", "many", "-1"],
    "discount": ["", "0", "1.5", "SPRING"],
    "status": ["", "paid", "Cancelled", "draft", "what"],
    "currency": ["EUR", "usd", ""],
}
# Each cell is mostly an ordinary one, so that there are blocks without anything peculiar.
_CELLS = {name: st.one_of(*[st.just(cells[0])] * 6, st.sampled_from(cells)) for name, cells in _COLUMNS.items()}


@st.composite
def _tables(draw: st.DrawFn) -> str:
    names = draw(st.lists(st.sampled_from([*_CELLS]), unique=True).map(lambda some: ["customer", "date", *some]))
    names = [*dict.fromkeys(names)]
    rows = draw(st.lists(st.tuples(*(_CELLS[name] for name in names)), min_size=1, max_size=12))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    odd = draw(st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["Total,5", '"open,1', "", ",,,", "a,b"]))))
    lines = [",".join(row) for row in rows]
    for place, line in odd if len(odd) < 3 else []:
        lines.insert(place, line)
    return end.join([",".join(names), *lines, ""])


def _outcome(path: Path) -> object:
    try:
        read: ReadFile = read_file(path, now=NOW)
    except UnreadableFileError as error:
        return str(error)
    events = [(event, event.sent_ids) for event in read.events]
    return events, read.rejects, read.tally, read.figures, read.said, read.columns, read.line


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(_tables())
def test_a_block_is_read_as_its_rows_are(tmp_path: Path, text: str) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "_LINES_OF_A_BLOCK", 3)
        in_blocks = _outcome(path)
        patch.setattr(Source, "records", lambda source: (row for one in _records(source) for row in one))
        assert in_blocks == _outcome(path)


_records_of = Source.records


def _records(source: Source) -> Iterator[Iterable[Row]]:
    for record in _records_of(source):
        yield record.rows() if isinstance(record, Block) else [record]


def test_ordinary_rows_are_read_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "orders.csv"
    rows = "".join(f"c{n % 7},{n},2026-01-05 10:00:00,{n}.50,paid\n" for n in range(1, 2500))
    path.write_text("customer,order,date,amount,status\n" + rows + "ann,9000,2026-01-06,5,cancelled\n")
    lines: list[int] = []
    read = BlockReader.read

    def counted(reader: BlockReader, block: Block) -> object:
        found = read(reader, block)
        lines.append(0 if found is None else len(found[0]))
        return found

    monkeypatch.setattr(BlockReader, "read", counted)
    file = read_file(path, now=NOW)
    assert lines == [1000, 1000, 499]
    assert (file.figures.orders, file.figures.cancelled, file.lines, file.rejects) == (2499, 1, 2500, [])


@given(st.lists(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.binary())))
def test_the_identifier_of_a_content_is_that_of_its_json(content: list[object]) -> None:
    assert digest(content) == hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()[:40]
