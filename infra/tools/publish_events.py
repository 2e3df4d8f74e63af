"""Simulated events, published on Kafka at a steady rate."""

import argparse
import itertools
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from random import Random

from kafka import KafkaProducer
from kafka.errors import KafkaError

from churn.domain.events import Event
from churn.domain.timestamps import iso
from churn.variables import InvalidSettingsError
from infra import console
from infra.tools.simulator import live_events
from infra.tools.stack_environment import NotRunningError, endpoints, use_stack

_MAX_CUSTOMERS = 5000
_PAGE = 500
_SHARE_OF_A_SECOND = 10


def customers_of(base_url: str, token: str) -> list[str]:
    """Return the identifiers of the shop's customers, at most 5,000, read over REST.

    Raises NotRunningError if the API does not answer.
    """
    customers: list[str] = []
    cursor: str | None = None
    while len(customers) < _MAX_CUSTOMERS:
        query = {"limit": str(_PAGE), "sort": "customer_id", "order": "asc"} | ({"cursor": cursor} if cursor else {})
        request = urllib.request.Request(  # noqa: S310  (the stack's own address)
            f"{base_url}/api/customers?{urllib.parse.urlencode(query)}", headers={"Authorization": f"Bearer {token}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                page = json.load(answer)
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            raise NotRunningError(f"the customers cannot be read from {base_url}: {error}") from error
        customers += [customer["customer_id"] for customer in page["customers"]]
        cursor = page.get("next_cursor")
        if not cursor:
            break
    return customers


def publish(producer: KafkaProducer, topic: str, events: Iterable[Event], rate: float) -> int:
    """Send events, `rate` a second, until they end; return how many.

    Raises KafkaError if one is not accepted.
    """
    began = time.monotonic()
    sent = 0
    pending = []
    for event in events:
        pending.append(producer.send(topic, key=event.customer_id.encode(), value=encode(event)))
        sent += 1
        ahead = began + sent / rate - time.monotonic()
        if ahead > 0 or len(pending) >= max(1, rate / _SHARE_OF_A_SECOND):
            while pending:
                pending.pop().get(30)
            time.sleep(max(0.0, began + sent / rate - time.monotonic()))
    for future in pending:
        future.get(30)
    return sent


def encode(event: Event) -> bytes:
    """Return the event as it goes over Kafka."""
    wire = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "customer_id": event.customer_id,
        "timestamp": iso(event.timestamp),
        "data": dict(event.data),
    }
    return json.dumps(wire, separators=(",", ":")).encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """Publish `--count` events, or until Ctrl-C; return 1 if that is not possible."""
    parser = argparse.ArgumentParser(prog="events", description="Publish simulated events on Kafka.")
    parser.add_argument("--rate", type=_rate, default=20.0, help="events a second (default: 20)")
    parser.add_argument("--count", type=int, help="stop after so many")
    parser.add_argument("--customers", nargs="*", help="identifiers (default: those of the running shop)")
    options = parser.parse_args(arguments)
    try:
        settings = use_stack("KAFKA_BOOTSTRAP_SERVERS")
        customers = options.customers or customers_of(_endpoint("base_url"), _endpoint("token"))
        if not customers:
            raise NotRunningError("the shop has no customers yet: bring some in with 'make import', or name some")
        producer = KafkaProducer(bootstrap_servers=settings.kafka_bootstrap_servers.split(","), acks="all", linger_ms=5)
    except (NotRunningError, InvalidSettingsError, KafkaError) as error:
        print(f"events: {error}", file=sys.stderr)
        return 1
    rng = Random(os.urandom(16))
    events = itertools.islice(live_events(rng, customers, lambda: datetime.now(UTC)), options.count)
    print(f"{options.rate:g} events a second of {len(customers):,} customers; Ctrl-C ends it", flush=True)
    try:
        print(f"{publish(producer, settings.events_topic, events, options.rate):,} events published")
    except KeyboardInterrupt:
        print()
    except KafkaError as error:
        print(f"events: {error}", file=sys.stderr)
        return 1
    finally:
        producer.close(5)
    return 0


def _endpoint(name: str) -> str:
    value = endpoints().get(name)
    if not value:
        raise NotRunningError("no local stack runs: start one with 'make up', or name customers with --customers")
    return str(value)


def _rate(text: str) -> float:
    rate = float(text)
    if not 0 < rate <= 100_000:
        raise argparse.ArgumentTypeError("must be between 0 and 100,000")
    return rate


if __name__ == "__main__":
    console.run(main)
