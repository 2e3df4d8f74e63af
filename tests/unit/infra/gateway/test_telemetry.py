"""What the local stack shows of the functions' metrics and traces."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.gateway.telemetry import Metrics, Traces


def line(**values: Any) -> str:
    """Return a line of the embedded metric format, as Powertools prints it."""
    units = {"Latency": "Milliseconds", "Auc": "None"}
    named = [{"Name": name, "Unit": units.get(name, "Count")} for name in values if name[0].isupper()]
    metrics = {"Namespace": "Churn", "Dimensions": [["operation", "service"]], "Metrics": named}
    return json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [metrics]}, "service": "churn", **values})


def test_metrics_of_the_log_are_prometheus_metrics() -> None:
    metrics = Metrics()
    for milliseconds in (12, 400):
        metrics.read("customers", line(operation="get_customer", Requests=[1.0], Latency=[milliseconds]))
    metrics.read("scoring", line(EventsApplied=[3.0, 4.0]))
    metrics.read("evaluation", line(Auc=0.7))
    metrics.read("evaluation", line(Auc=0.8))
    text = metrics.text().decode()
    assert 'churn_requests_total{function="customers",operation="get_customer"} 2.0' in text
    assert 'churn_latency_seconds_bucket{function="customers",le="0.025",operation="get_customer"} 1.0' in text
    assert 'churn_latency_seconds_sum{function="customers",operation="get_customer"} 0.412' in text
    assert 'churn_events_applied_total{function="scoring",operation=""} 7.0' in text
    assert 'churn_auc{function="evaluation",operation=""} 0.8' in text


@pytest.mark.parametrize("text", ["started", '{"_aws": ', '{"_aws": {}}', '{"_aws": {"CloudWatchMetrics": 1}}'])
def test_other_lines_are_no_metrics(text: str) -> None:
    metrics = Metrics()
    metrics.read("customers", text)
    assert metrics.text() == b""


REQUEST = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "churn-customers"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            "traceId": "0af7651916cd43dd8448eb211c80319c",
                            "spanId": "b7ad6b7169203331",
                            "name": "GET /health",
                            "startTimeUnixNano": "1764000000000000000",
                            "endTimeUnixNano": "1764000000012500000",
                            "attributes": [{"key": "http.response.status_code", "value": {"intValue": "503"}}],
                            "status": {"code": 2},
                        }
                    ]
                }
            ],
        }
    ]
}


def test_a_span_is_a_line_on_the_console() -> None:
    lines: list[str] = []
    Traces(lambda _, text: lines.append(text)).take(json.dumps(REQUEST).encode())
    assert lines == ["0af76519  churn-customers  GET /health  12.5 ms  503  error"]


def test_a_file_has_the_form_of_the_file_exporter_of_opentelemetry(tmp_path: Path) -> None:
    file = tmp_path / "traces.jsonl"
    for _ in range(2):
        Traces(lambda *_: None, file).take(json.dumps(REQUEST, indent=2).encode())
    assert [json.loads(line) for line in file.read_text().splitlines()] == [REQUEST, REQUEST]


def test_what_are_no_spans_is_refused() -> None:
    with pytest.raises((ValueError, KeyError)):
        Traces(lambda *_: None).take(b"{}")
