"""A line that does not end costs itself alone, and no more memory than others."""

import gzip
import io
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer import json_rows, json_tables, long_lines, tables
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.long_lines import lines_beyond_ascii, lines_of
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADER = b"customer,date,amount\n"
ROWS = b"ann,2026-01-05,10\nbob,2026-01-06,5\n"
MEGABYTES = 40


def read(folder: Path, content: bytes) -> ReadFile:
    path = folder / "orders.gz"
    path.write_bytes(gzip.compress(content, 1))
    return read_file(path, now=NOW)


def refused(folder: Path, content: bytes) -> str:
    with pytest.raises(UnreadableFileError) as error:
        read(folder, content)
    return str(error.value)


LONG = b"x" * 1_500_000


@pytest.mark.parametrize("long", [LONG, b"a," * 700_000, b'"' + LONG, "\u00e9".encode() * 1_100_000, LONG + b"\r"])
def test_a_line_that_is_too_long_costs_itself_alone(tmp_path: Path, long: bytes) -> None:
    file = read(tmp_path, HEADER + ROWS + long + b"\n" + ROWS.replace(b"a", b"c"))
    assert (file.figures.orders, file.lines) == (4, 5)
    [reject] = file.rejects
    assert (reject.line, reject.reason, len(reject.text)) == (4, "is longer than 1,048,576 characters", 200)


def test_a_quote_that_is_never_closed_takes_no_more_than_a_long_line(tmp_path: Path) -> None:
    file = read(tmp_path, HEADER + b'"cleo,2026-01-07,1\n' + (b"y" * 900_000 + b"\n") * 3 + ROWS)
    assert (file.figures.orders, len(file.rejects)) == (2, 4)
    assert "quotes do not match" in file.rejects[0].reason


def test_a_file_of_one_long_line_is_refused_with_a_sentence(tmp_path: Path) -> None:
    assert "there is no line of a table: line 1 is longer than 1,048,576 characters" in refused(tmp_path, LONG)
    assert "line 1 is longer than 1,048,576 characters: is that the header?" in refused(
        tmp_path, b"customer,date,amount," + b"x," * 700_000 + b"\n" + ROWS
    )


@pytest.mark.parametrize("begin", [b"", b"["])
def test_a_value_of_json_that_is_too_long_costs_itself_alone(tmp_path: Path, begin: bytes) -> None:
    order = b'{"customer": "ann", "date": "2026-01-05", "amount": 10}\n'
    between, end = (b",", b"]") if begin else (b"", b"")
    long = b'{"customer": "' + b"x" * 5_000_000 + b'"}\n'
    file = read(tmp_path, begin + between.join([order, long, order.replace(b"ann", b"bob")]) + end)
    assert file.figures.orders == 2
    assert [(reject.line, reject.reason) for reject in file.rejects] == [(2, "is longer than 4,194,304 characters")]


def test_an_array_on_one_line_may_be_longer_than_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_LONGEST", 300)
    monkeypatch.setattr(json_rows, "_CHUNK", 200)
    orders = [{"customer": f"c{number}", "date": "2026-01-05", "amount": 5} for number in range(100)]
    assert read(tmp_path, json.dumps(orders).encode()).figures.orders == 100


@pytest.mark.parametrize("begin", [b"", HEADER + ROWS, HEADER + b'"', b'{"a": "', b'[{"a": "'])
def test_memory_does_not_grow_with_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(json_tables, "_LONGEST", 4 * 1024 * 1024)
    path = tmp_path / "orders.gz"
    with gzip.open(path, "wb", 1) as file:
        file.write(begin)
        for _ in range(MEGABYTES):
            file.write(b"x" * 1_000_000)
        file.write(b"\n")
    tracemalloc.start()
    try:
        read_file(path, now=NOW)
    except UnreadableFileError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < MEGABYTES * 1_000_000


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", ""])
def test_lines_are_those_of_the_text_but_for_long_ones(end: str) -> None:
    text = end.join(["a", "b" * 9, "c" * 10, "d" * 11, "e" * 200_000, "f", ""])
    lines = [line.rstrip("\r\n") for line in lines_of(io.StringIO(text, newline=""), 10)]
    whole = ["a", "b" * 9, "c" * 10, "d" * 11, "e" * 11, "f"]
    assert lines == (whole if end else [text[:11]])


def test_pieces_divide_no_character(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_lines, "_PIECE", 7)
    content = "a\u00e9\u20ac\U0001f600\n".encode() * 3 + "\u20ac\u00e9\U0001f600".encode() * 20
    pieces = [*lines_beyond_ascii(io.BytesIO(b"plain\n" * 50 + content))]
    assert b"".join(pieces) == content
    assert max(map(len, pieces)) <= 20
    assert all(piece.decode() for piece in pieces)


def test_blocks_hold_few_long_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_MOST_OF_A_BLOCK", 100)
    monkeypatch.setattr(tables, "_TAKEN_AT_ONCE", 3)
    rows = b"".join(b"c%d,2026-01-05,%d\n" % (number, number) for number in range(1, 100))
    file = read(tmp_path, HEADER + rows)
    assert (file.figures.orders, file.figures.money) == (99, 4950)
