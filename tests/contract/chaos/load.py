"""What goes on while something fails: events by both doors, and requests of every kind."""

import json
import threading
import time
import urllib.error
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Self

import jwt
from kafka import KafkaProducer
from kafka.errors import KafkaError

from tests.contract.conftest import Stack

_FEATURES = {"days_since_last_order": 40, "total_orders": 3, "total_spent": 120}
REQUESTS: Mapping[str, tuple[str, str, object]] = {
    "customers": ("GET", "/api/customers?limit=5", None),
    "stats": ("GET", "/api/dashboard/stats", None),
    "alerts": ("GET", "/api/alerts?limit=5", None),
    "predict": ("POST", "/api/churn/predict", _FEATURES),
    "health": ("GET", "/health", None),
}
"""Requests by kind."""
_CUSTOMERS = 40
_PAUSE_SECONDS = 0.1
_EVENTS_EVERY_SECONDS = 0.02
# For what was not taken, to be sent until it is.
_SETTLED_SECONDS = 60.0
NO_ANSWER = 0
"""The status of a request whose connection was refused or broken."""


@lru_cache(maxsize=4)
def lasting_token(stack: Stack, role: str) -> str:
    """Return a token that holds today whatever the service's clock says: it does not tell when it was issued."""
    claims = {"sub": "contract", "role": role, "exp": int(time.time()) + 86_400}
    return jwt.encode(claims, stack.secret, algorithm="HS256")


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request."""

    kind: str
    at: float
    status: int
    seconds: float
    retry_after: str | None


@dataclass
class Load:
    """What was sent, and what came back."""

    stack: Stack
    name: str
    replies: list[Reply] = field(default_factory=list)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The events that Kafka or the API has taken, by their id."""
    publishes_again: bool = False
    """Whether all that Kafka has taken is published again at the end, as it may have lost what nobody had read."""
    _ended: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _senders: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        targets: list[Callable[[], None]] = [
            self._kafka,
            self._posts,
            *(partial(self._requests, kind) for kind in REQUESTS),
        ]
        self._senders = [threading.Thread(target=target, daemon=True) for target in targets]
        for sender in self._senders:
            sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for sender in self._senders:
            sender.join(10 * _SETTLED_SECONDS)

    def statuses(self) -> dict[str, Counter[int]]:
        """Return how often each status came, by the kind of request."""
        found: defaultdict[str, Counter[int]] = defaultdict(Counter)
        for reply in list(self.replies):
            found[reply.kind][reply.status] += 1
        return dict(found)

    def ask(self, kind: str) -> Reply:
        """Send one request, and note its answer."""
        return self._note(kind, *REQUESTS[kind])

    def event(self, number: int) -> dict[str, Any]:
        """Return an event: orders, and of each fourth customer payments that fail now and then."""
        customer = number % _CUSTOMERS
        fails = customer % 4 < 2 and number // _CUSTOMERS % 5 == 0
        return {
            "event_id": f"{self.name}-{number}",
            "event_type": "payment_failed" if fails else "order_placed",
            "customer_id": f"{self.name}-{customer:03d}",
            "timestamp": (datetime.now(UTC) - timedelta(days=2) + timedelta(seconds=number % 3600)).isoformat(),
            "data": {"order_id": f"{self.name}-{number}", "order_value": 10},
        }

    def _note(self, kind: str, method: str, path: str, body: object) -> Reply:
        at = time.monotonic()
        try:
            answer = self.stack.ask(method, path, body, token=lasting_token(self.stack, "admin"))
            status, retry_after = answer.status, answer.headers.get("Retry-After")
        except (urllib.error.URLError, OSError):
            status, retry_after = NO_ANSWER, None
        reply = Reply(kind, at, status, time.monotonic() - at, retry_after)
        self.replies.append(reply)
        return reply

    # -- what runs in threads

    def _requests(self, kind: str) -> None:
        while not self._ended.wait(_PAUSE_SECONDS):
            self.ask(kind)

    def _kafka(self) -> None:
        """Publish events until the end, each tenth of them twice; what was not taken is sent again, as producers do."""
        # One that numbers its batches would be of no more use to a broker that has forgotten them.
        producer = KafkaProducer(
            bootstrap_servers=self.stack.kafka,
            acks="all",
            enable_idempotence=False,
            delivery_timeout_ms=4000,
            request_timeout_ms=3000,
        )
        try:
            open_events: list[tuple[dict[str, Any], Any]] = []
            number = 0
            while not self._ended.wait(_EVENTS_EVERY_SECONDS):
                event = self.event(2 * number)
                times = 2 if number % 10 == 0 else 1
                open_events += [(event, self._publish(producer, event)) for _ in range(times)]
                number += 1
            if self.publishes_again:
                open_events = [(event, self._publish(producer, event)) for event, _ in open_events]
            deadline = time.monotonic() + _SETTLED_SECONDS
            while open_events and time.monotonic() < deadline:
                open_events = list(self._settled(producer, open_events))
        finally:
            producer.close(5)

    @staticmethod
    def _publish(producer: KafkaProducer, event: Mapping[str, Any]) -> Any:
        try:
            return producer.send("user-events", key=event["customer_id"].encode(), value=json.dumps(event).encode())
        except KafkaError:
            return None

    def _settled(
        self, producer: KafkaProducer, sent: list[tuple[dict[str, Any], Any]]
    ) -> Iterator[tuple[dict[str, Any], Any]]:
        """Note what was taken; yield what had to be sent again."""
        for event, future in sent:
            try:
                if future is None:
                    raise KafkaError
                future.get(10)
            except KafkaError:
                yield event, self._publish(producer, event)
            else:
                with self._lock:
                    self.accepted[event["event_id"]] = event

    def _posts(self) -> None:
        """Post events until the end, each again until it is taken."""
        number, deadline = 0, None
        while True:
            ended = self._ended.wait(_PAUSE_SECONDS)
            deadline = deadline or (time.monotonic() + _SETTLED_SECONDS if ended else None)
            event = self.event(2 * number + 1)
            reply = self._note("events", "POST", "/api/events", event)
            if reply.status == 202:
                with self._lock:
                    self.accepted[event["event_id"]] = event
                number += 1
            if ended and (reply.status == 202 or time.monotonic() > (deadline or 0)):
                return
