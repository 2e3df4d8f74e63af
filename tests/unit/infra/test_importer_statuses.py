"""Money that did not stay: the words for the state of an order, and what was paid back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.domain.customer import replay
from infra.tools.importer import tallies
from infra.tools.importer.statuses import STATUSES, StatusClass, plain_status
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)

WORDS: dict[StatusClass, str] = {
    "counts": """
        completed, Complete, paid, processing, wc-completed, partially_refunded, Partially Refunded, shipped,
        authorized, abgeschlossen, Bezahlt, versendet, terminée, Expédiée, completado, Enviado, completato,
        spedito, voltooid, In behandeling, concluído, Entregue, zrealizowane, Wysłane, in Bearbeitung,
        unfulfilled, Awaiting Fulfillment, succeeded
    """,
    "cancelled": """
        cancelled, Canceled, wc-cancelled, void, voided, refunded, WC-Refunded, returned, charge_back,
        reversed, storniert, Erstattet, zurückerstattet, annulée, Remboursée, cancelado, Reembolsado,
        annullato, Rimborsato, geannuleerd, Terugbetaald, cancelada, estornado, anulowane, Zwrócone,
        retourniert
    """,
    "never": """
        pending, wc-pending, unpaid, draft, checkout-draft, trash, failed, declined, on-hold, pending_payment,
        Awaiting Payment, ausstehend, Entwurf, fehlgeschlagen, en attente, Brouillon, échouée, pendiente de
        pago, Borrador, fallido, in attesa, bozza, fallito, in afwachting, Mislukt, pagamento pendente,
        rascunho, Malsucedido, oczekujące na płatność, szkic, nieopłacone
    """,
}


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "orders.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


_CASES = [(kind, " ".join(word.split())) for kind, words in WORDS.items() for word in words.split(",") if word.strip()]


@pytest.mark.parametrize(("kind", "word"), _CASES)
def test_a_word_means_what_it_says(tmp_path: Path, kind: StatusClass, word: str) -> None:
    file = read(tmp_path, f"customer,date,total,order,status\nann,2026-01-01,10,1,{word}\nann,2026-01-02,5,2,paid\n")
    state = replay(file.events)
    assert (state.purchases.orders, state.purchases.cents) == ((2, 1500) if kind == "counts" else (1, 500))
    assert [event.event_type for event in file.events if event.order_id == "1"] == {
        "counts": ["order_placed"],
        "cancelled": ["order_cancelled"],
        "never": [],
    }[kind]
    assert not file.rejects
    assert STATUSES[plain_status(word)] == kind


def test_unknown_words_are_told_with_their_counts_and_can_be_classed(tmp_path: Path) -> None:
    text = "customer,date,total,order,status\n" + "".join(f"ann,2026-01-0{n},10,{n},Zapped\n" for n in range(1, 4))
    file = read(tmp_path, text)
    assert "'Zapped' (3)" in file.said
    assert "--status 'cancelled=Zapped'" in file.said
    assert file.figures.orders == 3
    classed = read(tmp_path, text, statuses={"zapped": "never"})
    assert (classed.figures.orders, "Zapped'" in classed.said) == (0, True)


@pytest.mark.parametrize("column", ["Refunded Amount", "Amount Refunded", "refunded_total", "Total Refunded"])
def test_what_was_paid_back_is_subtracted_and_all_of_it_is_taken_back(tmp_path: Path, column: str) -> None:
    file = read(tmp_path, f"customer,date,total,order,{column}\nann,2026-01-01,10,1,4\nann,2026-01-02,5,2,5.00\n")
    state = replay(file.events)
    assert (state.purchases.orders, state.purchases.cents) == (1, 600)
    assert "1 orders (5.00); of 1 more a part (4.00)" in file.said


def test_an_order_of_value_0_is_no_order_for_recency(tmp_path: Path) -> None:
    file = read(tmp_path, "customer,date,total\nann,2026-01-01,10\nann,2026-03-01,0\n")
    state = replay(file.events)
    assert state.last_order_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert "1 orders of value 0" in file.said


def test_words_beyond_a_bound_are_counted_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "MOST_WORDS", 5)
    rows = "".join(f"ann,2026-01-01,10,{n},Zapped{n % 40}\n" for n in range(200))
    rows += "".join(f"ann,2026-01-0{n},{'x' * n},{n},paid\n" for n in range(1, 9))
    file = read(tmp_path, "customer,date,total,order,status\n" + rows)
    assert (len(file.tally.statuses.unknown), file.tally.statuses.unknown.total()) == (6, 200)
    assert file.tally.statuses.unknown[tallies.OTHERS] == 35 * 5
    assert len(file.tally.rejects) <= 6
    assert file.tally.rejects.total() == 8
    assert file.figures.orders == 200


@pytest.mark.parametrize(("column", "words"), [("paid", ("yes", "no")), ("Test", ("false", "true"))])
def test_a_column_that_says_which_lines_never_were_orders_is_told(
    tmp_path: Path, column: str, words: tuple[str, str]
) -> None:
    text = f"customer,date,total,order,{column}\nann,2026-01-01,10,1,{words[0]}\nbob,2026-01-02,5,2,{words[1]}\n"
    said = read(tmp_path, text).said
    assert f"column '{column}' may say which lines never were orders ('{words[1]}' (1))" in said
    assert f"--column=status={column} --status=counts={words[0]} --status=never={words[1]} leaves them out" in said
    file = read(tmp_path, text, columns={"status": column}, statuses={words[0]: "counts", words[1]: "never"})
    assert (file.figures.orders, "WARNING" in file.said) == (1, False)
