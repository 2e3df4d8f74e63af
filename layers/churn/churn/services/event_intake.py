"""Taking events that come by REST: each is checked and answered, and the good ones go to scoring by a queue."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.event_queue import EventQueue
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.events import Event, InvalidEventError, parse_event
from churn.domain.timestamps import iso
from churn.observability import metrics

if TYPE_CHECKING:
    from churn.domain import answers

_MOST_FAULTS = 20


def take_events(
    items: Sequence[Any], queue: EventQueue, *, is_list: bool, now: datetime, allowed: Container[str] = ()
) -> answers.EventsTaken:
    """Queue the items that are events, and answer for each. Raises InvalidInputError if none is one.

    `allowed` are customers whose ids look as if there were no customer. With `is_list` a field is named with the place
    of its event. Raises QueueUnavailableError.
    """
    results: list[answers.EventTaken] = []
    events: list[Event] = []
    faults: list[FieldError] = []
    for place, item in enumerate(items):
        try:
            event = parse_event(item, now=now, allowed=allowed)
        except InvalidEventError as error:
            prefix = f"events[{place}]." if is_list else ""
            faults += [FieldError(f"{prefix}{one.field}".rstrip("."), one.message) for one in error.errors]
            errors: list[answers.FieldProblem] = [{"field": one.field, "message": one.message} for one in error.errors]
            results.append({"status": "refused", "event_id": None, "errors": errors})
        else:
            events.append(event)
            results.append({"status": "accepted", "event_id": event.event_id, "errors": []})
    metrics.add_metric("EventsRefused", "Count", len(items) - len(events))
    if not events:
        raise InvalidInputError(*faults[:_MOST_FAULTS])
    queue.send([_record(event) for event in events])
    return {"accepted": len(events), "refused": len(items) - len(events), "results": results}


def _record(event: Event) -> Mapping[str, Any]:
    customer_id, event_id = event.sent_ids or (event.customer_id, event.event_id)
    return {
        "event_id": event_id,
        "event_type": event.event_type,
        "customer_id": customer_id,
        "timestamp": iso(event.timestamp),
        "data": event.data,
    }
