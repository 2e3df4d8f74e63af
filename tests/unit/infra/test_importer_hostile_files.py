"""Files that were made to break an import: a line costs itself alone, and a file that is none says why."""

import csv
import gzip
import json
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.tools.importer.column_words import SYNONYMS
from infra.tools.importer.columns import KINDS
from infra.tools.importer.command import write_rejects
from infra.tools.importer.export_format import Kind
from infra.tools.importer.faults import UnreadableFileError
from tests.support.hostile import any_json
from tests.support.imports import ReadFile as History
from tests.support.imports import read_file as read_history

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
_DIGITS = [1, 8, 9, 14, 19, 20, 64, 65, 308, 309, 400, 4299, 4300]
_TEXTS = [
    *("9" * digits for digits in _DIGITS),
    *("1" + "0" * 400 + ".0", "-9", "1e999", "-1e999", "nan", "inf", "\u0661\u0662", "\u00b2", "1_0", "0x1"),
    *("", " ", "true", "false", "null", "-", "0", "\u200b", "\u3164", "a\x00b", "\U0010ffff", "x" * 20_000),
    *("9999-12-31T23:59:59-14:00", "0001-01-01", "1970-01-01", "99999999", "00000000", "{", "[" * 3000, '{"a": NaN}'),
]
_GOOD: dict[Kind, dict[str, Any]] = {
    "orders": {"customer_id": "C-1", "timestamp": "2026-01-01", "order_value": "5", "order_id": "A-1"},
    "customers": {"customer_id": "C-1", "name": "Ann", "registered_at": "2026-01-01"},
    "events": {"customer_id": "C-1", "event_type": "login", "timestamp": "2026-01-01", "event_id": "e-1", "data": "{}"},
}
_FIELDS = [
    (kind, field)
    for kind in KINDS
    for field in (*SYNONYMS[kind], *(("event_id", "event_type", "data", "user_id") if kind == "events" else ()))
]


def _read(path: Path, kind: Kind) -> History:
    history = read_history(path, kind, now=NOW)
    # What was rejected can be written down, and the sentences are sentences.
    write_rejects(path.with_name("rejects.csv"), history.rejects)
    assert all(reject.reason and len(reject.reason) < 500 for reject in history.rejects)
    assert all(event.customer_id.isprintable() for event in history.events)
    for event in history.events:
        json.dumps(event.data, ensure_ascii=False).encode()
    return history


def _assert_the_good_line_came(history: History, lines: int) -> None:
    assert history.lines == lines
    assert "GOOD" in {event.customer_id for event in history.events}


@pytest.mark.parametrize(("kind", "field"), _FIELDS)
def test_no_text_in_a_csv_costs_more_than_its_line(tmp_path: Path, kind: Kind, field: str) -> None:
    path = tmp_path / "shop.csv"
    rows = [_GOOD[kind] | {field: text} for text in _TEXTS] + [_GOOD[kind] | {field: "", "customer_id": "GOOD"}]
    if field in {"customer_id", "timestamp", "order_value", "event_type"}:
        rows[-1] = _GOOD[kind] | {"customer_id": "GOOD"}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys([*_GOOD[kind], field])))
        writer.writeheader()
        writer.writerows(rows)
    _assert_the_good_line_came(_read(path, kind), len(rows))


_GOOD_LINE = '{"customer_id": "GOOD", "timestamp": "2026-01-01", "order_value": 5}'


def _nested(depth: int) -> str:
    return "[" * depth + "]" * depth


_VALUES = [
    *(json.dumps(text) for text in _TEXTS),
    *("9" * digits for digits in [*_DIGITS, 4301]),
    *("1e308", "1e309", "NaN", "Infinity", "true", "false", "null", "12345.0", "12345.5", "-0.0"),
    *(_nested(depth) for depth in (1, 49, 60, 900, 5000, 100_000)),
    *('{"a": 1}', '{"\\ud800": "\\udfff"}', '"\\ud800"', '"a\\udc80"', '["a"]'),
]


@pytest.mark.parametrize(("kind", "field"), _FIELDS)
def test_no_json_costs_more_than_its_line(tmp_path: Path, kind: Kind, field: str) -> None:
    path = tmp_path / "shop.jsonl"
    good = {name: value for name, value in _GOOD[kind].items() if name != field}
    lines = [json.dumps(good)[:-1] + f', "{field}": {value}}}' for value in _VALUES]
    lines += [f'{{"{field}\\ud800": {value}}}' for value in _VALUES]
    lines.append(json.dumps(_GOOD[kind] | {"customer_id": "GOOD"}))
    path.write_text("\n".join(lines), encoding="utf-8")
    _assert_the_good_line_came(_read(path, kind), len(lines))


_JSON = any_json(6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(kind=st.sampled_from(KINDS), data=st.data())
def test_any_lines_are_read_or_rejected(tmp_path: Path, kind: Kind, data: st.DataObject) -> None:
    fields = [field for of_kind, field in _FIELDS if of_kind == kind] + list(_GOOD[kind])
    rows = data.draw(st.lists(st.dictionaries(st.sampled_from(fields), _JSON, max_size=6), min_size=1, max_size=4))
    path = tmp_path / "shop.jsonl"
    # With one good line: a whole column of times that no shop has is a question.
    path.write_text("\n".join(json.dumps(_GOOD[kind] | row) for row in [{}, *rows]), encoding="utf-8")
    assert _read(path, kind).lines == 1 + len(rows)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS),
    content=st.binary(max_size=300),
    suffix=st.sampled_from(["csv", "jsonl", "csv.gz", "parquet"]),
)
def test_any_bytes_are_a_file_or_refused(tmp_path: Path, kind: Kind, content: bytes, suffix: str) -> None:
    path = tmp_path / f"shop.{suffix}"
    path.write_bytes(content)
    try:
        _read(path, kind)
    except UnreadableFileError as error:
        assert str(error)  # noqa: PT017  (either way is right)


