"""What a file holds and an import does not use is told, and files that were put together are read right."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from openpyxl import Workbook

from infra.tools.importer import tables
from infra.tools.importer.faults import DoubtError, UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def test_a_column_of_states_that_is_not_read_is_told(tmp_path: Path) -> None:
    text = "customer,date,amount,Zustand,Farbe\nann,2026-01-05,10,Bezahlt,rot\nbob,2026-01-06,20,Storniert,blau\n"
    file = read(tmp_path, text)
    assert file.figures.orders == 2
    assert "'Zustand' reads like the state of orders ('Bezahlt' (1), 'Storniert' (1))" in file.said
    assert "Farbe" not in file.said
    assert read(tmp_path, text, columns={"status": "Zustand"}).figures.orders == 1
    assert "reads like" not in read(tmp_path, text.replace("Storniert", "Bezahlt")).said


def test_orders_that_were_paid_back_in_part_are_told_where_no_column_says_how_much(tmp_path: Path) -> None:
    text = "customer,date,amount,status,back\nann,2026-01-05,10,Partially refunded,4\nbob,2026-01-06,20,paid,\n"
    assert "WARNING: 1 orders were paid back in part ('Partially refunded')" in read(tmp_path, text).said
    file = read(tmp_path, text, columns={"refunded": "back"})
    assert (file.figures.money, "in part (" in file.said) == (26, False)
    empty = read(tmp_path, text.replace("refunded,4", "refunded,0"), columns={"refunded": "back"})
    assert "WARNING: 1 orders were paid back in part ('Partially refunded'), and 'back' is empty" in empty.said


def test_refunds_within_an_order_of_woocommerce_are_subtracted(tmp_path: Path) -> None:
    order = {
        "status": "completed",
        "date_created": "2026-01-05T10:00:00",
        "customer_id": 5,
        "billing": {"email": "a@x.y"},
    }
    refunded = {"id": 1, "total": "20.00", "refunds": [{"id": 9, "total": "-5.00"}, {"id": 10, "total": "-1"}, 7]}
    file = read(tmp_path, json.dumps([order | refunded, order | {"id": 2, "total": "9", "refunds": []}]))
    assert (file.format, file.figures.orders, file.figures.money) == ("WooCommerce orders", 2, 23)


@pytest.mark.parametrize("lines_of_a_block", [2, 1000])
def test_a_header_in_the_middle_is_no_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lines_of_a_block: int
) -> None:
    monkeypatch.setattr(tables, "_LINES_OF_A_BLOCK", lines_of_a_block)
    header = "customer,date,amount\n"
    file = read(tmp_path, f"{header}ann,2026-01-05,10\nbob,2026-01-06,1\n{header}cleo,2026-01-07,5\n")
    assert (file.figures.orders, file.figures.money, file.rejects, file.lines) == (3, 16, [], 3)


def test_a_file_in_one_column_says_that_it_may_be_several(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="there is one column only"):
        read(tmp_path, "customer^date^amount\nann^2026-01-05^10\n")


def test_the_command_that_would_work_names_the_number_of_orders(tmp_path: Path) -> None:
    text = "Klient;Data;Kwota;Numer zam\u00f3wienia;Stan\njan;2026-01-05;5;Z1;op\u0142acone\n"
    with pytest.raises(UnreadableFileError, match="would work") as refused:
        read(tmp_path, text + "ola;2026-01-06;7;Z2;anulowane\n")
    named = {
        "customer_id": "Klient",
        "timestamp": "Data",
        "order_value": "Kwota",
        "order_id": "Numer zam\u00f3wienia",
    }
    assert all(f"--column={field}={column}" in str(refused.value) for field, column in named.items())
    file = read(tmp_path, text + "ola;2026-01-06;7;Z2;anulowane\n", columns=named)
    assert (file.columns["status"], file.figures.orders, file.figures.money, file.figures.cancelled) == (
        "Stan",
        1,
        5,
        1,
    )


def test_a_file_of_events_with_columns_of_orders_is_one_of_events(tmp_path: Path) -> None:
    header = "event_type,customer_id,timestamp,order_value,order_id\n"
    file = read(tmp_path, f"{header}order_placed,ann,2026-01-05,10,1\nlogin,ann,2026-01-06,,\n")
    assert (file.format, [event.event_type for event in file.events]) == ("our own events", ["order_placed", "login"])


def test_an_object_of_json_without_orders_is_not_said_to_be_a_table_of_one_column(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="there is no column for customer_id, timestamp"):
        read(tmp_path, json.dumps({"data": {"orders": {"edges": []}}}))


@pytest.mark.parametrize("lines", ["[%s, %s]", "%s\n%s\n"])
def test_json_without_the_columns_that_are_needed_is_refused_with_the_whole_command(tmp_path: Path, lines: str) -> None:
    order = json.dumps({"kunde": "ann", "datum": "2026-01-05", "betrag": 10, "nr": "1", "notiz": "x" * 100})
    with pytest.raises(UnreadableFileError, match="--column=timestamp=datum --column=order_value=betrag"):
        read(tmp_path, lines % (order, order))
    known = json.dumps({"customer": "bob", "date": "2026-01-05", "total": 10})
    file = read(tmp_path, lines % (order, known))
    assert (file.figures.orders, len(file.rejects)) == (1, 1)


@pytest.mark.parametrize(
    "envelope",
    [
        '{"object": "list", "data": %s, "has_more": false}',
        '{"count": 2, "next": null, "previous": null, "results": %s}',
        '{"meta": {"count": 2}, "result": {"orders": %s}}',
        '{"data": {"orders": %s}}',
    ],
)
def test_records_of_an_api_are_found_behind_what_it_says_of_its_pages(tmp_path: Path, envelope: str) -> None:
    orders = [{"customer_id": name, "timestamp": "2026-01-05", "order_value": 10} for name in ("ann", "bob")]
    assert read(tmp_path, envelope % json.dumps(orders)).figures.money == 20


def test_items_within_an_order_are_no_orders(tmp_path: Path) -> None:
    order = {"total": 10, "customer_id": "ann", "timestamp": "2026-01-05", "order_value": 10, "items": [{"id": 1}]}
    assert read(tmp_path, json.dumps(order)).figures.money == 10


@pytest.mark.parametrize("end", ['{"customer_id": "bob", "times', ""])
def test_an_array_that_is_cut_off_says_so(tmp_path: Path, end: str) -> None:
    order = json.dumps({"customer_id": "ann", "timestamp": "2026-01-05", "order_value": 10})
    file = read(tmp_path, f"[{order},\n{end}")
    assert (file.figures.orders, ["cut off" in reject.reason for reject in file.rejects]) == (1, [True])


def test_a_reason_shows_what_the_first_line_has(tmp_path: Path) -> None:
    text = "customer,date,total\nann,2026-01-05,10%\nann,2026-01-06,ten\nann,2026-01-07,5\n"
    assert "2 order_value: '...' is not a number (such as '10%')" in read(tmp_path, text).said


def test_an_empty_first_sheet_names_the_others(tmp_path: Path) -> None:
    book = Workbook()
    book.create_sheet("Orders").append(["customer", "date", "total"])
    book.save(tmp_path / "orders.xlsx")
    with pytest.raises(UnreadableFileError, match="name another with --sheet: Orders"):
        read_file(tmp_path / "orders.xlsx", now=NOW)


def test_lines_that_equal_another_of_their_order_are_told(tmp_path: Path) -> None:
    text = "customer,date,total,order\nann,2026-01-05,10,1\nann,2026-01-05,10,1\nann,2026-01-05,12,1\n"
    file = read(tmp_path, text, line="item")
    assert file.figures.money == 22
    assert "1 lines equal another of their order in every column, and count once" in file.said


def test_a_list_of_customers_that_is_read_as_orders_is_told(tmp_path: Path) -> None:
    text = (
        "customer_id,email,created_at,total_spent,orders\n7,a@x.example,2026-01-05,90,3\n8,b@x.example,2026-01-06,2,1\n"
    )
    with pytest.raises(DoubtError, match="KIND=customers imports it as one; if each line is an order: KIND=orders"):
        read(tmp_path, text)
    assert read(tmp_path, text, kind="orders").figures.orders == 2
    with pytest.raises(UnreadableFileError, match="if it is a list of customers: KIND=customers"):
        read(tmp_path, "id,first name,last name,e-mail\n7,Ann,Lee,a@x.example\n")


def test_a_log_of_what_customers_did_says_how_the_purchases_alone_are_read(tmp_path: Path) -> None:
    text = "event_time,event_type,product_id,price,user_id\n2026-01-05 10:00:00,view,p1,10.50,ann\n"
    text += "2026-01-05 10:01:00,page_view,p1,10.50,ann\n2026-01-05 10:02:00,purchase,p1,10.50,ann\n"
    columns = {"timestamp": "event_time", "order_value": "price"}
    with pytest.raises(DoubtError, match="=status=event_type --status=never=view --status=never=page_view leaves out"):
        read(tmp_path, text, columns=columns)
    assert read(tmp_path, text, columns=columns, kind="orders").figures.orders == 3
    statuses = {"view": "never", "pageview": "never"}
    file = read(tmp_path, text, columns=columns | {"status": "event_type"}, statuses=statuses)
    assert (file.figures.orders, file.figures.money) == (1, 10.5)


def test_events_without_ids_that_differ_in_flat_columns_alone_are_all_kept(tmp_path: Path) -> None:
    header = "event_type,customer_id,timestamp,order_value\n"
    lines = "order_placed,ann,2026-01-05,10\norder_placed,ann,2026-01-05,25\n"
    one, two = (read(tmp_path, header + text).events for text in (lines.split("\n", maxsplit=1)[0] + "\n", lines))
    assert sorted(event.data["order_value"] for event in two) == [10, 25]
    assert len({event.event_id for event in two}) == 2
    # The first keeps the id that it has alone; another reading makes the same ids.
    assert one[0].event_id == next(event.event_id for event in two if event.data["order_value"] == 10)
    assert [event.event_id for event in read(tmp_path, header + lines).events] == [event.event_id for event in two]
    again = read(tmp_path, header + lines + "order_placed,ann,2026-01-05,10\n").events
    assert len({event.event_id for event in again}) == 2


def test_types_of_events_that_nobody_knows_are_told(tmp_path: Path) -> None:
    header = "event_type,customer_id,timestamp,order_value\n"
    file = read(tmp_path, f"{header}Order_Placed,ann,2026-01-05,10\nlogin,ann,2026-01-06,\n")
    assert "1 login" in file.said
    assert "does not know are stored and change nothing: 'Order_Placed' (1; is it order_placed?)" in file.said


@pytest.mark.parametrize("indent", [None, 1])
def test_a_list_of_customers_in_json_is_a_doubt(tmp_path: Path, indent: int | None) -> None:
    one = {
        "customer_id": "7",
        "email": "a@x.example",
        "created_at": "2026-01-05",
        "total_spent": "90",
        "orders_count": 3,
    }
    with pytest.raises(DoubtError, match="KIND=customers imports it as one"):
        read(tmp_path, json.dumps([one, one], indent=indent))


def test_abandoned_checkouts_are_a_doubt(tmp_path: Path) -> None:
    text = "Id,Email,Created at,Total,Recovery Status\n1,a@x.example,2026-01-05,10,Not Recovered\n"
    with pytest.raises(DoubtError, match="'Recovery Status' is one of abandoned checkouts"):
        read(tmp_path, text)
    assert read(tmp_path, text, kind="orders").figures.orders == 1


def test_drafts_are_a_doubt(tmp_path: Path) -> None:
    header = "Name,Email,Status,Created at,Total\n"
    text = header + "#D1,a@x.example,open,2026-01-05,10\n#D2,a@x.example,invoice_sent,2026-01-05,10\n"
    columns = {"order_id": "Name"}
    with pytest.raises(DoubtError, match="those of drafts"):
        read(tmp_path, text, columns=columns)
    assert read(tmp_path, text, columns=columns, kind="orders").figures.orders == 2
    assert read(tmp_path, text + "#1001,a@x.example,open,2026-01-05,10\n", columns=columns).figures.orders == 3


@pytest.mark.parametrize("note", [[["Export"], ["of July"]], [["Shop", "X"], ["Month", "July"]]])
def test_a_first_sheet_of_notes_names_the_others(tmp_path: Path, note: list[list[str]]) -> None:
    book = Workbook()
    for cells in note:
        book.worksheets[0].append(cells)
    book.create_sheet("Orders").append(["customer", "date", "total"])
    book.save(tmp_path / "orders.xlsx")
    with pytest.raises(UnreadableFileError, match="this is the sheet 'Sheet', and --sheet names another: Orders"):
        read_file(tmp_path / "orders.xlsx", now=NOW)


def test_a_smaller_amount_that_came_back_later_is_a_part_of_the_order(tmp_path: Path) -> None:
    text = (
        "customer,date,order id,type,amount\na,2026-01-05,1,sale,30\na,2026-01-15,1,refund,10\n"
        "b,2026-01-06,2,sale,10\nb,2026-01-16,2,return,10\nc,2026-01-16,3,sale,10\na,2026-01-20,1,refund,5\n"
    )
    assert "--column=status=type uses it" in read(tmp_path, text).said
    file = read(tmp_path, text, columns={"status": "type"})
    assert (file.figures.orders, file.figures.money, file.figures.cancelled) == (2, 25, 1)
    whole = read(tmp_path, text.replace("1,refund,10", "1,refund,25"), columns={"status": "type"})
    assert (whole.figures.orders, whole.figures.cancelled) == (1, 2)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("Type", ("Invoice", "Credit Memo", "Quotation")),
        ("Belegart", ("Rechnung", "Rechnungskorrektur", "Angebot")),
        ("Type de document", ("Facture", "Avoir", "Devis")),
        ("Documento", ("Fattura", "Nota di credito", "Preventivo")),
    ],
)
def test_a_column_of_kinds_of_documents_is_told(tmp_path: Path, column: str, words: tuple[str, str, str]) -> None:
    cells = [words[0], words[1], words[0], words[2]]
    rows = [f"c{number},2026-01-05,{number},10,{word}" for number, word in enumerate(cells, 1)]
    file = read(tmp_path, f"customer,date,invoice number,total,{column}\n" + "\n".join(rows))
    assert f"column {column!r} reads like the state of orders" in file.said
    file = read(
        tmp_path, f"customer,date,invoice number,total,{column}\n" + "\n".join(rows), columns={"status": column}
    )
    assert (file.figures.orders, file.figures.cancelled) == (2, 1)


def test_all_orders_of_one_customer_are_told(tmp_path: Path) -> None:
    rows = "".join(f"Gast,2026-01-{day:02},{day},5\n" for day in range(1, 29))
    assert (
        "100% of all orders are of one customer, 'Gast'" in read(tmp_path, f"customer,date,order id,total\n{rows}").said
    )


@pytest.mark.parametrize("name", ["name", "Name", "Nachname", "full name"])
def test_a_column_of_names_beside_customers_with_one_order_each_is_told(tmp_path: Path, name: str) -> None:
    rows = "".join(f"c{day},2026-01-{day:02},5,person {day % 4}\n" for day in range(1, 29))
    assert f"{name!r} names persons" in read(tmp_path, f"customer_id,date,total,{name}\n{rows}").said


@pytest.mark.parametrize(("column", "named"), [("customer", {}), ("Courriel", {"customer_id": "Courriel"})])
def test_addresses_that_differ_in_case_alone_are_told(tmp_path: Path, column: str, named: dict[str, str]) -> None:
    text = f"{column},date,total\nAnn@x.de,2026-01-05,1\nbob@x.de,2026-01-06,2\nann@x.de,2026-01-07,3\n"
    said = f"customers of column {column!r} differ in upper and lower case alone, such as 'Ann@x.de' and 'ann@x.de'"
    assert said in read(tmp_path, text, columns=named).said
    assert "case alone" not in read(tmp_path, text.replace("Ann", "ann"), columns=named).said
    assert "case alone" not in read(tmp_path, text.replace(column, "email")).said


def test_orders_that_lie_ahead_are_told(tmp_path: Path) -> None:
    text = "customer,date,order id,total\na,2026-01-05,1,1\nb,2027-01-05,2,2\nc,2027-02-05,3,3\n"
    said = read(tmp_path, text).said
    assert "WARNING: 2 orders lie ahead, up to 2027-02-05: are day and month swapped?" in said
    assert "lie ahead" not in read(tmp_path, text.replace("2027", "2025")).said


def test_a_cancelled_fulfilment_of_a_known_export_is_told(tmp_path: Path) -> None:
    header = "Order number,Date created,Time,Contact email,Payment status,Total,Fulfillment status\n"
    text = header + "1,Jan 5 2026,10:00,a@x.y,Paid,5,Fulfilled\n2,Jan 6 2026,10:00,b@x.y,Paid,5,Canceled\n"
    assert "--column=cancelled='Fulfillment status'" in read(tmp_path, text).said.replace(
        "'--column=cancelled=Fulfillment status'", "--column=cancelled='Fulfillment status'"
    )
    file = read(tmp_path, text, columns={"cancelled": "Fulfillment status"})
    assert (file.format, file.figures.orders, file.figures.cancelled) == ("Wix orders", 1, 1)


@pytest.mark.parametrize("word", ["PayPal Canceled Reversal", "Canceled Reversal", "Teilweise zur\u00fcckgezahlt"])
def test_words_of_shops_for_orders_that_stand_are_known(tmp_path: Path, word: str) -> None:
    file = read(tmp_path, f"customer,date,total,status\na,2026-01-05,1,{word}\nb,2026-01-05,2,Zur\u00fcckgezahlt\n")
    assert (file.figures.orders, file.figures.cancelled, "unknown words" in file.said) == (1, 1, False)


def test_hours_may_stand_behind_a_time_of_day(tmp_path: Path) -> None:
    file = read(tmp_path, "customer,date,total\na,5 de enero de 2026 10:30 hs.,1\nb,5 Jan 2026 10:30 hrs,1\n")
    assert [event.timestamp.isoformat()[:16] for event in file.events] == ["2026-01-05T10:30"] * 2


def test_what_ebay_writes_below_its_table_in_german_is_no_line(tmp_path: Path) -> None:
    footer = "3,Eintrag/Eintr\u00e4ge heruntergeladen,,\nVerk\u00e4ufername : shop,,,\n"
    file = read(tmp_path, f"customer,date,total,status\na,2026-01-05,1,paid\n{footer}")
    assert (file.lines, file.rejects) == (1, [])
