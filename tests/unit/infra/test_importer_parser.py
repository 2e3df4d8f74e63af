"""A shop's files become events, each line for itself."""

import csv
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.customer import replay
from churn.domain.features import features_at
from churn.domain.timestamps import to_millis
from infra.tools.importer import command
from infra.tools.importer.command import main, write_rejects
from infra.tools.importer.export_format import Kind
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.storing import batches
from tests.support.events import order
from tests.support.imports import ReadFile as History
from tests.support.imports import read_file as read_history

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

CDNOW = """customer_id,date,quantity,amount
1,1997-01-01,1,11.77
2,1997-01-12,1,12.0
2,19970112,5,77.0
2,1997-01-12,1,12.0
"""
ONLINE_RETAIL = """customer_id,invoice,cancel,ts,n_lines,n_items,n_products,amount,country
13085,489434,0,2009-12-01 07:45:00,8,166,8,505.3,United Kingdom
13085.0,C489449,1,2009-12-01 10:33:00,9,-100,9,-196.1,United Kingdom
13078,489436,0,2009-12-01 09:06:00,19,193,19,630.33,"Kingdom, United"
"""


def read(folder: Path, text: str, kind: Kind = "orders", name: str = "shop.csv", **options: Any) -> History:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_history(path, kind, now=NOW, **options)


def test_orders_alone_are_enough(tmp_path: Path) -> None:
    history = read(tmp_path, CDNOW)
    assert history.lines == 4
    assert not history.rejects
    assert [event.event_type for event in history.events] == ["order_placed"] * 4
    assert len({event.event_id for event in history.events}) == 4
    features = features_at(replay(event for event in history.events if event.customer_id == "2"), NOW, {})
    assert features["total_orders"] == 3
    assert features["total_spent"] == 101
    assert features["support_tickets"] is None
    assert features["discount_usage"] is None


def test_a_credit_note_with_a_number_of_its_own_changes_no_order(tmp_path: Path) -> None:
    history = read(tmp_path, ONLINE_RETAIL)
    assert not history.rejects
    assert {event.customer_id for event in history.events} == {"13085", "13078"}
    mine = [event for event in history.events if event.customer_id == "13085"]
    assert [(event.event_type, event.data["order_id"]) for event in mine] == [
        ("order_placed", "489434"),
        ("order_cancelled", "C489449"),
    ]
    assert features_at(replay(mine), NOW, {})["total_spent"] == 505.3
    assert "cancel no other order" in history.said


def test_a_cancelled_order_leaves_the_features(tmp_path: Path) -> None:
    lines = "Order ID;Customer;Order Date;Total;Status\nA1;ann;2026-01-02;12,50;completed\n"
    lines += "A2;ann;2026-02-02;99,00;shipped\nA2;ann;2026-02-03;-99,00;Cancelled\n"
    features = features_at(replay(read(tmp_path, lines).events), NOW, {})
    assert (features["total_orders"], features["total_spent"]) == (1, 12.5)


def test_an_order_cancelled_later_counted_until_then(tmp_path: Path) -> None:
    history = read(tmp_path, "customer,date,value,cancelled_at\nann,2026-01-01,10,2026-02-01\nbob,2026-01-01,10,\n")
    middle = datetime(2026, 1, 15, tzinfo=UTC)
    events = [event for event in history.events if event.customer_id == "ann"]
    ann = replay(events)
    assert features_at(replay(events, to_millis(middle)), middle, {})["total_orders"] == 1
    assert features_at(ann, NOW, {})["total_orders"] == 0
    bob = replay(event for event in history.events if event.customer_id == "bob")
    assert features_at(bob, NOW, {})["total_orders"] == 1


def test_the_lines_of_one_order_add_up(tmp_path: Path) -> None:
    lines = "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n"
    lines += "1,A,2,2026-01-01 10:00:00,1.50,7.0\n1,B,1,2026-01-01 10:00:00,4,7.0\n"
    [event] = read(tmp_path, lines).events
    assert event.customer_id == "7"
    assert event.data == {"order_id": "1", "order_value": 7.0, "items_count": 3}


