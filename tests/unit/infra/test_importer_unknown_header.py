"""The command that the refusal of an unknown header shows: right when it is run as shown, or with COLUMN in it."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PIECES = (
    "Order No;Order Date;Customer No;Item No;Qty Ordered;Price Each",
    "Bestellnummer;Bestelldatum;Kundennummer;Artikelnummer;Menge;Einzelpreis",
    "N\u00b0 commande;Date commande;N\u00b0 client;R\u00e9f\u00e9rence article;Quantit\u00e9;Prix unitaire TTC",
    "N\u00famero de pedido;Fecha del pedido;ID cliente;Art\u00edculo;Cantidad;Precio unitario",
    "Numero ordine;Data ordine;Codice cliente;Articolo;Quantit\u00e0;Prezzo unitario",
    "Ordernummer;Orderdatum;Klantnummer;Artikel;Aantal;Prijs per stuk",
    "N\u00famero do pedido;Data do pedido;C\u00f3digo do cliente;Artigo;Quantidade;Pre\u00e7o unit\u00e1rio",
    "Numer zam\u00f3wienia;Data zam\u00f3wienia;Klient;Produkt;Ilo\u015b\u0107;Cena jednostkowa",
)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


def refused(folder: Path, text: str, **options: object) -> str:
    with pytest.raises(UnreadableFileError) as error:
        read(folder, text, **options)
    return str(error.value)


def shown(folder: Path, text: str) -> dict[str, str]:
    """Return the columns by field of the command that the refusal of a file shows."""
    _, _, options = refused(folder, text).partition('ARGS="')
    return dict(option.removeprefix("--column=").split("=") for option in shlex.split(options.partition('"')[0]))


@pytest.mark.parametrize("header", PIECES, ids=lambda header: header[:12])
def test_the_price_of_one_piece_is_shown_with_its_quantity_in_each_language(tmp_path: Path, header: str) -> None:
    text = f"{header}\nB1;05.01.2026;K1;T;2;10,00\nB1;05.01.2026;K1;C;3;5,00\nB2;16.01.2026;K2;T;4;10,00\n"
    named = shown(tmp_path, text)
    *_, quantity, price = header.split(";")
    assert (named["unit_price"], named["items_count"], "order_value" in named) == (price, quantity, False)
    assert read(tmp_path, text, columns=named).figures.money == 75
    # A price that somebody names is one of pieces, too.
    alone = {field: column for field, column in named.items() if field != "items_count"}
    file = read(tmp_path, text, columns=alone)
    assert (file.figures.money, f"as it was named, and is multiplied by {quantity!r}" in file.said) == (75, True)


def test_a_line_s_total_goes_before_the_price_of_one_piece(tmp_path: Path) -> None:
    text = "Kunde;Datum;Einzelpreis;Menge;Zeilensumme\na;2026-01-05;10,00;2;20,00\n"
    assert shown(tmp_path, text) == {"customer_id": "Kunde", "timestamp": "Datum", "order_value": "Zeilensumme"}


@pytest.mark.parametrize(
    ("amounts", "field"), [((10, 10, 10, 10), "unit_price"), ((10, 20, 30, 40), "order_value"), ((10, 25, 7, 9), None)]
)
def test_the_values_decide_whether_a_bare_price_is_that_of_one_piece(
    tmp_path: Path, amounts: tuple[int, ...], field: str | None
) -> None:
    lines = (f"a;2026-01-0{at};Tee;{at};{amount},00\n" for at, amount in enumerate(amounts, 1))
    text = f"Kunde;Datum;Artikel;Menge;Preis\n{''.join(lines)}"
    named = shown(tmp_path, text)
    assert (
        named
        == {"customer_id": "Kunde", "timestamp": "Datum"}
        | {
            "unit_price": {"unit_price": "Preis", "items_count": "Menge"},
            "order_value": {"order_value": "Preis"},
            None: {"order_value": "COLUMN"},
        }[field]
    )
    is_doubt = "the price of one piece (--column=unit_price=Preis --column=items_count=Menge) or the amount of all"
    assert (is_doubt in refused(tmp_path, text)) is (field is None)


def test_the_quantity_of_a_unit_price_is_found_or_its_absence_told(tmp_path: Path) -> None:
    text = "customer,date,sku,unit price,{}\na,2026-01-05,T,10.00,2\nb,2026-01-06,C,5.00,3\n"
    assert read(tmp_path, text.format("pieces")).figures.money == 35
    file = read(tmp_path, text.format("shelf"))
    assert (file.figures.money, "no column is read as the quantity, so each line is one piece" in file.said) == (
        15,
        True,
    )


@pytest.mark.parametrize(
    ("header", "cells", "field"),
    [
        # Persons share it, on several days.
        ("E-Mail;Datum;Summe;Pedido", ("Ann;1", "Ann;2", "Bob;1"), "order_id"),
        ("E-Mail;Datum;Summe;Order by", ("web;1", "web;2", "pos;3"), "order_id"),
        ("E-Mail;Datum;Summe;Order", ("Ann Lee;1", "Bob Ray;2", "Cat Fox;3"), "order_id"),
        ("E-Mail;Datum;Summe;Order", ("2026-01-05;1", "2026-01-06;2", "2026-01-07;3"), "order_id"),
        # The number of an order that another entry is of stands on few lines.
        ("E-Mail;Datum;Summe;Reference", (";1", ";2", "7;3"), "order_id"),
        ("E-Mail;Datum;Summe;Zustand", ("neuwertig;1", "gebraucht;2", "defekt;3"), "status"),
        ("E-Mail;Datum;Summe;Erstattung", ("per Post;1", "bar;2", "keine;3"), "refunded"),
        # How many came back, and what is subtracted already.
        ("E-Mail;Datum;Summe;Returns", ("0;1", "2;2", "1;3"), "refunded"),
    ],
)
def test_a_column_that_its_cells_refute_is_not_proposed(
    tmp_path: Path, header: str, cells: tuple[str, ...], field: str
) -> None:
    rows = [cell.split(";") for cell in cells]
    lines = (f"{'ab'[number == '3']}@x.example;2026-01-0{number};9,50;{cell}\n" for cell, number in rows)
    assert field not in shown(tmp_path, f"{header}\n{''.join(lines)}")


@pytest.mark.parametrize(
    ("header", "cells", "field"),
    [
        ("Kunde;Zeit;Summe", "a;35;9,50", "timestamp"),
        ("Kunde;Dia;Summe", "a;lunes;9,50", "timestamp"),
        ("Kunde;Uhrzeit;Summe", "a;10:30;9,50", "timestamp"),
        ("Kunde;Zeit;Summe", "a;10:30:05 pm;9,50", "timestamp"),
        ("Kunde;Datum;Umsatz", "a;2026-01-05;hoch", "order_value"),
        ("Kunde;Datum;Umsatz", "a;2026-01-05;0,00", "order_value"),
        ("Kunde;Datum;Summe", "yes;2026-01-05;9,50", "customer_id"),
        ("Kunde;Datum;Summe", "10,50;2026-01-05;9,50", "customer_id"),
    ],
)
def test_a_required_field_without_a_fitting_column_is_column(
    tmp_path: Path, header: str, cells: str, field: str
) -> None:
    assert shown(tmp_path, f"{header}\n{cells}\n{cells}\n")[field] == "COLUMN"


def test_forms_of_times_that_are_not_known_do_not_refute_a_column(tmp_path: Path) -> None:
    named = shown(tmp_path, "Kunde;Datum;Summe\na;5. Nissan 2026 10 Uhr;9,50\n")
    assert named == {"customer_id": "Kunde", "timestamp": "Datum", "order_value": "Summe"}


def test_a_transaction_s_own_number_and_amount_before_fees_are_proposed(tmp_path: Path) -> None:
    text = "Date;Num\u00e9ro de transaction de r\u00e9f\u00e9rence;Num\u00e9ro de transaction;Net;Commission;"
    text += "Avant commission;Client\n"
    named = shown(tmp_path, f"{text}2026-01-05;;T1;49,00;-1,00;50,00;a\n")
    assert named == {"order_id": "Num\u00e9ro de transaction", "order_value": "Avant commission"}


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ("a@x.example;05.01.2026", (0, 1)),
        ("05.01.2026;06.01.2026", (None, None)),
        ("a@x.example;b@x.example", (None, None)),
    ],
)
def test_names_in_other_scripts_are_known_by_the_only_column_of_times_and_of_addresses(
    tmp_path: Path, cells: str, found: tuple[int | None, int | None]
) -> None:
    names = ["\u041a\u043b\u0438\u0435\u043d\u0442", "\u0414\u0430\u0442\u0430"]
    named = shown(tmp_path, f"{';'.join(names)};\u0421\u0443\u043c\u043c\u0430\n{cells};9,50\n")
    expected = ["COLUMN" if index is None else names[index] for index in found]
    assert [named[field] for field in ("customer_id", "timestamp", "order_value")] == [*expected, "COLUMN"]


def test_of_two_columns_of_times_the_one_that_its_name_rules_out_does_not_count(tmp_path: Path) -> None:
    text = "Kunde;Versand am;Wenn;Summe\na;2026-01-07;2026-01-05;9,50\n"
    assert shown(tmp_path, text)["timestamp"] == "Wenn"


def test_a_list_of_customers_is_shown_as_one(tmp_path: Path) -> None:
    text = "id,email,first_name,date_registered,total_spend,orders\n1,a@x.example,A,2026-01-05,100,2\n"
    told = refused(tmp_path, text)
    assert f"make import FILE={tmp_path / 'orders.csv'} KIND=customers; if each line is an order" in told
    assert read(tmp_path, text, kind="customers").rejects == []
    assert "KIND=orders ARGS=" in refused(tmp_path, text, kind="orders")
    assert "KIND=customers" not in refused(tmp_path, text, kind="orders")


def test_a_file_without_a_header_is_told_so(tmp_path: Path) -> None:
    told = refused(tmp_path, "a,2026-01-05,1,10.00\nb,2026-01-06,2,10.00\n")
    assert "the first line holds '2026-01-05', as a line of orders does, and no names of columns" in told
    assert "ARGS" not in told


def test_a_report_by_customer_is_told_to_be_one(tmp_path: Path) -> None:
    text = ",Date,Num,Amount\nAnn,,,\n,01/15/2026,1001,20.00\n,01/20/2026,1002,10.00\nBob,,,\n,02/15/2026,1003,20.00\n"
    assert "each group below a line of its own ('Ann')" in refused(tmp_path, text)


def test_a_number_that_its_cells_refute_is_not_said_to_be_the_order_s(tmp_path: Path) -> None:
    text = "customer,date,total,reference\nann,2026-01-05,10,{}\nbob,2026-01-06,20,{}\n"
    assert "if 'reference' is it" in read(tmp_path, text.format(1, 2)).said
    assert "order's number" not in read(tmp_path, text.format("shop", "shop")).said


def test_a_header_whose_names_go_over_lines_is_shown_in_one_line(tmp_path: Path) -> None:
    text = '"Kunden\nnummer";"Bestell\r\ndatum";"Summe\n(brutto)"\n7;2026-01-05;10,00\n'
    named = shown(tmp_path, text)
    assert named == {"customer_id": "Kunden nummer", "timestamp": "Bestell datum", "order_value": "Summe (brutto)"}
    assert read(tmp_path, text, columns=named).figures.money == 10
    # The header again, as in exports that were put together, is no line, and its own name of a column is one.
    twice = text + text
    file = read(tmp_path, twice, columns=named | {"customer_id": "Kunden\nnummer"})
    assert (file.figures.money, file.lines, file.rejects) == (20, 2, [])


@pytest.mark.parametrize(
    ("quantity", "price"),
    [
        ("Menge", "EP netto"),
        ("Qt\u00e9", "P.U. HT"),
        ("Stk", "Preis/St\u00fcck"),
        ("Cant.", "Precio unit."),
        ("Q.t\u00e0", "Prezzo unit."),
        ("Ilo\u015b\u0107 szt.", "Cena jedn. brutto"),
        ("Hoeveelheid", "Stukprijs"),
        ("Qtde", "Valor unit\u00e1rio"),
        ("Units Sold", "Price per unit"),
    ],
)
def test_names_in_short_of_a_quantity_and_of_the_price_of_one_piece_are_known(
    tmp_path: Path, quantity: str, price: str
) -> None:
    named = shown(tmp_path, f"Kunde;Datum;SKU Code;{quantity};{price}\na;2026-01-05;T;2;10,00\n")
    assert (named["items_count"], named["unit_price"]) == (quantity, price)


@pytest.mark.parametrize(("price", "named"), [("Preis", "order_value"), ("Einzelpreis", "items_count")])
def test_a_price_beside_a_column_that_may_be_its_quantity_is_not_summed_in_silence(
    tmp_path: Path, price: str, named: str
) -> None:
    text = f"Kunde;Datum;Art;Packungen;{price}\na;2026-01-05;T;{{}};10,00\nb;2026-01-06;C;1;5,00\n"
    assert shown(tmp_path, text.format(2))[named] == "COLUMN"
    assert "COLUMN" not in shown(tmp_path, text.format(1)).values()


def test_a_bare_price_is_asked_about_whatever_the_product_is_called(tmp_path: Path) -> None:
    text = "Buyer Code,Sale Date,Sale No,SKU Code,Units Sold,Selling Price\na,2026-01-05,1,T,2,10.00\n"
    assert shown(tmp_path, text)["order_value"] == "COLUMN"
    assert "'Selling Price' is the price of one piece" in refused(tmp_path, text)


def test_the_command_that_is_shown_keeps_the_options_that_were_given(tmp_path: Path) -> None:
    text = "Wer;Datum;Betrag\na;05/01/2026;1.250\n"
    told = refused(
        tmp_path,
        text,
        kind="orders",
        columns={"customer_id": "Wer"},
        dates="dmy",
        decimal=".",
        statuses={"offen": "never"},
        zone=ZoneInfo("Europe/Berlin"),
    )
    options = "--column=customer_id=Wer --column=timestamp=Datum --column=order_value=Betrag --dates=dmy --decimal=. "
    assert f'KIND=orders ARGS="{options}--zone=Europe/Berlin --status=never=offen"' in told
