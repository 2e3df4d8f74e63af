"""Digits of other scripts stand for those of ASCII, in numbers and times."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer.faults import DoubtError
from infra.tools.importer.numbers import read_number
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ARABIC = str.maketrans("0123456789", "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669")
PERSIAN = str.maketrans("0123456789", "\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9")
DEVANAGARI = str.maketrans("0123456789", "\u0966\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e\u096f")
FULL_WIDTH = str.maketrans(
    "0123456789.,:/-", "\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff0e\uff0c\uff1a\uff0f\uff0d"
)
SCRIPTS = [ARABIC, PERSIAN, DEVANAGARI, FULL_WIDTH]
# Signs for decimals and for thousands.
ARABIC_SIGNS = str.maketrans(".,", "\u066b\u066c")


def read(folder: Path, *lines: str) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text("customer;date;amount\n" + "\n".join(lines), encoding="utf-8")
    return read_file(path, now=NOW)


def amounts(folder: Path, *cells: str) -> list[float]:
    file = read(folder, *(f"c{number};2026-01-05;{cell}" for number, cell in enumerate(cells, 10)))
    assert not file.rejects
    return [event.data["order_value"] for event in file.events]


@pytest.mark.parametrize("script", SCRIPTS)
def test_digits_of_other_scripts_write_amounts(tmp_path: Path, script: dict[int, int]) -> None:
    assert amounts(tmp_path, *(text.translate(script) for text in ("1,234.50", "12.5", "950"))) == [1234.5, 12.5, 950]


@pytest.mark.parametrize("script", [ARABIC, PERSIAN])
def test_the_arabic_signs_divide_decimals_and_thousands_alone(tmp_path: Path, script: dict[int, int]) -> None:
    cells = [text.translate(ARABIC_SIGNS).translate(script) for text in ("1,234", "1,234.5", "12.750")]
    assert amounts(tmp_path, *cells) == [1234, 1234.5, 12.75]
    assert amounts(tmp_path, *cells, "1.234,50") == [1234, 1234.5, 12.75, 1234.5]
    assert amounts(tmp_path, *cells, "1,234.50") == [1234, 1234.5, 12.75, 1234.5]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\u0661\u066c\u0662\u0663\u0664\u066b\u0665\u0660 \u062c.\u0645.\u200f", 1234.5),
        ("\u0631.\u0633.\u200f \u0661\u0662\u066b\u0665", 12.5),
        ("\u06f1\u06f2\u066c\u06f0\u06f0\u06f0 \u062a\u0648\u0645\u0627\u0646", 12000),
        ("\u061c-\u0665\u066b\u0665", -5.5),
    ],
)
def test_currencies_in_arabic_stand_beside_amounts(text: str, expected: float) -> None:
    assert read_number(text, ".") == expected


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05", "2026-01-05T00:00:00"),
        ("2026-01-05 10:30:00", "2026-01-05T10:30:00"),
        ("2026/1/5 10:30", "2026-01-05T10:30:00"),
        ("25/01/2026 10:30", "2026-01-25T10:30:00"),
        ("1767609000", "2026-01-05T10:30:00"),
        ("20260105", "2026-01-05T00:00:00"),
    ],
)
def test_digits_of_other_scripts_write_times(tmp_path: Path, script: dict[int, int], text: str, expected: str) -> None:
    file = read(tmp_path, f"ann;{text.translate(script)};1", f"bob;{text};1")
    assert [event.timestamp.isoformat()[:19] for event in file.events] == [expected, expected]


def test_what_browsers_write_in_arabic_is_a_time(tmp_path: Path) -> None:
    text = "25\u200f/1\u200f/2026\u060c 10:30:00 ".translate(ARABIC)
    file = read(tmp_path, f"ann;{text}\u0635;1", f"bob;{text}\u0645;1")
    assert [event.timestamp.isoformat()[:19] for event in file.events] == ["2026-01-25T10:30:00", "2026-01-25T22:30:00"]


def test_a_day_or_month_in_doubt_is_one_in_every_script(tmp_path: Path) -> None:
    with pytest.raises(DoubtError, match="can be read in two ways") as doubt:
        read(tmp_path, f"ann;{'05/01/2026'.translate(ARABIC)};1")
    assert "5 January 2026" in str(doubt.value)
    with pytest.raises(DoubtError, match="can be read in two ways") as doubt:
        amounts(tmp_path, "1,234".translate(ARABIC))
    assert "1.234" in str(doubt.value)
