"""The routes about segments: named filters of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.entrypoints.http.app import Api, Call
from churn.entrypoints.http.requests import Model
from churn.services.customer_filters import CustomerFilters
from churn.services.segments import Segments, SegmentWork, segment_id

if TYPE_CHECKING:
    from churn.domain.segment_answers import Segment, SegmentHistory, SegmentList


def answer_segments(api: Api, segments: Segments) -> None:
    """Answer who asks for segments, or works on one."""

    @api.answers("list_segments")
    def list_segments(_: Call) -> SegmentList:
        return segments.every()

    @api.answers("add_segment")
    def add_segment(call: Call) -> Segment:
        segment = segments.add(call.body.name, _filters(call.body.filter), call.client, call.now)
        call.headers["Location"] = f"/api/segments/{segment['id']}"
        return _versioned(call, segment)

    @api.answers("get_segment")
    def get_segment(call: Call) -> Segment:
        return _versioned(call, segments.get(segment_id(call.path["id"]), call.now))

    @api.answers("change_segment")
    def change_segment(call: Call) -> Segment:
        filters = None if call.body.filter is None else _filters(call.body.filter)
        work = SegmentWork(call.body.name, filters, call.client, call.now, call.versions)
        return _versioned(call, segments.change(segment_id(call.path["id"]), work))

    @api.answers("delete_segment")
    def delete_segment(call: Call) -> None:
        segments.delete(segment_id(call.path["id"]), call.versions)

    @api.answers("segment_history")
    def segment_history(call: Call) -> SegmentHistory:
        return segments.history(segment_id(call.path["id"]), **call.query.model_dump())


def _filters(asked: Model) -> CustomerFilters:
    return CustomerFilters(**asked.model_dump())


def _versioned(call: Call, segment: Segment) -> Segment:
    call.tell_version(segment["version"])
    return segment
