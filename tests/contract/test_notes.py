"""Notes about a customer, through the running stack."""

import uuid
from urllib.parse import quote

import pytest

from tests.contract.conftest import Stack
from tests.contract.test_rest import answered, assert_described


@pytest.fixture
def notes(stack: Stack) -> str:
    customers = stack.get("/api/customers?limit=1").json["customers"]
    stack.needs_customers(len(customers), 1)
    return f"/api/customers/{quote(customers[0]['customer_id'], safe='')}/notes"


def test_a_note_is_written_listed_told_in_the_timeline_and_deleted_by_its_author(stack: Stack, notes: str) -> None:
    text, anna, ben = (
        f"Moves abroad. {uuid.uuid4().hex}",
        *(stack.token("act", subject=name) for name in ("anna", "ben")),
    )
    made = stack.ask("POST", notes, {"note": text}, token=anna)
    assert made.status == 201, made.body
    note = assert_described("add_note", made)
    assert (note["by"], note["note"]) == ("anna", text)
    assert answered(stack, "list_notes", f"{notes}?limit=1")["notes"] == [note]
    story = answered(stack, "get_timeline", notes.replace("/notes", "/timeline?kind=note&limit=1"))
    assert story["items"] == [{"kind": "note", "at": note["at"], "note": note}]
    refused = stack.ask("DELETE", f"{notes}/{note['id']}", token=ben)
    assert (refused.status, "anna wrote" in refused.json["detail"]) == (409, True)
    assert stack.ask("DELETE", f"{notes}/{note['id']}", token=anna).status == 204
    assert stack.ask("DELETE", f"{notes}/{note['id']}", token=anna).status == 404
    assert note not in answered(stack, "list_notes", notes)["notes"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "note"), ({"note": ""}, "note"), ({"note": "x" * 4001}, "note"), ({"note": "x", "a": 1}, "a")],
)
def test_what_is_no_note_is_refused_by_the_field(stack: Stack, notes: str, body: object, field: str) -> None:
    answer = stack.ask("POST", notes, body, role="act")
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [field])


def test_whoever_may_not_act_reads_notes_and_writes_none(stack: Stack, notes: str) -> None:
    assert stack.get(notes, role="read").status == 200
    assert stack.ask("POST", notes, {"note": "x"}, role="predict").status == 403
    assert stack.ask("DELETE", f"{notes}/1", role="predict").status == 403
    assert stack.ask("POST", "/api/customers/no%20such/notes", {"note": "x"}, role="act").status == 404
