"""Bytes before cells: encodings, compression, archives and layouts, found by content and not by the file's ending."""

import bz2
import csv
import gzip
import io
import json
import lzma
import tempfile
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest

from infra.tools.importer.faults import DoubtError, UnreadableFileError
from infra.tools.importer.history import Options
from infra.tools.importer.parser import read_history
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TEXT = "customer,date,amount,note\nann,2026-01-05,10.50,\u00e9t\u00e9\nbob,2026-01-06,20,na\u00efve\n"


def read(folder: Path, content: bytes, name: str = "export.bin", **options: object) -> ReadFile:
    path = folder / name
    path.write_bytes(content)
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def assert_both_orders(file: ReadFile) -> None:
    assert not file.rejects
    assert [(event.customer_id, event.data["order_value"]) for event in file.events] == [("ann", 10.5), ("bob", 20)]


def zipped(content: bytes, *others: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("orders.csv", content)
        for name in others:
            archive.writestr(name, b"x")
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["csv", "txt", "xls", "json", "gz", "parquet", ""])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_is_found_whatever_the_ending(tmp_path: Path, encoding: str, ending: str) -> None:
    assert_both_orders(read(tmp_path, TEXT.encode(encoding), f"export.{ending}"))


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("cp1250", "Wa\u0142\u0119sa"),
        ("cp1250", "\u017b\u00f3\u0142w"),
        ("cp1250", "Ji\u0159\u00ed Dvo\u0159\u00e1k, Pl\u017ee\u0148"),
        ("cp1252", "J\u00fcrgen M\u00f6\u00df"),
        ("cp1252", "Fran\u00e7ois \u0152uvre 5 \u20ac"),
        ("cp1252", "Se\u00f1or Mu\u00f1oz \u00bfqu\u00e9?"),
        ("cp1252", "Gu\u00f0r\u00fan \u00de\u00f3rsd\u00f3ttir"),
        ("cp1254", "Ay\u015fe \u00c7a\u011flar"),
        ("utf-8", "Ji\u0159\u00ed"),
    ],
)
def test_letters_of_windows_are_read_as_they_were_written(tmp_path: Path, encoding: str, name: str) -> None:
    file = read(tmp_path, f'customer,date,amount\n"{name}",2026-01-05,1\n'.encode(encoding))
    assert [event.customer_id for event in file.events] == [name]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1251", ("\u041c\u043e\u0441\u043a\u0432\u0430", "\u0410\u043d\u043d\u0430")),
        ("koi8-r", ("\u041c\u043e\u0441\u043a\u0432\u0430", "\u0410\u043d\u043d\u0430")),
        ("cp1253", ("\u0393\u03b9\u03ce\u03c1\u03b3\u03bf\u03c2", "\u039c\u03b1\u03c1\u03af\u03b1")),
        ("cp1255", ("\u05de\u05e9\u05d4", "\u05d3\u05d5\u05d3")),
        ("cp1256", ("\u0627\u0644\u0642\u0627\u0647\u0631\u0629", "\u0639\u0644\u064a")),
        ("cp874", ("\u0e2a\u0e21\u0e0a\u0e32\u0e22", "\u0e01\u0e23\u0e38\u0e07\u0e40\u0e17\u0e1e")),
        ("cp932", ("\u7530\u4e2d\u592a\u90ce", "\u30e4\u30de\u30c0", "\u6771\u4eac\u90fd")),
        ("euc-jp", ("\u7530\u4e2d\u592a\u90ce", "\u30b9\u30ba\u30ad")),
        ("gb18030", ("\u5317\u4eac\u5e02", "\u738b\u4f1f")),
        ("big5", ("\u738b\u5c0f\u660e", "\u9673\u7f8e\u73b2")),
        ("cp949", ("\uae40\ucca0\uc218", "\uc11c\uc6b8\uc2dc")),
    ],
)
def test_text_of_other_scripts_is_refused_with_the_encodings_that_it_may_be_in(
    tmp_path: Path, encoding: str, names: tuple[str, ...]
) -> None:
    content = "customer,date,amount\n" + "".join(f"{name},2026-01-05,1\n" for name in names)
    with pytest.raises(DoubtError, match=rf"{names[0]}' \(\w+\) with --encoding={encoding}"):
        read(tmp_path, content.encode(encoding))
    file = read(tmp_path, content.encode(encoding), encoding=encoding)
    assert {event.customer_id for event in file.events} == set(names)


