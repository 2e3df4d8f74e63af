"""What the audit trail is told of a request: the one place that every route passes.

What changes, exports or erases gets an entry before it is begun, without a status, and one with the status when it has
ended; a read and an intake get the second alone. What is asked for is told by ids of the service's own: a query may
hold a name, and nothing that an entry holds could be erased.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from churn.domain.audit import BEST_EFFORT, LONGEST_OBJECT, AuditEntry
from churn.entrypoints.http.routes import Route
from churn.services.audit_trail import AuditTrail

# Numbers of alerts, notes and segments, ids of keys and runs, versions. A client may have put a customer's id in their
# place, which no entry may hold: what has another form, or was not found, is not told.
_ID = re.compile(r"\d{1,18}|[0-9a-f]{16}|[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\w.-]{1,53}", re.ASCII)
_NAMES = ("id", "run_id", "version")
# A conflict, or an outdated version, is with what is there.
_OF_WHAT_IS_THERE = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for what: the parameters of the path, the checked query and body."""

    at: datetime
    subject: str | None
    role: str | None
    request_id: str
    path: Mapping[str, str]
    query: Any
    body: Any


class Audited:
    """One request of a route, on its way through the audit trail."""

    def __init__(self, trail: AuditTrail, route: Route, request: Request) -> None:
        self._trail = trail
        self._route = route
        self._request = request
        self._is_needed = route.audit not in BEST_EFFORT

    def begin(self) -> None:
        """Store that it begins, if it may not be done otherwise. Raises AuditTrailUnavailableError."""
        if self._is_needed:
            self._trail.store(lambda: self._entry({}), is_needed=True)

    def end(self, status: int, answer: object) -> None:
        """Store how it ended; what fails here is logged."""
        body = answer if isinstance(answer, Mapping) else {}
        is_there = status < HTTPStatus.BAD_REQUEST or status in _OF_WHAT_IS_THERE
        self._trail.store(lambda: replace(self._entry(body, is_there=is_there), status=status), is_needed=False)

    def _entry(self, answer: Mapping[str, Any], *, is_there: bool = False) -> AuditEntry:
        """Return the entry; `is_there`: whether what was asked for is known to be there."""
        request = self._request
        customer_id = self._customer_id(answer)
        return AuditEntry(
            at=request.at,
            subject=request.subject,
            role=request.role,
            action=self._route.audit or "read",
            operation=self._route.operation,
            customer_hmac=None if customer_id is None else self._trail.hmac_of(customer_id),
            object=self._object(answer) if is_there else None,
            request_id=request.request_id[:64] if request.request_id.isascii() else None,
        )

    def _customer_id(self, answer: Mapping[str, Any]) -> str | None:
        asked = self._request
        candidates = (
            asked.path.get("customer_id"),
            getattr(asked.body, "customer_id", None),
            getattr(asked.query, "customer_id", None),
            answer.get("customer_id"),
        )
        return next((name for name in candidates if isinstance(name, str) and name), None)

    def _object(self, answer: Mapping[str, Any]) -> str | None:
        absent = {one["id"] for one in answer.get("results", ()) if one.get("code") == HTTPStatus.NOT_FOUND}
        ids = [one for one in getattr(self._request.body, "ids", None) or () if one not in absent]
        known = [*(self._request.path.get(name) for name in _NAMES), *ids, *(answer.get(name) for name in _NAMES)]
        told = [str(one) for one in known if isinstance(one, int | str) and _ID.fullmatch(str(one))]
        return ",".join(dict.fromkeys(told[: len(ids) or 1]))[:LONGEST_OBJECT] or None
