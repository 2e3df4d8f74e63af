"""Requests that were made to break the service, over HTTP: each gets an answer that says what is wrong."""

import pytest

from tests.contract.conftest import Stack

_TEXTS = [
    *("9" * 400, "9" * 4300, "%ED%A0%80", "%FF%FE", "%00", "a%0Ab", "%E2%80%8B", "%E3%85%A4", "%F4%8F%BF%BF"),
    *("%25", "%2F", "%5C", "%27%22", "null", "nan", "0", "-", "%2525", "1e999", "%D9%A1%D9%A2", "true", "%5B" * 500),
]
_BODIES = [
    b'{"customer_id": ' + b"9" * 4300 + b"}",
    b'{"customer_id": "\\ud800"}',
    b'{"\\ud800": 1}',
    b'{"total_orders": ' + b"9" * 400 + b"}",
    b'{"total_orders": "false"}',
    b'{"total_orders": true}',
    b'{"total_orders": NaN}',
    b'{"total_orders": 1e999}',
    b'{"customers": ' + b"[" * 100_000,
    b'{"customers": ' + b"[" * 900 + b"]" * 900 + b"}",
    b"[" * 100_000,
    b"\xff\xfe",
    b"\x00",
    b"",
    b"null",
    b'"text"',
    b'{"a": {"b": {"c": [[[[[]]]]]}}}',
]


@pytest.mark.parametrize("text", _TEXTS)
@pytest.mark.parametrize(
    "target",
    [
        "/api/customers/{}",
        "/api/customers/{}/events",
        "/api/customers/{}/timeline",
        "/api/customers/{}/predictions",
        "/api/customers/CUST-001/timeline?cursor={}",
        "/api/customers/CUST-001/timeline?kind={}",
        "/api/customers/CUST-001/predictions?compare_from={}&compare_to=1",
        "/api/customers/CUST-001?as_of={}",
        "/api/models/{}",
        "/api/models/runs/{}",
        "/api/customers?search={}",
        "/api/customers?limit={}",
        "/api/customers?min_value_at_risk={}",
        "/api/customers?cursor={}",
        "/api/customers?{}=1",
        "/api/alerts?since={}",
        "/api/churn/predictions?date_from={}",
        "/api/dashboard/trends?period={}",
        "/api/dead-letters?cursor={}",
        "/api/imports?limit={}",
    ],
)
def test_any_text_in_a_request_is_answered(stack: Stack, target: str, text: str) -> None:
    answer = stack.get(target.format(text))
    assert answer.status < 500, answer.body[:300]
    if answer.status >= 400 and not answer.by_sam:
        assert answer.json["detail"]


@pytest.mark.parametrize("body", _BODIES, ids=range(len(_BODIES)))
@pytest.mark.parametrize("path", ["/api/churn/predict", "/api/churn/predict/batch", "/api/alerts/1/resolve"])
def test_any_body_is_answered(stack: Stack, path: str, body: bytes) -> None:
    answer = stack.post(path, body)
    if not answer.by_sam:
        assert answer.status < 500, answer.body[:300]
        assert answer.status < 400 or answer.json["detail"]
