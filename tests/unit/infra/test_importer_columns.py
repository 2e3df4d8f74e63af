"""What columns are called: in eight languages, beside those of a known system, and which are likeliest a field's."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.tools.importer.columns import is_header
from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HEADERS = (
    (
        (
            "Bestellnummer;Bestellstatus;Bestelldatum;Kundennotiz;Vorname (Rechnung);E-Mail (Rechnung);Zwischensumme;"
            "Versandkosten;Erstattungsbetrag;Bestellsumme;Artikelname"
        ),
        {"customer_id": "E-Mail (Rechnung)", "timestamp": "Bestelldatum", "order_value": "Bestellsumme"},
        {"order_id": "Bestellnummer"},
        {"status": "Bestellstatus", "refunded": "Erstattungsbetrag"},
    ),
    (
        (
            "Num\u00e9ro de commande;\u00c9tat de la commande;Date de commande;Pr\u00e9nom;E-mail;"
            "Montant rembours\u00e9;Montant total de la commande;Nom de l'article"
        ),
        {"timestamp": "Date de commande", "order_value": "Montant total de la commande"},
        {"order_id": "Num\u00e9ro de commande"},
        {"customer_id": "E-mail", "status": "\u00c9tat de la commande", "refunded": "Montant rembours\u00e9"},
    ),
    (
        "N\u00famero de pedido;Estado del pedido;Fecha del pedido;ID cliente;Nota;Importe reembolsado;Importe total",
        {"customer_id": "ID cliente", "timestamp": "Fecha del pedido", "order_value": "Importe total"},
        {"order_id": "N\u00famero de pedido"},
        {"status": "Estado del pedido", "refunded": "Importe reembolsado"},
    ),
    (
        "Numero ordine;Stato ordine;Data ordine;Codice cliente;Importo rimborsato;Totale ordine",
        {"customer_id": "Codice cliente", "timestamp": "Data ordine", "order_value": "Totale ordine"},
        {"order_id": "Numero ordine"},
        {"status": "Stato ordine", "refunded": "Importo rimborsato"},
    ),
    (
        "Bestelnummer;Bestelstatus;Besteldatum;Klantnummer;Terugbetaald bedrag;Totaalbedrag",
        {"customer_id": "Klantnummer", "timestamp": "Besteldatum", "order_value": "Totaalbedrag"},
        {"order_id": "Bestelnummer"},
        {"status": "Bestelstatus", "refunded": "Terugbetaald bedrag"},
    ),
    (
        (
            "N\u00famero do pedido;Situa\u00e7\u00e3o do pedido;Data do pedido;C\u00f3digo do cliente;"
            "Valor reembolsado;Valor total"
        ),
        {"customer_id": "C\u00f3digo do cliente", "timestamp": "Data do pedido", "order_value": "Valor total"},
        {"order_id": "N\u00famero do pedido"},
        {"status": "Situa\u00e7\u00e3o do pedido", "refunded": "Valor reembolsado"},
    ),
    (
        (
            "Numer zam\u00f3wienia;Status zam\u00f3wienia;Data zam\u00f3wienia;ID klienta;Kwota zwrotu;"
            "Warto\u015b\u0107 zam\u00f3wienia"
        ),
        {
            "customer_id": "ID klienta",
            "timestamp": "Data zam\u00f3wienia",
            "order_value": "Warto\u015b\u0107 zam\u00f3wienia",
        },
        {"order_id": "Numer zam\u00f3wienia"},
        {"status": "Status zam\u00f3wienia", "refunded": "Kwota zwrotu"},
    ),
)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("header", "missing", "guessed", "found"), HEADERS, ids=lambda one: str(one)[:12])
def test_the_command_that_is_shown_reads_a_file_in_another_language(
    tmp_path: Path, header: str, missing: dict[str, str], guessed: dict[str, str], found: dict[str, str]
) -> None:
    cells = dict.fromkeys(header.split(";"), "x") | {missing["order_value"]: "100,00"}
    cells |= {
        found.get("customer_id", missing.get("customer_id", "")): "a@x.example",
        missing["timestamp"]: "2026-01-05",
    }
    cells |= {guessed["order_id"]: "7", found["refunded"]: "40,00", found["status"]: "paid"}
    text = f"{header}\n{';'.join(cells.values())}\n"
    with pytest.raises(UnreadableFileError, match="would work") as refused:
        read(tmp_path, text)
    _, _, shown = str(refused.value).partition('ARGS="')
    named = dict(option.removeprefix("--column=").split("=") for option in shlex.split(shown.partition('"')[0]))
    assert named == missing | guessed
    file = read(tmp_path, text, columns=named)
    assert file.columns | found == file.columns
    assert (file.figures.orders, file.figures.money) == (1, 60)


@pytest.mark.parametrize(
    "column",
    ["Refunded Amount", "Amount Refunded", "refunded_total", "Total Refunded", "refund_amount", "Refund Total"],
)
@pytest.mark.parametrize(
    "header", ["customer_id,timestamp,order_value", "Name,Email,Financial Status,Created at,Total"]
)
def test_what_was_paid_back_is_subtracted_beside_the_columns_of_a_known_system(
    tmp_path: Path, header: str, column: str
) -> None:
    cells = "ann,2026-01-05,{}" if header.startswith("customer") else "#1,ann@x.example,paid,2026-01-05,{}"
    file = read(tmp_path, f"{header},{column}\n{cells.format(100)},40.00\n{cells.format(50).replace('#1', '#2')},50\n")
    assert (file.figures.orders, file.figures.money, file.figures.cancelled) == (1, 60, 1)


@pytest.mark.parametrize(
    ("column", "cell"), [("order_status", "refunded"), ("is_cancelled", "true"), ("state", "void")]
)
def test_the_state_of_orders_counts_beside_our_own_columns(tmp_path: Path, column: str, cell: str) -> None:
    text = f"customer_id,timestamp,order_value,{column}\nann,2026-01-05,100,{cell}\nbob,2026-01-06,50,\n"
    assert (read(tmp_path, text).figures.orders, read(tmp_path, text).figures.cancelled) == (1, 1)


@pytest.mark.parametrize(("cells", "money"), [("yes,no", 50), ("true,false", 50), ("40,0", 110)])
def test_a_column_of_refunds_may_say_whether_in_place_of_how_much(tmp_path: Path, cells: str, money: float) -> None:
    first, second = cells.split(",")
    text = f"customer,date,total,order,refunded\nann,2026-01-05,100,1,{first}\nbob,2026-01-06,50,2,{second}\n"
    assert read(tmp_path, text).figures.money == money


@pytest.mark.parametrize(
    ("column", "cell", "field"),
    [("Erstattet", "40,00", "refunded"), ("Rimborsi", "40,00", "refunded"), ("returned", "1", "cancelled")],
)
def test_a_column_that_looks_like_refunds_is_told_where_it_is_not_read(
    tmp_path: Path, column: str, cell: str, field: str
) -> None:
    text = f"customer,date,total,order,{column}\nann,2026-01-05,100,1,{cell}\nbob,2026-01-06,50,2,0\n"
    text = text.replace(",", ";").replace("40;00", "40,00")
    assert f"{column!r} reads like what was paid back of orders" in read(tmp_path, text).said
    assert f"--column={field}={column} uses it" in read(tmp_path, text).said
    assert "reads like" not in read(tmp_path, text.replace(cell, "0")).said


def test_a_second_column_of_states_is_told(tmp_path: Path) -> None:
    text = "customer,date,total,order,status,payment status\nann,2026-01-05,100,1,open,refunded\n"
    assert "'payment status' reads like the state of orders ('refunded' (1))" in read(tmp_path, text).said
    assert "'--column=cancelled=payment status' uses it" in read(tmp_path, text).said
    assert read(tmp_path, text, columns={"cancelled": "payment status"}).figures.orders == 0


@pytest.mark.parametrize("header", ["customer,date,total", "customer_id,timestamp,order_value"])
@pytest.mark.parametrize(
    "column",
    ["increment_id", "R\u00e9f\u00e9rence", "order name", "ID", "Bestell-Nr.", "Receipt No", "basket_id"],
)
def test_a_column_that_may_be_the_number_of_orders_is_told_where_none_is_read(
    tmp_path: Path, header: str, column: str
) -> None:
    text = f"{header},{column}\nann,2026-01-05,10,1\nann,2026-01-05,20,1\n"
    file = read(tmp_path, text)
    assert file.figures.orders == 2
    assert f"no column is read as the order's number, so each line is an order: if {column!r} is it" in file.said
    named = read(tmp_path, text, columns={"order_id": column})
    assert (named.figures.orders, "order's number" in named.said) == (1, False)


@pytest.mark.parametrize("column", ["Bestellsumme", "Montant total de la commande", "Totale ordine"])
def test_an_order_s_total_counts_once_by_its_name_in_any_language(tmp_path: Path, column: str) -> None:
    text = f"customer;date;order;{column};Artikel\nann;2026-01-05;1;70,00;Tee\nann;2026-01-05;1;70,00;Pot\n"
    assert read(tmp_path, text, columns={"order_value": column}).figures.money == 70


@pytest.mark.parametrize("column", ["user_id", "session id", "store_id", "Order date", "order status"])
def test_other_ids_and_what_is_of_an_order_are_not_said_to_be_its_number(tmp_path: Path, column: str) -> None:
    assert (
        "order's number" not in read(tmp_path, f"customer_id,timestamp,order_value,{column}\nann,2026-01-05,1,x\n").said
    )


def test_two_columns_of_one_name_are_told_of_a_known_system_too(tmp_path: Path) -> None:
    text = "customer_id,timestamp,order_value,order_value\nann,2026-01-05,10,20\n"
    assert "order_value is 'order_value'; 'order_value (2)' could be it too" in read(tmp_path, text).said


def test_words_of_prestashop_are_read_in_its_own_language(tmp_path: Path) -> None:
    text = "ID;R\u00e9f\u00e9rence;Client;Total;\u00c9tat;Date\n1;A;Ann;70,00;Livr\u00e9;05/01/2026 10:00:00\n"
    text += "2;B;Bob;50,00;En attente du paiement par ch\u00e8que;16/01/2026 10:00:00\n"
    text += "3;C;Bob;30,00;Paiement \u00e0 distance accept\u00e9;16/01/2026 11:00:00\n"
    file = read(tmp_path, text + "4;D;Bob;20,00;Annul\u00e9;17/01/2026 11:00:00\n")
    assert (file.figures.orders, file.figures.money, "unknown words" in file.said) == (2, 100, False)


def test_titles_as_wide_as_a_header_in_another_language_are_none(tmp_path: Path) -> None:
    text = "Export;;;\nvon;2026-01-01;bis;2026-02-01\n\nKundennr;Datum;Betrag;Bestellnr\nA1;05.01.2026;10,50;1\n"
    with pytest.raises(UnreadableFileError, match="among Kundennr, Datum, Betrag, Bestellnr"):
        read(tmp_path, text)
    assert not is_header(["Tea of the day", "Ann", "12.50"])


@pytest.mark.parametrize("cell", ["0000-00-00 00:00:00", "0000-00-00", ""])
def test_a_time_of_zeros_is_no_cancellation(tmp_path: Path, cell: str) -> None:
    file = read(tmp_path, f"customer,date,total,cancelled_at\nann,2026-01-05,100,{cell}\nbob,2026-01-06,5,2026-01-07\n")
    assert (file.figures.orders, file.figures.cancelled, file.rejects) == (1, 1, [])


@pytest.mark.parametrize("column", ["is_refunded", "Storniert", "voided"])
def test_columns_that_say_that_an_order_was_taken_back_are_read(tmp_path: Path, column: str) -> None:
    file = read(tmp_path, f"customer,date,total,{column}\nann,2026-01-05,100,1\nbob,2026-01-06,5,0\n")
    assert (file.figures.orders, file.figures.money, file.figures.cancelled) == (1, 5, 1)


@pytest.mark.parametrize("value", ["12 TL", "12 Euro", "12 kn", "S/ 12", "\u5143 12", "12 \u043b\u0432.", "12\u0111"])
def test_words_for_currencies_stand_beside_amounts(tmp_path: Path, value: str) -> None:
    assert read(tmp_path, f"customer;date;total\nann;2026-01-05;{value}\n").figures.money == 12


def test_the_command_that_is_shown_is_one_for_make(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        read(tmp_path, "Kunde;Datum;Betrag ($)\nann;2026-01-05;5\n")
    assert r"'--column=order_value=Betrag (\$\$)'" in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        ("Total excl. tax;Total incl. tax", "'--column=order_value=Total incl. tax'"),
        ("Zwischensumme;Gesamt", "--column=order_value=Gesamt"),
        ("Refund amount;Tax total", "--column=order_value=COLUMN"),
    ],
)
def test_the_likeliest_value_is_the_whole_one(tmp_path: Path, columns: str, value: str) -> None:
    with pytest.raises(UnreadableFileError) as refused:
        read(tmp_path, f"Kunde;Datum;{columns}\nann;2026-01-05;5;6\n")
    assert value in str(refused.value)
