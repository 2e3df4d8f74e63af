"""The audit trail: read by REST, and linked to a chain each minute, which this function's log copies."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.mysql import Database
from churn.adapters.mysql.audit import AuditFilter
from churn.adapters.redis_cache import Cache
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api, Call
from churn.observability import count_alone, logger, traced
from churn.services import audit
from churn.services.audit_trail import AuditTrail
from churn.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from churn.domain.access_answers import AuditPage
    from churn.domain.audit import Link

_settings = settings().require("database_url", "erasure_key")
_database = Database.for_requests(_settings.database_url)
_trail = AuditTrail(lambda: _database, _settings)
_api = Api("audit", _settings, Cache(_settings.redis_url), trail=_trail)
app = _api.app


@_api.answers("list_audit_entries")
def list_audit_entries(call: Call) -> AuditPage:
    query = call.query
    customer = None if query.customer_id is None else _trail.hmac_of(query.customer_id)
    wanted = AuditFilter(query.subject, query.action, customer, query.since, query.until)
    return audit.page(_database, wanted, cursor=query.cursor, limit=query.limit)


@logger.inject_lambda_context
@traced
def _link(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    linked = audit.link_entries(_database, _settings, datetime.now(UTC), _copy)
    count_alone("AuditLinks")
    return {"linked": linked}


def _copy(links: Sequence[Link]) -> None:
    """Print links, whatever the level of the log: the log group is out of the functions' reach."""
    for link in links:
        entry = None if link.entry is None else link.entry.to_dict()
        place = {"position": link.position, "entry_id": link.entry_id, "digest": link.digest}
        times = {"linked_at": iso(link.linked_at), "complete_at": link.complete_at and iso(link.complete_at)}
        print(json.dumps({"audit": entry, **place, **times}))
    sys.stdout.flush()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer a REST request, or link what was stored since the last minute."""
    answer: dict[str, Any] = app(event, context) if "httpMethod" in event else _link(event, context)
    return answer
