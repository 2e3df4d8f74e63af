"""Takes events by REST: each is checked and answered, and the good ones are queued for scoring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.event_queue import EventQueue
from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call
from churn.services.audit_trail import AuditTrail
from churn.services.event_intake import take_events
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain import answers

_settings = settings().require("database_url", "events_queue")
_database = Database.for_requests(_settings.database_url)
_queue = EventQueue(_settings.events_queue)
_api = Api("events", _settings, Cache(_settings.redis_url), trail=AuditTrail(lambda: _database, _settings))
app = _api.app


@_api.answers("take_events")
def take(call: Call) -> answers.EventsTaken:
    body, allowed = call.body, _settings.allowed_customer_ids
    return take_events(body.items, _queue, is_list=body.is_list, now=call.now, allowed=allowed)
