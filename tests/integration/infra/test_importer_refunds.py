"""Refunds that stand in a later file than their order are subtracted from the stored order, each once."""

from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from tests.support.imports import import_csv
from tests.support.stored import assert_tables_agree, compare_with_histories, rows

_PAYPAL = (
    "Date,Time,TimeZone,Name,Type,Status,Currency,Gross,Fee,Net,From Email Address,To Email Address,"
    "Transaction ID,Reference Txn ID\n"
)
_SHOP = "shop@x.example"
_PAYMENTS = (
    f"16/01/2026,10:00:00,UTC,Bob,Website Payment,Completed,EUR,40.00,0,40.00,bob@x.example,{_SHOP},T2,\n"
    f"20/01/2026,10:00:00,UTC,Dan,Website Payment,Completed,EUR,20.00,0,20.00,dan@x.example,{_SHOP},T6,\n"
)
_FEBRUARY = (
    f"03/02/2026,10:00:00,UTC,Bob,Payment Refund,Completed,EUR,-15.00,0,-15.00,{_SHOP},bob@x.example,T3,T2\n"
    f"04/02/2026,10:00:00,UTC,Dan,Payment Refund,Completed,EUR,-20.00,0,-20.00,{_SHOP},dan@x.example,T7,T6\n"
    f"25/02/2026,10:00:00,UTC,Eve,Payment Refund,Completed,EUR,-9.00,0,-9.00,{_SHOP},eve@x.example,T9,T8\n"
)
_MARCH = f"03/03/2026,10:00:00,UTC,Bob,Payment Refund,Completed,EUR,-5.00,0,-5.00,{_SHOP},bob@x.example,T5,T2\n"


def _spent(database: Database) -> dict[str, tuple[int, float]]:
    found = rows(database, "SELECT customer_id, total_orders, total_spent FROM customers")
    return {row["customer_id"]: (row["total_orders"], float(row["total_spent"])) for row in found}