def test_an_encoding_can_be_named(tmp_path: Path) -> None:
    file = read(tmp_path, "customer,date,amount\n\u0416\u0430\u043d,2026-01-05,1\n".encode("cp1251"), encoding="cp1251")
    assert [event.customer_id for event in file.events] == ["\u0416\u0430\u043d"]


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"])
def test_lines_end_as_on_any_system(tmp_path: Path, ends: str) -> None:
    assert_both_orders(read(tmp_path, TEXT.replace("\n", ends).encode()))


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zipped, lambda content: gzip.compress(zipped(content))],
    ids=["gzip", "bzip2", "xz", "zip", "zip in gzip"],
)
def test_compression_comes_off(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    assert_both_orders(read(tmp_path, pack(TEXT.encode())))


def test_what_a_mac_adds_to_a_zip_is_no_file(tmp_path: Path) -> None:
    assert_both_orders(read(tmp_path, zipped(TEXT.encode(), "__MACOSX/._orders.csv", "x/.DS_Store")))


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ","])
@pytest.mark.parametrize("before", ["", "sep={}\n", "Orders of the shop\n\n", "\n\n", '"Report, of; all|orders"\n'])
def test_delimiters_titles_and_totals(tmp_path: Path, delimiter: str, before: str) -> None:
    rows = [["customer", "date", "amount", "note"], ["ann", "2026-01-05", "10.50", "a,b;c,d,e,f,g,h|i"]]
    rows += [["bob", "2026-01-06", "20", 'a "quote"'], ["", "", "", ""], ["Total", "", "30.50", ""]]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL).writerows(rows)
    file = read(tmp_path, (before.format(delimiter) + buffer.getvalue() + "\n\n").encode())
    assert_both_orders(file)


def test_delimiters_within_quotes_are_not_counted(tmp_path: Path) -> None:
    text = '"Name, first; and, last, or, so"|customer|date|amount\n'
    text += '"Lee, Ann, Ms., dr."|ann|2026-01-05|10.5\nx|bob|2026-01-06|20\n'
    assert_both_orders(read(tmp_path, text.encode()))


def workbook(**sheets: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


ROWS: list[list[object]] = [
    ["Orders of January"],
    [],
    ["customer", "order", "date", "amount"],
    ["ann", 17.0, datetime(2026, 1, 5, 10, 30), 10.5],  # noqa: DTZ001
    ["bob", 18, "2026-01-06", 20],
    ["Total", None, None, 30.5],
]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_first_sheet_of_xlsx_is_read_or_the_one_that_is_named(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    file = read(tmp_path, pack(workbook(Jan=ROWS, Notes=[["x"]])))
    assert_both_orders(file)
    assert [event.order_id for event in file.events] == ["17", "18"]
    assert "the first sheet of 2 was read; --sheet names another: 'Notes'" in file.said
    assert file.events[0].timestamp == datetime(2026, 1, 5, 10, 30, tzinfo=UTC)
    content = pack(workbook(Notes=[["x"]], Jan=ROWS))
    named = read(tmp_path, content, sheet="Jan")
    assert_both_orders(named)
    assert "sheet of" not in named.said
    with pytest.raises(UnreadableFileError, match="its sheets: Notes, Jan"):
        read(tmp_path, content, sheet="Feb")


ORDERS = [
    {
        "id": "1",
        "customer": {"id": "ann", "email": "a@x.example"},
        "date": "2026-01-05",
        "amount": 10.5,
        "items": [1, 2],
    },
    {"id": "2", "customer": {"id": "bob", "email": "b@x.example"}, "date": "2026-01-06", "amount": 20, "items": []},
]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ORDERS),
        json.dumps(ORDERS, indent=2),
        json.dumps({"orders": ORDERS}, indent=1),
        "\n".join(map(json.dumps, ORDERS)),
        "\n".join(json.dumps(one, indent=1) for one in ORDERS),
        "[\n" + ",\n".join(map(json.dumps, ORDERS)) + "\n]\n",
        "\ufeff" + json.dumps(ORDERS),
    ],
    ids=["array", "indented", "wrapped", "lines", "indented values", "a line each", "with a mark"],
)
def test_json_in_any_layout(tmp_path: Path, text: str) -> None:
    assert_both_orders(read(tmp_path, text.encode()))
    assert_both_orders(read(tmp_path, text.encode("utf-16")))


