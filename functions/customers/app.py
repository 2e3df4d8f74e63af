"""Lists of customers, one customer, and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call, Table
from churn.entrypoints.http.segments import answer_segments
from churn.entrypoints.http.tables import part_of_file
from churn.services.audit_trail import AuditTrail
from churn.services.csv_files import CUSTOMERS
from churn.services.customer_erasure import request_erasure
from churn.services.customer_notes import CustomerNotes
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.services.customers import CustomerQuery, Customers
from churn.services.handing_over import hand_over
from churn.services.segments import Segments
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.answers import CustomerDetail, CustomerFieldsPage, CustomerPage, EventPage
    from churn.domain.story_answers import (
        CustomerErasure,
        CustomerExport,
        CustomerNote,
        CustomerThen,
        NotePage,
        RiskHistory,
        Timeline,
    )

_settings = settings().require("database_url", "erasure_key")
_cache = Cache(_settings.redis_url)
_database = Database.for_requests(_settings.database_url)
_customers = Customers(_database, _settings)
_story = CustomerStory(_database, _settings.retention)
_notes = CustomerNotes(_database)
_api = Api("customers", _settings, _cache, trail=AuditTrail(lambda: _database, _settings))
answer_segments(_api, Segments(_database, _cache, _settings))
app = _api.app


@_api.answers("list_customers")
def list_customers(call: Call) -> CustomerPage | CustomerFieldsPage:
    query, fields = CustomerQuery(**call.query.model_dump(exclude={"fields"})), call.query.fields
    return _customers.page(query, call.now) if fields is None else _customers.page_of_fields(query, fields, call.now)


@_api.answers("export_customers")
def export_customers(call: Call) -> Table:
    page = _customers.page(CustomerQuery(**call.query.model_dump()), call.now)
    return part_of_file(call, "export_customers", CUSTOMERS, page)


@_api.answers("get_customer")
def get_customer(call: Call) -> CustomerDetail | CustomerThen:
    if call.query.as_of is not None:
        return _story.then(call.path["customer_id"], call.query.as_of, call.now)
    return _customers.get(call.path["customer_id"], call.now)


@_api.answers("get_timeline")
def get_timeline(call: Call) -> Timeline:
    return _story.timeline(call.path["customer_id"], TimelineQuery(**call.query.model_dump()), call.now)


@_api.answers("list_notes")
def list_notes(call: Call) -> NotePage:
    return _notes.page(call.path["customer_id"], **call.query.model_dump())


@_api.answers("add_note")
def add_note(call: Call) -> CustomerNote:
    return _notes.add(call.path["customer_id"], call.body.note, call.client, call.now)


@_api.answers("delete_note")
def delete_note(call: Call) -> None:
    _notes.delete(call.path["customer_id"], call.path["id"], call.client)


@_api.answers("get_risk_history")
def get_risk_history(call: Call) -> RiskHistory:
    return _story.predictions(call.path["customer_id"], RiskQuery(**call.query.model_dump()))


@_api.answers("hand_over_customer")
def hand_over_customer(call: Call) -> CustomerExport:
    return hand_over(_database, call.path["customer_id"], call.query.cursor, call.now)


@_api.answers("erase_customer")
def erase_customer(call: Call) -> CustomerErasure:
    # The queue alone needs AWS's client: lists are spared the import.
    from churn.adapters.event_queue import EventQueue  # noqa: PLC0415

    return request_erasure(_database, EventQueue(_settings.events_queue), call.path["customer_id"], call.now)


@_api.answers("list_events")
def list_events(call: Call) -> EventPage:
    return _customers.events(call.path["customer_id"], **call.query.model_dump())
