"""The audit trail through the running stack: written by requests, linked by the minute, read by an admin."""

import uuid

from tests.contract.conftest import Stack
from tests.contract.test_rest import answered
from tests.support import eventually
from tests.support.http import Answer

_PATIENCE_SECONDS = 150


def _told(stack: Stack, subject: str) -> list[tuple[str, str, int | None]]:
    page = answered(stack, "list_audit_entries", f"/api/audit?subject={subject}")
    return [(entry["action"], entry["operation"], entry["status"]) for entry in page["entries"]]


def _ask(stack: Stack, method: str, path: str, body: object, subject: str) -> Answer:
    return stack.ask(method, path, body, token=stack.token("admin", subject=subject))


def test_who_did_what_is_told_and_linked(stack: Stack) -> None:
    somebody = f"auditee-{uuid.uuid4().hex}"
    assert _ask(stack, "GET", "/api/customers?limit=1", None, somebody).status == 200
    made = _ask(stack, "POST", "/api/segments", {"name": somebody, "filter": {}}, somebody)
    assert made.status == 201, made.body
    assert _ask(stack, "DELETE", f"/api/segments/{made.json['id']}", None, somebody).status == 204
    assert _told(stack, somebody) == [
        ("change", "delete_segment", 204),
        ("change", "delete_segment", None),
        ("change", "add_segment", 201),
        ("change", "add_segment", None),
        ("read", "list_customers", 200),
    ]

    def are_linked() -> bool:
        page = stack.get(f"/api/audit?subject={somebody}", role="admin").json["entries"]
        return all(entry["position"] is not None for entry in page)

    eventually(are_linked, within=_PATIENCE_SECONDS, every=1)


def test_the_trail_is_for_admins(stack: Stack) -> None:
    assert stack.get("/api/audit", role="act").status == 403
