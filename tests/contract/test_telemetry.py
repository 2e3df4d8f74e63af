"""What a local stack shows of itself: metrics for Prometheus, and traces in a file."""

import json
from pathlib import Path

import pytest

from infra.local.options import TRACES_FILE
from tests.contract.conftest import running_stack
from tests.support import eventually
from tests.support.http import send

_TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.slow
def test_a_request_shows_in_metrics_and_traces(tmp_path: Path, buckets: Path) -> None:
    with running_stack(tmp_path, buckets, SAMPLE_CUSTOMERS="0", EVENT_RATE="0", TRACES="file") as stack:
        endpoints = json.loads((tmp_path / "endpoints.json").read_text())
        metrics_url = endpoints["metrics_url"]
        headers = {
            "Authorization": f"Bearer {endpoints['token']}",
            "traceparent": f"00-{_TRACE}-b7ad6b7169203331-01",
        }
        assert send(f"{stack.base_url}/api/customers", headers=headers).status == 200

        def counted() -> bool:
            return 'churn_requests_total{function="customers",operation="list_customers"} 1.0' in send(metrics_url).text

        eventually(counted)
        lines = (tmp_path / "logs" / TRACES_FILE).read_text().splitlines()
    requests = map(json.loads, lines)
    spans = [
        span
        for request in requests
        for resource in request["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    own = {span["name"]: span for span in spans if span["traceId"] == _TRACE}
    assert {"authorize", "GET /api/customers", "read"} <= own.keys()
    assert own["read"]["parentSpanId"] == own["GET /api/customers"]["spanId"]
    answered = {"key": "http.response.status_code", "value": {"intValue": "200"}}
    assert answered in [
        {"key": one["key"], "value": {kind: str(value) for kind, value in one["value"].items()}}
        for one in own["GET /api/customers"]["attributes"]
    ]
