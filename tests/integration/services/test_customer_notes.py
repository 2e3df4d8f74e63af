"""Notes about a customer: kept in the order they were written, deleted by who wrote them, gone with the customer."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta

import pytest

from churn.adapters.mysql import Database, Transaction, customers
from churn.adapters.mysql.customer_notes import NoteNotFoundError, NoteOfAnotherError
from churn.adapters.mysql.erasure import erase
from churn.adapters.mysql.orders import Ledgers
from churn.domain.errors import CustomerNotFoundError
from churn.domain.story_answers import CustomerNote
from churn.domain.timestamps import iso
from churn.domain.tombstones import Tombstones
from churn.services.cursors import InvalidCursorError
from churn.services.customer_notes import CustomerNotes
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support import eventually
from tests.support.events import NOW, event
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})
_PATIENCE = 30


@pytest.fixture
def notes(database: Database) -> CustomerNotes:
    Scoring(database, RecencyModel(), _SETTINGS).apply([event("login", "A"), event("login", "B")], now=NOW)
    return CustomerNotes(database)


def test_the_newest_note_comes_first_and_pages_are_all_of_them(notes: CustomerNotes) -> None:
    written = [notes.add("A", f"note {number}", "ann", NOW + timedelta(seconds=number // 2)) for number in range(5)]
    notes.add("B", "of somebody else", "ann", NOW)
    assert written[0] == {"id": written[0]["id"], "at": iso(NOW), "by": "ann", "note": "note 0"}
    for limit in (1, 2, 5):
        found: list[CustomerNote] = []
        cursor = None
        while not found or cursor is not None:
            page = notes.page("A", limit, cursor)
            found += page["notes"]
            cursor = page["next_cursor"]
        assert found == written[::-1]
    with pytest.raises(InvalidCursorError):
        notes.page("A", 1, "zzz")


def test_a_note_is_deleted_by_whoever_wrote_it_alone(notes: CustomerNotes) -> None:
    kept, gone = (notes.add("A", text, "ann", NOW) for text in ("kept", "gone"))
    with pytest.raises(NoteOfAnotherError, match="ann wrote"):
        notes.delete("A", str(gone["id"]), "ben")
    for other in (f"{gone['id']}0", "x", "9" * 30):
        with pytest.raises(NoteNotFoundError):
            notes.delete("A", other, "ann")
    with pytest.raises(NoteNotFoundError):
        notes.delete("B", str(gone["id"]), "ann")
    notes.delete("A", str(gone["id"]), "ann")
    assert notes.page("A", 50, None)["notes"] == [kept]


def test_nobody_has_no_notes(notes: CustomerNotes) -> None:
    for ask in (
        lambda: notes.page("nobody", 1, None),
        lambda: notes.add("nobody", "x", "ann", NOW),
        lambda: notes.delete("nobody", "1", "ann"),
    ):
        with pytest.raises(CustomerNotFoundError):
            ask()


def test_a_note_that_waits_while_its_customer_is_erased_is_not_stored(
    notes: CustomerNotes, database: Database, mysql_url: str
) -> None:
    later, looker = Database(mysql_url), Database(mysql_url)
    tombstones = Tombstones(lambda: _SETTINGS.erasure_key)
    with ThreadPoolExecutor(1) as thread:

        def work(transaction: Transaction) -> Future[CustomerNote]:
            customer = customers.lock(Ledgers(transaction), {"A"}, NOW, tombstones)["A"]
            noting = thread.submit(CustomerNotes(later).add, "A", "too late", "ann", NOW)
            # The server tells this no oftener than ten times a second.
            eventually(lambda: _waiting(looker) == 1, within=_PATIENCE, every=0.25)
            customer.state.apply(event("customer_deleted", "A"))
            erase(transaction, customer.record, tombstones, now=NOW)
            customer.record = customer.record.erased(tombstones.of("A"), NOW)
            customers.save(transaction, [customer], {})
            return noting

        try:
            with pytest.raises(CustomerNotFoundError):
                database.run(work).result(_PATIENCE)
        finally:
            later.close()
            looker.close()
    assert rows(database, "SELECT id FROM customer_notes") == []
    assert notes.page("B", 1, None)["notes"] == []


def _waiting(looker: Database) -> int:
    """Return how many transactions wait for a lock."""
    return len(rows(looker, "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"))


def test_a_page_is_a_range_of_an_index(notes: CustomerNotes, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(40):
        notes.add("AB"[number % 2], "x", "ann", NOW + timedelta(seconds=number))
    cursor = notes.page("A", 3, None)["next_cursor"]
    watched = watch_plans(monkeypatch, lambda statement: "FROM customer_notes" in statement)
    assert len(notes.page("A", 3, cursor)["notes"]) == 3
    (plan,) = rows_of(watched)
    assert plan["key"] == "customer_notes_by_customer"
    assert "filesort" not in (plan["Extra"] or "")