def test_bad_lines_are_named_and_the_good_ones_kept(tmp_path: Path) -> None:
    lines = [
        "customer,date,value",
        "ann,2026-01-01,10",
        ",2026-01-01,10",
        "bob,someday,10",
        "cleo,2026-01-01,ten",
        "dan,2026-01-01",
        'eve,"2026-01-01,10',
        "fay,2026-01-01,2e12",
        "gus,2031-01-01,5",
        'hal,2026-01-01,"1,234.50"',
    ]
    history = read(tmp_path, "\n".join(lines) + "\n")
    assert [event.customer_id for event in history.events] == ["ann", "hal"]
    assert history.events[1].data["order_value"] == 1234.5
    reasons = {reject.line: reject.reason for reject in history.rejects}
    assert list(reasons) == [3, 4, 5, 6, 7, 8, 9]
    for line, words in {
        3: "customer_id: is required",
        4: "--date-format",
        5: "'ten' is not a number",
        6: "has 2 fields where the header has 3",
        7: "its quotes do not match",
        8: "between 0 and",
        9: "ahead",
    }.items():
        assert words in reasons[line]

    write_rejects(tmp_path / "out.csv", history.rejects)
    with (tmp_path / "out.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [(row["line"], row["text"]) for row in written] == [(str(n), lines[n - 1]) for n in reasons]


def test_bytes_that_are_not_utf8_cost_their_line_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.csv"
    good = "".join(f"z\u00f6e-{number},2026-01-01,1\n" for number in range(20)).encode()
    path.write_bytes(b"customer,date,value\n" + good + b"j\xfcrg,2026-01-01,1\nbob,2026-01-01,1\n")
    history = read_history(path, now=NOW)
    assert len(history.events) == 21
    [reject] = history.rejects
    assert (reject.line, "not UTF-8" in reject.reason) == (22, True)


def test_a_quoted_field_may_go_over_lines(tmp_path: Path) -> None:
    history = read(tmp_path, 'customer,note,date,value\nann,"two\nlines",2026-01-01,1\nbob,x,never,1\n')
    assert [event.customer_id for event in history.events] == ["ann"]
    assert [reject.line for reject in history.rejects] == [4]


@pytest.mark.parametrize("name", ["shop.csv.gz", "shop.jsonl", "shop.jsonl.gz", "shop.parquet"])
def test_every_format_means_the_same_events(tmp_path: Path, name: str) -> None:
    expected = read(tmp_path, CDNOW).events
    rows = list(csv.DictReader(CDNOW.splitlines()))
    text = CDNOW if ".csv" in name else "\n".join(json.dumps(row) for row in rows)
    path = tmp_path / name
    if name.endswith(".parquet"):
        typed = [row | {"customer_id": float(row["customer_id"]), "amount": float(row["amount"])} for row in rows]
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(typed), path)
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    assert read_history(path, now=NOW).events == expected


def test_columns_and_times_can_be_named(tmp_path: Path) -> None:
    lines = "Kunde|Wann|Betrag\nann|31.12.2025 18:30|5\n"
    with pytest.raises(UnreadableFileError, match="no column for customer_id, timestamp, order_value among Kunde"):
        read(tmp_path, lines)
    names = {"customer_id": "Kunde", "timestamp": "Wann", "order_value": "Betrag"}
    [event] = read(tmp_path, lines, columns=names, date_format="%d.%m.%Y %H:%M").events
    assert event.timestamp == datetime(2025, 12, 31, 18, 30, tzinfo=UTC)
    with pytest.raises(UnreadableFileError, match="no column 'Kundin'"):
        read(tmp_path, lines, columns={"customer_id": "Kundin"})
    with pytest.raises(UnreadableFileError, match="orders have no field colour"):
        read(tmp_path, lines, columns={"colour": "Kunde"})


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2.50", ("discount_value", 2.5)),
        ("-1", ("discount_value", 1.0)),
        ("0", ("discount_value", 0.0)),
        ("", ("discount_used", False)),
        ("yes", ("discount_used", True)),
        ("x", ("discount_used", True)),
        ("off", ("discount_used", False)),
        ("FALSE", ("discount_used", False)),
        ("n", ("discount_used", False)),
        ("-", ("discount_used", False)),
        ("nan", ("discount_used", False)),
        ("SPRING10", ("discount_used", True)),
    ],
)
def test_a_discount_is_a_value_a_mark_or_a_code(tmp_path: Path, cell: str, expected: tuple[str, object]) -> None:
    [event] = read(tmp_path, f"customer,date,value,discount\nann,2026-01-01,10,{cell}\n").events
    assert event.data[expected[0]] == expected[1]