def test_refunds_of_paypal_are_subtracted_from_orders_of_earlier_files(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_csv(tmp_path, "january", _PAYPAL + _PAYMENTS) == 0
    capsys.readouterr()
    assert import_csv(tmp_path, "february", _PAYPAL + _FEBRUARY) == 0
    said = capsys.readouterr().out
    assert "subtracted from orders that were stored before: 2 refunds (-35.00)" in said
    assert "1 refunds are of orders that are not stored: import the file with these orders, then this one again" in said
    assert _spent(shop) == {"bob@x.example": (1, 25.0), "dan@x.example": (0, 0.0)}
    # A file that overlaps with the one before subtracts what is new.
    assert import_csv(tmp_path, "march", _PAYPAL + _FEBRUARY + _MARCH) == 0
    assert "1 refunds (-5.00)" in capsys.readouterr().out
    expected = {"bob@x.example": (1, 20.0), "dan@x.example": (0, 0.0)}
    assert _spent(shop) == expected
    for name, text in (("january", _PAYMENTS), ("february", _FEBRUARY), ("march", _FEBRUARY + _MARCH)):
        assert import_csv(tmp_path, name, _PAYPAL + text) == 0
        said = capsys.readouterr().out
        assert ("0 events imported" in said, "subtracted" in said) == (True, False)
        assert _spent(shop) == expected, (name, said)
    assert compare_with_histories(shop) == 2
    assert_tables_agree(shop)


def test_a_refund_that_a_whole_export_has_subtracted_is_not_subtracted_again(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "whole", _PAYPAL + _PAYMENTS + _FEBRUARY) == 0
    assert import_csv(tmp_path, "february", _PAYPAL + _FEBRUARY) == 0
    assert _spent(shop) == {"bob@x.example": (1, 25.0), "dan@x.example": (0, 0.0)}
    assert import_csv(tmp_path, "march", _PAYPAL + _MARCH) == 0
    assert _spent(shop)["bob@x.example"] == (1, 20.0)


def test_refunds_without_a_stored_order_are_no_import(shop: Database, tmp_path: Path) -> None:
    assert import_csv(tmp_path, "february", _PAYPAL + _FEBRUARY) == 1
    assert _spent(shop) == {}
    # They come in once their orders have.
    for name, lines in (("january", _PAYMENTS), ("february", _FEBRUARY)):
        assert import_csv(tmp_path, name, _PAYPAL + lines) == 0
    assert _spent(shop) == {"bob@x.example": (1, 25.0), "dan@x.example": (0, 0.0)}


def test_a_refund_of_square_names_the_payment_of_an_earlier_file(shop: Database, tmp_path: Path) -> None:
    header = "Date,Time,Time Zone,Gross Sales,Net Sales,Total Collected,Transaction ID,Event Type,Customer ID\n"
    payment = "2026-01-06,10:00:00,UTC,$30.00,$30.00,$30.00,S2,Payment,CB\n"
    assert import_csv(tmp_path, "payments", header + payment) == 0
    refund = "2026-02-07,10:00:00,UTC,($12.00),($12.00),($12.00),S2,Refund,CB\n"
    assert import_csv(tmp_path, "refunds", header + refund) == 0
    assert _spent(shop) == {"CB": (1, 18.0)}


def test_a_later_export_of_stripe_shows_what_was_refunded_meanwhile(shop: Database, tmp_path: Path) -> None:
    header = "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID\n"
    assert import_csv(tmp_path, "before", header + "ch_2,2026-01-06 10:00,25.00,0.00,eur,Paid,cus_B\n") == 0
    assert import_csv(tmp_path, "after", header + "ch_2,2026-01-06 10:00,25.00,5.00,eur,Paid,cus_B\n") == 0
    assert _spent(shop) == {"cus_B": (1, 20.0)}


def test_a_later_credit_note_under_the_number_of_an_order_takes_off_what_it_says(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "customer,order,date,total,status\n"
    orders = header + "ann,1,2026-01-05,10,paid\nbob,2,2026-01-05,20,paid\ncleo,3,2026-01-05,5,paid\n"
    part = "ann,1,2026-01-20,-6,refunded\n"
    notes = header + part + "bob,2,2026-01-20,-20,refunded\ncleo,C9,2026-01-20,-5,refunded\n"
    assert import_csv(tmp_path, "january", orders) == 0
    assert import_csv(tmp_path, "february", notes) == 0
    assert "1 refunds (-6.00)" in capsys.readouterr().out
    expected = {"ann": (1, 4.0), "bob": (0, 0.0), "cleo": (1, 5.0)}
    assert _spent(shop) == expected
    # Files that overlap take nothing off twice.
    for name, text in (
        ("january", orders),
        ("february", notes),
        ("march", header + part + "dan,4,2026-03-01,1,paid\n"),
    ):
        assert import_csv(tmp_path, name, text) == 0
        assert _spent(shop) == expected | ({"dan": (1, 1.0)} if name == "march" else {})
    assert compare_with_histories(shop) == 4
    assert_tables_agree(shop)


def test_a_chargeback_that_is_reversed_in_a_later_file_gives_the_stored_order_back(
    shop: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = (
        f"23/02/2026,10:00:00,UTC,Bob,Chargeback,Completed,EUR,-40.00,0,-40.00,{_SHOP},bob@x.example,T3,T2\n"
        f"24/02/2026,10:00:00,UTC,Dan,Chargeback,Completed,EUR,-15.00,0,-15.00,{_SHOP},dan@x.example,T7,T6\n"
    )
    given = (
        f"23/03/2026,10:00:00,UTC,Bob,Chargeback Reversal,Completed,EUR,40.00,0,40.00,bob@x.example,{_SHOP},T4,T2\n"
        f"24/03/2026,10:00:00,UTC,Dan,Chargeback Reversal,Completed,EUR,15.00,0,15.00,dan@x.example,{_SHOP},T8,T6\n"
    )
    whole = {"bob@x.example": (1, 40.0), "dan@x.example": (1, 20.0)}
    less = {"bob@x.example": (0, 0.0), "dan@x.example": (1, 5.0)}
    for name, text, expected in (
        ("january", _PAYMENTS, whole),
        ("february", taken, less),
        ("march", taken + given, whole),
        ("march-alone", given, whole),
        ("february-again", taken, whole),
    ):
        capsys.readouterr()
        assert import_csv(tmp_path, name, _PAYPAL + text) == 0
        said = capsys.readouterr().out
        assert ("given back again to orders that were stored before: 2" in said) == (name == "march")
        assert _spent(shop) == expected
    assert compare_with_histories(shop) == 2
    assert_tables_agree(shop)


def test_an_order_that_one_file_has_taken_back_whole_is_given_back(shop: Database, tmp_path: Path) -> None:
    payment = f"16/01/2026,10:00:00,UTC,Bob,Website Payment,Completed,EUR,40.00,0,40.00,bob@x.example,{_SHOP},T2,\n"
    taken = f"23/02/2026,10:00:00,UTC,Bob,Chargeback,Completed,EUR,-40.00,0,-40.00,{_SHOP},bob@x.example,T3,T2\n"
    given = f"23/03/2026,10:00:00,UTC,Bob,Chargeback Reversal,Completed,EUR,40.00,0,40.00,bob@x.example,{_SHOP},T4,T2\n"
    assert import_csv(tmp_path, "january", _PAYPAL + payment + taken) == 0
    assert _spent(shop) == {"bob@x.example": (0, 0.0)}
    assert import_csv(tmp_path, "march", _PAYPAL + given) == 0
    assert _spent(shop) == {"bob@x.example": (1, 40.0)}
    assert compare_with_histories(shop) == 1
    assert_tables_agree(shop)
