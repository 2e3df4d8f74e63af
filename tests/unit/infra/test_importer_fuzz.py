"""Mutated files of each kind: every one is read, or refused with a sentence."""

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from infra.tools.importer.faults import UnreadableFileError
from tests.support.fuzzing import cases
from tests.support.imports import read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_HEADER = ["customer", "order", "date", "amount", "status", "note"]
_ROWS = [
    [
        f"C-{number % 7}",
        f"A-{number}",
        f"2026-01-{number % 28 + 1:02d} 10:00:00",
        f"{number}.50",
        "paid",
        'a "q", \u00e9',
    ]
    for number in range(1, 25)
]
_RECORDS = [dict(zip(_HEADER, row, strict=True)) for row in _ROWS]
_EVENTS = [
    {
        "customer_id": row[0],
        "event_type": "order_placed",
        "timestamp": row[2],
        "order_id": row[1],
        "order_value": row[3],
    }
    for row in _ROWS
]


def _csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    quoted = ['"' + cell.replace('"', '""') + '"' for row in [_HEADER, *_ROWS] for cell in row]
    width = len(_HEADER)
    lines = [delimiter.join(quoted[start : start + width]) for start in range(0, len(quoted), width)]
    return "\r\n".join(lines).encode(encoding)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", _csv())
    return buffer.getvalue()


def _xlsx() -> bytes:
    book = openpyxl.Workbook()
    for row in [_HEADER, *_ROWS]:
        book.worksheets[0].append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _parquet() -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(_RECORDS), buffer)
    return buffer.getvalue()


def _without_layers(pack: Callable[[], bytes]) -> Callable[[random.Random], bytes]:
    content = pack()
    return lambda chance: _mutated(content, chance)


_KINDS: dict[str, Callable[[random.Random], bytes]] = {
    "csv": _without_layers(_csv),
    "csv with semicolons": _without_layers(lambda: _csv(";", "cp1252")),
    "csv in UTF-16": _without_layers(lambda: _csv("\t", "utf-16")),
    "mutated csv in gzip": lambda chance: gzip.compress(_mutated(_csv(), chance)),
    "gzip": _without_layers(lambda: gzip.compress(_csv())),
    "zip": _without_layers(_zip),
    "xlsx": _without_layers(_xlsx),
    "parquet": _without_layers(_parquet),
    "JSON array": _without_layers(lambda: json.dumps(_RECORDS, indent=1).encode()),
    "JSON lines": _without_layers(lambda: "\n".join(map(json.dumps, _RECORDS)).encode()),
    "JSON events": _without_layers(lambda: "\n".join(map(json.dumps, _EVENTS)).encode()),
}
_ODD = (
    b"\x00",
    b"\xff",
    b"\n",
    b"\r",
    b'"',
    b",",
    b";",
    b"[",
    b"}",
    b"\xef\xbb\xbf",
    b"9" * 400,
    b"\xed\xa0\x80",
    b"1e999",
)


def _mutated(content: bytes, chance: random.Random) -> bytes:
    """Return the bytes with one to six of these: flipped, cut, cut out, doubled, exchanged, or odd ones put in."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        if not changed:
            break
        at, end = sorted(chance.randrange(len(changed) + 1) for _ in range(2))
        match chance.randrange(6):
            case 0:
                changed[at % len(changed)] ^= 1 << chance.randrange(8)
            case 1:
                del changed[max(at, 1) :]
            case 2:
                del changed[at : min(end, at + 40)]
            case 3:
                changed[at:at] = changed[at : min(end, at + 200)]
            case 4:
                changed[at:at] = chance.choice(_ODD)
            case _:
                part = changed[at : min(end, at + 60)]
                changed[at : at + len(part)] = part[::-1]
    return bytes(changed)


def _is_read_or_refused(path: Path, content: bytes, seed: int) -> None:
    path.write_bytes(content)
    try:
        file = read_file(path, now=NOW)
    except UnreadableFileError as error:
        sentence = str(error)
        assert len(sentence) > 20, (seed, sentence)
        assert "Traceback" not in sentence, (seed, sentence)
    else:
        assert "lines read" in file.said, seed
        assert all(reject.reason for reject in file.rejects), seed


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", _KINDS)
def test_mutated_files_end_with_a_sentence(tmp_path: Path, kind: str) -> None:
    for seed in range(cases("files") // len(_KINDS)):
        _is_read_or_refused(tmp_path / "export", _KINDS[kind](random.Random(seed)), seed)