def test_an_element_that_is_none_costs_itself(tmp_path: Path) -> None:
    lines = [json.dumps(ORDERS[0]), '{"id": "3", broken}', json.dumps(ORDERS[1])]
    file = read(tmp_path, ("[\n" + ",\n".join(lines) + "\n]").encode())
    assert [event.customer_id for event in file.events] == ["ann", "bob"]
    assert [(reject.line, reject.reason) for reject in file.rejects] == [(3, "is not JSON")]


@pytest.mark.parametrize(
    "text", [json.dumps(ORDERS)[:-1], json.dumps({"orders": ORDERS})[:-2], json.dumps(ORDERS)[:-1] + ","]
)
def test_json_that_is_cut_off_says_so(tmp_path: Path, text: str) -> None:
    file = read(tmp_path, text.encode())
    assert [event.customer_id for event in file.events] == ["ann", "bob"]
    assert [reject.reason for reject in file.rejects] == ["the file ends before its array does: it may be cut off"]


def test_an_array_behind_another_is_read(tmp_path: Path) -> None:
    arrays = [json.dumps([one], indent=1) for one in ORDERS]
    assert_both_orders(read(tmp_path, "\n".join(arrays).encode()))


@pytest.mark.parametrize("kind", ["xlsx", "parquet"])
def test_what_is_unpacked_has_no_name_on_disk(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed, scratch = tmp_path / "packed", tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    rows = [{"customer": "ann", "order": "1", "date": "2026-01-05", "total": 10.0}]
    if kind == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "plain")
        plain = (tmp_path / "plain").read_bytes()
    else:
        plain = workbook(orders=[[*rows[0]], [*rows[0].values()]])
    packed.write_bytes(gzip.compress(plain))
    with read_history(packed, Options(), now=datetime.now(UTC)) as history:
        # Whatever ends the process now, nothing of the shop's customers is left behind.
        assert [*scratch.iterdir()] == []
        assert [event.customer_id for event in history.events()] == ["ann"]


def test_packed_parquet_is_read(tmp_path: Path) -> None:
    rows = [{"customer": "ann", "date": NOW, "amount": 10.5}, {"customer": "bob", "date": NOW, "amount": 20.0}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "x")
    assert_both_orders(read(tmp_path, zipped((tmp_path / "x").read_bytes())))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "holds no line to import"),
        (b"\n\n  \n", "holds no line to import"),
        (b"%PDF-1.7", "is a PDF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel file"),
        (zipped(b"a", "b.csv"), "holds 2 files"),
        (zipped(TEXT.encode())[:-30], "cannot be read"),
        (gzip.compress(TEXT.encode())[:-12], "cannot be read"),
        (b"PAR1 is no parquet", "is not Parquet"),
        (workbook(A=[["x"]])[:2000], "cannot be read"),
        (b"<html><body>Please sign in</body></html>", "web page"),
        (bytes(range(256)) * 4, "there is no column|is neither"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableFileError, match=sentence):
        read(tmp_path, content)


def test_letters_of_dos_are_a_doubt_with_both_readings(tmp_path: Path) -> None:
    text = "customer,date,amount\nM\u00fcller,2026-01-05,1\n\u00d6zil,2026-01-06,2\nWei\u00df,2026-01-07,3\n"
    path = tmp_path / "orders.csv"
    path.write_bytes(text.encode("cp850"))
    with pytest.raises(DoubtError, match=r"'M\u00fcller' with --encoding=cp850 \(DOS\)"):
        read_file(path, now=NOW)
    file = read_file(path, now=NOW, encoding="cp850")
    assert {event.customer_id for event in file.events} == {"M\u00fcller", "\u00d6zil", "Wei\u00df"}
    path.write_bytes((text + "\u201equoted\u201d,2026-01-08,4\n").encode("cp1252"))
    assert read_file(path, now=NOW).figures.orders == 4
