"""Lists of customers, one customer, and their history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call, Table
from churn.entrypoints.http.requests import Model
from churn.entrypoints.http.tables import part_of_file
from churn.services.audit_trail import AuditTrail
from churn.services.csv_files import CUSTOMERS
from churn.services.customer_erasure import request_erasure
from churn.services.customer_filters import CustomerFilters
from churn.services.customer_notes import CustomerNotes
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.services.customers import CustomerQuery, Customers
from churn.services.handing_over import hand_over
from churn.services.segments import Segments, SegmentWork, segment_id
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain.answers import CustomerDetail, CustomerFieldsPage, CustomerPage, EventPage
    from churn.domain.segment_answers import Segment, SegmentHistory, SegmentList
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
_segments = Segments(_database, _cache, _settings)
_api = Api("customers", _settings, _cache, trail=AuditTrail(lambda: _database, _settings))
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


@_api.answers("list_segments")
def list_segments(_: Call) -> SegmentList:
    return _segments.every()


@_api.answers("add_segment")
def add_segment(call: Call) -> Segment:
    segment = _segments.add(call.body.name, _filters(call.body.filter), call.client, call.now)
    call.headers["Location"] = f"/api/segments/{segment['id']}"
    return _versioned(call, segment)


@_api.answers("get_segment")
def get_segment(call: Call) -> Segment:
    return _versioned(call, _segments.get(segment_id(call.path["id"]), call.now))


@_api.answers("change_segment")
def change_segment(call: Call) -> Segment:
    filters = None if call.body.filter is None else _filters(call.body.filter)
    work = SegmentWork(call.body.name, filters, call.client, call.now, call.versions)
    return _versioned(call, _segments.change(segment_id(call.path["id"]), work))


@_api.answers("delete_segment")
def delete_segment(call: Call) -> None:
    _segments.delete(segment_id(call.path["id"]), call.versions)


@_api.answers("segment_history")
def segment_history(call: Call) -> SegmentHistory:
    return _segments.history(segment_id(call.path["id"]), **call.query.model_dump())


def _filters(asked: Model) -> CustomerFilters:
    return CustomerFilters(**asked.model_dump())


def _versioned(call: Call, segment: Segment) -> Segment:
    call.tell_version(segment["version"])
    return segment