def test_events_come_in_their_wire_shape(tmp_path: Path) -> None:
    wire = {"event_id": "e1", "event_type": "login", "customer_id": "ann", "timestamp": 1767225600, "data": {}}
    old = {"event_type": "login", "user_id": "bob", "timestamp": "2026-01-01T00:00:00Z", "metadata": {"success": True}}
    lines = "\n".join([json.dumps(wire), json.dumps(old), "[1]", '{"event_type": "login"}', "{"])
    history = read(tmp_path, lines, "events", "shop.jsonl")
    assert [event.customer_id for event in history.events] == ["ann", "bob"]
    assert [reject.line for reject in history.rejects] == [3, 4, 5]


def test_customers_become_registrations_and_profiles(tmp_path: Path) -> None:
    lines = (
        "id,first name,last name,e-mail,points,registered\nann,Ann,Lee,ann@example.com,120,2025-05-01\nbob,Bob,,,,\n"
    )
    history = read(tmp_path, lines, "customers")
    assert [(event.customer_id, event.event_type) for event in history.events] == [
        ("ann", "customer_registered"),
        ("ann", "profile_updated"),
        ("bob", "profile_updated"),
    ]
    state = replay(history.events[:2])
    assert features_at(state, NOW, {})["loyalty_points"] == 120
    assert state.profile["name"][1] == "Ann Lee"
    again = read_history(tmp_path / "shop.csv", "customers", now=datetime(2026, 12, 1, tzinfo=UTC))
    assert [event.event_id for event in again.events] == [event.event_id for event in history.events]


@pytest.mark.parametrize("name", ["shop.csv", "shop.parquet", "shop.xlsx", "missing.csv"])
def test_a_file_that_is_none_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    if name.startswith("shop"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UnreadableFileError, match=name):
        read_history(tmp_path / name, now=NOW)


def test_the_command_that_is_interrupted_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "read_history", interrupt)
    assert main([str(tmp_path / "x.csv"), "--dry-run"]) == 130
    assert capsys.readouterr().err.startswith("import: interrupted while the file was read: nothing was stored")


def test_the_command_says_why_it_cannot(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["x.csv", "--column", "nonsense"])
    assert "is not FIELD=COLUMN" in capsys.readouterr().err


@given(st.lists(st.integers(1, 12), max_size=8), st.integers(1, 6))
def test_batches_keep_every_event_and_split_no_customer_who_fits(sizes: list[int], size: int) -> None:
    events = [order(f"c{number}") for number, count in enumerate(sizes) for _ in range(count)]
    split = list(batches(events, size))
    assert [event for batch in split for event in batch] == events
    assert all(0 < len(batch) <= size for batch in split)
    for number, count in enumerate(sizes):
        if count == 1:
            assert sum(any(event.customer_id == f"c{number}" for event in batch) for batch in split) == 1


def test_flat_columns_of_an_events_file_are_the_events_data(tmp_path: Path) -> None:
    file = tmp_path / "events.csv"
    file.write_text(
        "event_id;event_type;customer_id;timestamp;order_id;order_value;data.coupon;balance;data\n"
        "e-1;order_placed;ann;2026-01-05 10:00;o-1;1.234,50;SPRING;;\n"
        "e-2;loyalty_points_changed;ann;2026-01-06 10:00;;;;70,5;\n"
        'e-3;order_placed;ann;2026-01-07 10:00;o-3;7,00;;;"{""order_value"": 8, ""gift"": true}"\n'
        "e-4;login;ann;2026-01-08 10:00;;;;;\n"
        "e-5;order_placed;ann;2026-01-09 10:00;o-5;much;;;\n"
    )
    history = read_history(file, "events", now=NOW)
    assert {event.event_id: event.data for event in history.events} == {
        "e-1": {"order_id": "o-1", "order_value": 1234.5, "coupon": "SPRING"},
        "e-2": {"balance": 70.5},
        "e-3": {"order_id": "o-3", "order_value": 8, "gift": True},
        "e-4": {},
    }
    assert [(reject.line, "order_value" in reject.reason) for reject in history.rejects] == [(6, True)]