def test_a_damaged_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv.gz"
    whole = gzip.compress(b"customer,date,value\n" + b"ann,2026-01-01,1\n" * 5000)
    path.write_bytes(whole[:30] + b"\xff" * 40 + whole[70:])
    with pytest.raises(UnreadableFileError, match="cannot be read"):
        read_history(path, now=NOW)


@pytest.mark.parametrize(
    ("header", "shown"),
    [(b"customer,date,betr\xe4ge\n", "betr\u00e4ge"), (b"whose,date," + b"x" * 140_000 + b"\n", "xxx")],
)
def test_a_header_without_a_value_is_shown(tmp_path: Path, header: bytes, shown: str) -> None:
    path = tmp_path / "shop.csv"
    path.write_bytes(header + b"ann,2026-01-01,1\n")
    with pytest.raises(UnreadableFileError, match=f"there is no column for .*order_value among .*{shown}") as refused:
        read_history(path, "orders", now=NOW)
    assert len(str(refused.value)) < 2000


def test_bytes_in_parquet_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    rows = [{"customer_id": name, "date": "2026-01-01", "value": 1.0} for name in (b"ann", b"j\xfcrg")]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "shop.parquet")
    history = _read(tmp_path / "shop.parquet", "orders")
    assert [event.customer_id for event in history.events] == ["ann"]
    assert [reject.line for reject in history.rejects] == [2]


_FAR = 253_402_300_800


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (pyarrow.timestamp("s"), _FAR),
        (pyarrow.timestamp("ms", tz="UTC"), _FAR * 1000),
        (pyarrow.timestamp("ms", tz="Nowhere/Known"), _FAR * 1000),
        (pyarrow.timestamp("ms"), -(10**14)),
        (pyarrow.date32(), 4_000_000),
    ],
)
def test_a_time_of_parquet_that_no_calendar_has_costs_its_line_if_it_is_needed(
    tmp_path: Path, kind: pyarrow.DataType, count: int
) -> None:
    path = tmp_path / "shop.parquet"
    soon = [1, 2, None] if kind == pyarrow.date32() else [1_767_225_600, 1_767_312_000, None]
    columns = {
        "customer_id": pyarrow.array(["ann", "ben", "GOOD"]),
        "timestamp": pyarrow.array(["2026-01-01", "2026-01-02", "2026-01-03"]),
        "order_value": pyarrow.array([1.0, 2.0, 3.0]),
    }
    far = pyarrow.array([count, *soon[1:]], type=kind)
    pyarrow.parquet.write_table(pyarrow.table(columns | {"valid_until": far}), path)
    assert [event.customer_id for event in _read(path, "orders").events] == ["GOOD", "ann", "ben"]

    far = pyarrow.array([count, 20_000 if kind == pyarrow.date32() else 0, None], type=kind)
    pyarrow.parquet.write_table(pyarrow.table(columns | {"cancelled": far}), path)
    assert 1 in [reject.line for reject in _read(path, "orders").rejects]


def test_a_time_of_xlsx_that_no_calendar_has_costs_its_line_alone(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["customer_id", "timestamp", "order_value", "valid_until"])
    for name, at, until in (("ann", 1e300, 46_000), ("GOOD", 46_000, 99_999_999), ("ben", -1e9, None)):
        sheet.append([name, at, 5, until])
    for row in sheet.iter_rows(min_row=2):
        row[1].number_format = row[3].number_format = "yyyy-mm-dd"
    book.save(tmp_path / "shop.xlsx")
    with warnings.catch_warnings(record=True) as told:
        history = _read(tmp_path / "shop.xlsx", "orders")
    assert [event.customer_id for event in history.events] == ["GOOD"]
    assert [reject.line for reject in history.rejects] == [2, 4]
    assert not told


def test_a_number_that_is_no_time_is_told_in_plain_words(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    far = ",".join((_GOOD_LINE[:-1], f' "valid_until": {10**400}}}'))
    path.write_text(f'{far}\n{{"customer_id": "ann", "timestamp": {10**400}, "order_value": 1}}\n')
    history = _read(path, "orders")
    assert [event.customer_id for event in history.events] == ["GOOD"]
    assert [reject.reason for reject in history.rejects] == [
        "timestamp: is outside the range of times that can be stored"
    ]


def test_a_line_of_json_without_a_named_column_costs_itself(tmp_path: Path) -> None:
    path = tmp_path / "shop.jsonl"
    path.write_text('{"Kunde": "ann", "date": "2026-01-01", "value": 1}\n{"date": "2026-01-01", "value": 1}\n')
    history = read_history(path, now=NOW, columns={"customer_id": "Kunde"})
    assert [event.customer_id for event in history.events] == ["ann"]
    assert [reject.line for reject in history.rejects] == [2]
