"""What an event of Lambda says of its invocation: a name, where it comes from, and of which trace it is a part."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Carrier = Mapping[str, str]
"""The headers of a trace: `traceparent`, and `tracestate` where there is one."""

_PROPAGATED = ("traceparent", "tracestate")
_XRAY = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24});Parent=([0-9a-f]{16});Sampled=1")


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation as a trace tells it; `name` is empty where the function's own says all."""

    name: str = ""
    kind: str = "internal"
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    parent: Carrier = field(default_factory=dict)
    links: Sequence[Carrier] = ()
    """The traces of the messages of a batch, which has no parent: they may come from many."""


def described(event: Mapping[str, Any], xray: str = "") -> Invocation:
    """Return what an event says of its invocation.

    Its caller's trace goes before that of X-Ray (the content of `_X_AMZN_TRACE_ID`), which counts where it is sampled.
    """
    segment = _of_xray(xray)
    if event.get("type") == "REQUEST" and "methodArn" in event:
        return Invocation("authorize", "server", {"faas.trigger": "http"}, _of_headers(event) or segment)
    if "httpMethod" in event and "resource" in event:
        return _request(event, segment)
    if (event.get("requestContext") or {}).get("connectionId"):
        kind = str(event["requestContext"].get("eventType", ""))
        attributes = {"faas.trigger": "http", "churn.request_id": str(event["requestContext"].get("requestId", ""))}
        return Invocation(f"socket {kind}", "server", attributes, _of_headers(event) or segment)
    if event.get("eventSource") == "aws:kafka":
        return _of_topics(event, segment)
    messages = event.get("Records")
    if isinstance(messages, list) and messages and messages[0].get("eventSource") == "aws:sqs":
        queue = str(messages[0].get("eventSourceARN", "")).rpartition(":")[2]
        return _batch("aws_sqs", queue, messages, map(_of_message, messages), segment)
    return Invocation(parent=_chosen(event) or segment)


def _of_topics(event: Mapping[str, Any], segment: Carrier) -> Invocation:
    records = [record for batch in event["records"].values() for record in batch]
    topics = sorted({str(record["topic"]) for record in records})
    return _batch("kafka", ",".join(topics), records, map(_of_record, records), segment)


def _request(event: Mapping[str, Any], segment: Carrier) -> Invocation:
    # The path would hold a customer's id; the resource is the route that it matches.
    method, route = str(event["httpMethod"]), str(event["resource"])
    attributes = {
        "faas.trigger": "http",
        "http.request.method": method,
        "http.route": route,
        "churn.request_id": str((event.get("requestContext") or {}).get("requestId") or ""),
    }
    return Invocation(f"{method} {route}", "server", attributes, _of_headers(event) or segment)


def _batch(
    system: str, source: str, items: Sequence[object], carriers: Iterable[Carrier], segment: Carrier
) -> Invocation:
    distinct = {carrier["traceparent"]: carrier for carrier in carriers if "traceparent" in carrier}
    attributes: dict[str, str | int] = {
        "faas.trigger": "pubsub",
        "messaging.system": system,
        "messaging.destination.name": source,
        "messaging.operation.type": "process",
        "messaging.batch.message_count": len(items),
    }
    return Invocation(f"process {source}", "consumer", attributes, segment, tuple(distinct.values()))


def _of_headers(event: Mapping[str, Any]) -> Carrier:
    return _chosen({name.lower(): value for name, value in (event.get("headers") or {}).items()})


def _of_record(record: Mapping[str, Any]) -> Carrier:
    """Return the carrier in a Kafka record's headers, each of which is a list of bytes."""
    pairs = (pair for header in record.get("headers") or () for pair in header.items())
    # Java's bytes have a sign.
    return _chosen(
        {
            name.lower(): bytes(byte & 0xFF for byte in value).decode("ascii", "replace")
            for name, value in pairs
            if name.lower() in _PROPAGATED
        }
    )


def _of_message(message: Mapping[str, Any]) -> Carrier:
    attributes = message.get("messageAttributes") or {}
    return _chosen({name: (attributes.get(name) or {}).get("stringValue") for name in _PROPAGATED})


def _chosen(values: Mapping[str, Any]) -> Carrier:
    if not isinstance(values.get("traceparent"), str):
        return {}
    return {name: values[name] for name in _PROPAGATED if isinstance(values.get(name), str)}


def _of_xray(header: str) -> Carrier:
    match = _XRAY.match(header)
    return {"traceparent": f"00-{match[1]}{match[2]}-{match[3]}-01"} if match else {}
