"""How events are packed into the queue's messages."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from churn.adapters.event_queue import MAX_MESSAGE_BYTES, MAX_MESSAGE_EVENTS, messages, read_message


@given(
    st.lists(st.tuples(st.text(max_size=20), st.integers(0, 70_000)), max_size=30)
    | st.lists(st.tuples(st.just(""), st.just(0)), min_size=90, max_size=220)
)
def test_every_event_is_in_one_message_and_none_is_too_large(sizes: list[tuple[str, int]]) -> None:
    events: list[dict[str, Any]] = [{"text": text, "padding": "x" * size} for text, size in sizes]
    sent = list(messages(events))
    assert all(0 < len(message.encode()) <= MAX_MESSAGE_BYTES for message in sent)
    assert all(0 < len(read_message(message)) <= MAX_MESSAGE_EVENTS for message in sent)
    assert [json.loads(text) for message in sent for text in read_message(message)] == events


def test_a_message_that_is_not_ours_is_one_record() -> None:
    assert read_message("no json") == ["no json"]
    assert read_message('{"event_type": "login"}') == ['{"event_type": "login"}']
