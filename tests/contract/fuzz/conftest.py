"""The shop that is fuzzed: its own, as customers are erased and models exchanged."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract.conftest import Stack, running_stack
from tests.support import eventually

_ALERTS = 60


@pytest.fixture(scope="package")
def fuzzed(tmp_path_factory: pytest.TempPathFactory, buckets: Path) -> Iterator[Stack]:
    """Return a small shop with customers, alerts and a model."""
    with running_stack(tmp_path_factory.mktemp("fuzzed"), buckets, SAMPLE_CUSTOMERS="150", EVENT_RATE="0") as stack:
        _raise_alerts(stack)
        yield stack


def _raise_alerts(stack: Stack) -> None:
    """Let payments of some customers fail, so that there are open alerts."""
    at = datetime.now(UTC).isoformat()
    events = [
        {"event_id": f"f-{number}", "event_type": "payment_failed", "customer_id": f"FUZZ-{number}", "timestamp": at}
        for number in range(_ALERTS)
    ]
    # An event counts once; on a busy machine it may not be taken at first.
    eventually(lambda: stack.post("/api/events", {"events": events}).status == 202, within=300, every=1)
    eventually(lambda: stack.get("/api/alerts?status=new&limit=1").json["total"] >= _ALERTS, within=300, every=0.2)
