"""Events by REST: which are queued, and what is said of the others."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from churn.adapters.event_queue import EventQueue
from churn.domain.errors import InvalidInputError
from churn.entrypoints.kafka import read_record
from churn.services.event_intake import take_events

_NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_LOGIN = {"event_id": "e-1", "event_type": "login", "customer_id": "C-1", "timestamp": "2026-11-26T10:00:00Z"}
_NOBODYS = {**_LOGIN, "customer_id": "null"}


class _Sent(EventQueue):
    """A queue that keeps what was sent."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def send(self, events: Sequence[Mapping[str, Any]]) -> None:
        self.events += events


@pytest.mark.parametrize("text", [json.dumps(_LOGIN), "", "x", "[]"])
def test_a_text_is_no_event_whatever_it_holds(text: str) -> None:
    queue = _Sent()
    taken = take_events([_LOGIN, text], queue, is_list=True, now=_NOW)
    assert (taken["accepted"], taken["refused"], len(queue.events)) == (1, 1, 1)
    with pytest.raises(InvalidInputError) as refused:
        take_events([text], queue, is_list=True, now=_NOW)
    assert [error.field for error in refused.value.errors] == ["events[0]"]


def test_only_of_what_is_kept_is_said_that_it_can_be_applied_later() -> None:
    taken = take_events([_LOGIN, _NOBODYS], _Sent(), is_list=True, now=_NOW)
    (refused,) = taken["results"][1]["errors"]
    assert refused["field"] == "customer_id"
    assert refused["message"].endswith("ALLOWED_CUSTOMER_IDS")
    kept = read_record("events", 0, 0, None, json.dumps(_NOBODYS).encode(), _NOW, ())
    assert kept.reason.endswith("ALLOWED_CUSTOMER_IDS; then apply this record by make redrive")
