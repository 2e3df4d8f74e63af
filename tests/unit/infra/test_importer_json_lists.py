"""An object of JSON with several lists: which one is read is told, and how another is."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.tools.importer import json_rows
from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORDERS = [{"customer": f"c{number}", "date": "2026-01-05", "amount": 10} for number in range(3)]
PEOPLE = [{"id": number, "email": f"p{number}@x.y", "created": "2020-01-01"} for number in range(40)]


def read(folder: Path, content: Any, **options: Any) -> ReadFile:
    path = folder / "orders.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return read_file(path, now=NOW, **options)


@pytest.fixture(params=[100, 256 * 1024])
def _chunks(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(json_rows, "_CHUNK", request.param)


@pytest.mark.usefixtures("_chunks")
@pytest.mark.parametrize(
    "content",
    [
        {"customers": PEOPLE, "orders": ORDERS},
        {"orders": ORDERS, "customers": PEOPLE},
        {"items": [{"sku": "A", "stock": 5}], "bestellungen": ORDERS, "orders": []},
    ],
)
def test_the_others_are_told_with_their_entries(tmp_path: Path, content: dict[str, Any]) -> None:
    file = read(tmp_path, content)
    assert (file.figures.orders, file.figures.money) == (3, 30)
    name = "bestellungen" if "bestellungen" in content else "orders"
    assert f"the list '{name}' is read, and the file has others, of which --list=NAME reads one: " in file.said
    assert ("'items' (1 entry)" if name == "bestellungen" else "'customers' (40 entries)") in file.said


def test_a_list_that_is_named_is_read(tmp_path: Path) -> None:
    content = {"data": {"orders": ORDERS[:1], "archive": ORDERS}, "n": 5}
    assert read(tmp_path, content).figures.orders == 1
    for name in ("archive", "data.archive"):
        assert read(tmp_path, content, list_name=name).figures.orders == 3
    with pytest.raises(
        UnreadableFileError, match=r"no list 'no'; its lists: 'data.orders' \(1 entry\), 'data.archive'"
    ):
        read(tmp_path, content, list_name="no")


def test_an_object_that_is_a_record_may_have_a_list_that_is_named(tmp_path: Path) -> None:
    record = {"customer": "ann", "date": "2026-01-05", "amount": 7, "history": ORDERS}
    assert read(tmp_path, record).figures.money == 7
    assert read(tmp_path, record, list_name="history").figures.money == 30


def test_a_refusal_names_the_other_lists(tmp_path: Path) -> None:
    content = {"orders": [{"a": 1}], "rows": ORDERS}
    with pytest.raises(UnreadableFileError, match=r"--list=NAME reads one: 'rows' \(3 entries\)"):
        read(tmp_path, content)


def test_lists_of_all_pages_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "orders.json"
    page = json.dumps({"orders": ORDERS, "refunds": [{"id": 1}]})
    path.write_text(f"{page}\n{page}\n")
    file = read_file(path, now=NOW)
    assert (file.lines, "'refunds' (2 entries)" in file.said) == (6, True)


def test_an_only_list_is_told_without_others(tmp_path: Path) -> None:
    assert "--list" not in read(tmp_path, {"orders": ORDERS, "errors": []}).said


def test_another_list_may_be_longer_than_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_LONGEST", 300)
    monkeypatch.setattr(json_rows, "_CHUNK", 200)
    file = read(tmp_path, {"customers": PEOPLE, "orders": ORDERS})
    assert (file.figures.orders, file.rejects) == (3, [])
