"""By the column and not by the cell: decimal signs, days and months, currencies, times."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.timestamps import from_millis
from infra.tools.importer.faults import BadRowError, DoubtError
from infra.tools.importer.numbers import NumberSurvey, read_number
from infra.tools.importer.times import TimeReader
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def amounts(folder: Path, *cells: str, **options: object) -> list[float]:
    lines = [f'c{number};2026-01-01;"{cell}"' for number, cell in enumerate(cells, 10)]
    return [
        event.data["order_value"]
        for event in read(folder, "customer;date;amount\n" + "\n".join(lines), **options).events
    ]


def times(folder: Path, *cells: str, **options: object) -> list[str]:
    lines = [f'c{number};"{cell}";1' for number, cell in enumerate(cells, 10)]
    file = read(folder, "customer;date;amount\n" + "\n".join(lines), **options)
    assert not file.rejects
    return [event.timestamp.isoformat(timespec="seconds").removesuffix("+00:00") for event in file.events]


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.234", "1.234,50"], [1234, 1234.5]),
        (["1,234", "1,234.50"], [1234, 1234.5]),
        (["1.234", "12,5"], [1234, 12.5]),
        (["1.234", "12.5"], [1.23, 12.5]),
        (["1.234.567", "5,00"], [1234567, 5]),
        (["1,234", "950", "12"], [1234, 950, 12]),
        (["1.234", "950", "12"], [1234, 950, 12]),
        (["0.500", "1.234"], [0.5, 1.23]),
        (["\u20ac 1.234,50", "12,00 EUR", "EUR 3,00", "4,00\u20ac"], [1234.5, 12, 3, 4]),
        (["$1,234.50", "US$5.00", "CHF 7.00", "8.00 z\u0142", "R$ 9.00"], [1234.5, 5, 7, 8, 9]),
        (["1'234.50", "12\u2019345.00", "5.-"], [1234.5, 12345, 5]),
        (["12,34,567.50", "1,00,000.00"], [1234567.5, 100000]),
        (["1 234,50", "1\u00a0234,50", "1\u202f234,50"], [1234.5, 1234.5, 1234.5]),
        (["1.5e3", "5"], [1500, 5]),
        (["1000000000000", "5"], [1e12, 5]),
        (["1.000.000.000.000 \u20ab", "50.000 \u20ab"], [1e12, 50000]),
    ],
)
def test_the_decimal_sign_is_that_of_the_column(tmp_path: Path, cells: list[str], expected: list[float]) -> None:
    assert amounts(tmp_path, *cells) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        *(("$.99", 0.99), ("\u00a3.50", 0.5), ("USD .25", 0.25), ("CHF.50", 0.5), ("R.50", 0.5), (".75", 0.75)),
        *(("-.50", -0.5), ("($.50)", -0.5), (".50 \u20ac", 0.5), ("$1.", 1), ("-$.25", -0.25)),
        *(("Fr. 12.50", 12.5), ("Rs.500", 500), ("kr.25.00", 25), ("12.50 kr.", 12.5), ("Rs. 1,234.50", 1234.5)),
        *(("100.- Kc", 100), ("10,-\u20ac", 10), ("634.08 kr.-", -634.08), ("CHF 10.--", 10)),
    ],
)
def test_a_point_behind_the_sign_of_a_currency_is_the_decimal_sign(cell: str, expected: float) -> None:
    assert read_number(cell, ".") == expected


@pytest.mark.parametrize("cell", ["(5.00)", "-5.00", "5.00-", "\u22125.00", "$-5.00", "-$5.00", "($5.00)"])
def test_below_0_is_written_in_many_ways(cell: str) -> None:
    assert read_number(cell, ".") == -5


@pytest.mark.parametrize(
    "cell", ["ten", "1_0", "0x1", "1.2.3", "--5", "5 apples", "12,34", "1e999", "(5", "$5\u20ac", "\u00b2", "\u2460"]
)
def test_what_is_no_number_is_none(cell: str) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        read_number(cell, ".")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1.234,50", "1,234.50"], ["contradicts itself", "1.234,50", "1,234.50", "--decimal"]),
        (["1.50", "1,5"], ["contradicts itself"]),
        (["1.234", "2.500"], ["two ways", "1.234", "1,234", "--decimal=.", "--decimal=,"]),
        (["1.234", "5000"], ["two ways"]),
    ],
)
def test_a_doubt_about_amounts_is_refused_with_both_readings(
    tmp_path: Path, cells: list[str], words: list[str]
) -> None:
    with pytest.raises(DoubtError) as doubt:
        amounts(tmp_path, *cells)
    assert all(word in str(doubt.value) for word in words)
    assert amounts(tmp_path, *cells, decimal=",")


def test_other_columns_of_the_file_settle_a_doubt(tmp_path: Path) -> None:
    file = read(tmp_path, "customer;date;amount;discount\nann;2026-01-01;1.234;0,50\n")
    assert file.events[0].data == {"order_value": 1234, "discount_value": 0.5}


@given(st.floats(0, 1e12).map(lambda value: round(value, 2)))
def test_every_writing_of_an_amount_is_read_back(value: float) -> None:
    english = f"{value:,.2f}"
    swapped = english.translate(str.maketrans(",.", ".,"))
    for text, sign in ((english, "."), (swapped, ","), (f"EUR {swapped}", ","), (english.replace(",", "'"), ".")):
        survey = NumberSurvey("x")
        survey.add(text)
        assert survey.sign(frozenset()) == sign
        assert read_number(text, sign) == pytest.approx(value)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["05/01/2026", "25/01/2026"], ["2026-01-05T00:00:00", "2026-01-25T00:00:00"]),
        (["05/01/2026", "01/25/2026"], ["2026-05-01T00:00:00", "2026-01-25T00:00:00"]),
        (["05.01.2026 10:30", "5.1.26"], ["2026-01-05T10:30:00", "2026-01-05T00:00:00"]),
        (["1/25/2026 3:04 PM", "1/2/26 12:05 AM"], ["2026-01-25T15:04:00", "2026-01-02T00:05:00"]),
        (["Mon, 05 Jan 2026 10:00:00 GMT"], ["2026-01-05T10:00:00"]),
        (["Mon, 05 Jan 2026 10:00:00 +0200"], ["2026-01-05T08:00:00"]),
        (["2026-01-05 10:00:00 UTC", "2026-01-05 10:00:00 +0100"], ["2026-01-05T10:00:00", "2026-01-05T09:00:00"]),
        (["2026/01/05 10:00", "2026.1.5"], ["2026-01-05T10:00:00", "2026-01-05T00:00:00"]),
        (["46027", "46027.5"], ["2026-01-05T00:00:00", "2026-01-05T12:00:00"]),
        (["1767225600", "1767225600000"], ["2026-01-01T00:00:00", "2026-01-01T00:00:00"]),
        (["1767225600000000", "1767225600000000000"], ["2026-01-01T00:00:00", "2026-01-01T00:00:00"]),
        (
            ["20260105", "2026010510", "202601051030"],
            ["2026-01-05T00:00:00", "2026-01-05T10:00:00", "2026-01-05T10:30:00"],
        ),
        (["20260105103015", "20260105103015123"], ["2026-01-05T10:30:15", "2026-01-05T10:30:15"]),
        (["15. M\u00e4rz 2026", "3 de mayo de 2026"], ["2026-03-15T00:00:00", "2026-05-03T00:00:00"]),
        (["Mon Jan 05 2026 10:00:00 GMT+0100 (Central European Standard Time)"], ["2026-01-05T09:00:00"]),
        (["2026-01-05 10:00:00 America/New_York"], ["2026-01-05T15:00:00"]),
        (["Jan-15-26 10:00:00 PST", "15-Jan-2026"], ["2026-01-15T18:00:00", "2026-01-15T00:00:00"]),
        (["2026-01-05 10:00:00 EST", "2026-1-5 3:04"], ["2026-01-05T15:00:00", "2026-01-05T03:04:00"]),
        (["2026-01-05 10.30", "2026-01-05 03:04 PM"], ["2026-01-05T10:30:00", "2026-01-05T15:04:00"]),
        (["15.01.2026, 10:30 Uhr", "2026-12-5"], ["2026-01-15T10:30:00", "2026-12-05T00:00:00"]),
    ],
)
def test_times_in_the_forms_that_systems_write(tmp_path: Path, cells: list[str], expected: list[str]) -> None:
    assert times(tmp_path, *cells) == expected


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["05/01/2026", "06/02/2026"], ["two ways", "5 January 2026", "1 May 2026", "--dates=dmy", "--dates=mdy"]),
        (
            ["26-01-05", "26-01-16", "26-02-01"],
            ["two ways", "26 January 2005", "5 January 2026", "--dates=dmy", "--date-format='%y-%m-%d'"],
        ),
        (
            ["26.01.05 10:00", "26.11.06 10:00", "26.12.31 10:00"],
            ["two ways", "26 January 2005", "5 January 2026", "--dates=dmy", "--date-format='%y.%m.%d %H:%M'"],
        ),
        (["25/01/2026", "01/25/2026"], ["contradicts itself", "25/01/2026", "01/25/2026"]),
    ],
)
def test_a_doubt_about_days_is_refused_with_both_readings(tmp_path: Path, cells: list[str], words: list[str]) -> None:
    with pytest.raises(DoubtError) as doubt:
        times(tmp_path, *cells)
    assert all(word in str(doubt.value) for word in words)


def test_an_answer_settles_the_doubt(tmp_path: Path) -> None:
    assert times(tmp_path, "05/01/2026", dates="mdy") == ["2026-05-01T00:00:00"]
    assert times(tmp_path, "05/01/2026", dates="dmy") == ["2026-01-05T00:00:00"]
    assert times(tmp_path, "26-01-05", "26-01-16", date_format="%y-%m-%d")[0] == "2026-01-05T00:00:00"
    assert times(tmp_path, "26-01-05", "26-01-16", dates="dmy")[0] == "2005-01-26T00:00:00"
    assert times(tmp_path, "26.01.05 10:30", date_format="%y.%m.%d %H:%M") == ["2026-01-05T10:30:00"]
    # Days repeat less often than years do: these have the day first.
    assert times(tmp_path, "26-01-25", "27-01-25", "28-01-26")[0] == "2025-01-26T00:00:00"
    assert times(tmp_path, "05/01/2026", date_format="%d/%m/%Y") == ["2026-01-05T00:00:00"]


@pytest.mark.parametrize(
    "cell",
    ["32/01/2026", "yesterday", "2026-13-01", "99999999", "25:00", "5 Foo 2026", "1/1/2026 25:00", "2026-01-05T10,30"],
)
def test_what_is_no_time_is_none(cell: str) -> None:
    with pytest.raises(BadRowError):
        TimeReader("timestamp")(cell)


@given(st.datetimes(datetime(1971, 1, 2), datetime(2068, 1, 1)))  # noqa: DTZ001
def test_every_writing_of_a_time_is_read_back(moment: datetime) -> None:
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    for form in ("%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%d %b %Y %H:%M:%S", "%d/%m/%Y %I:%M:%S %p", "%Y%m%d%H%M%S"):
        assert from_millis(TimeReader("x", order="dmy")(moment.strftime(form))) == moment
    days = (moment - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
    assert abs(from_millis(TimeReader("x")(days)) - moment) <= timedelta(seconds=1)
