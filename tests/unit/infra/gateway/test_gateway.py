"""The pure parts of the local stack: policies, schedules, batch answers, events."""

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.gateway.authorizer import evaluate
from infra.local.gateway.kafka_event_source import failed_identifiers, msk_event, place_of
from infra.local.gateway.proxy import BadAnswerError, encode_body, parse_answer
from infra.local.gateway.schedules import ScheduleError, next_run, parse, scheduled_event
from infra.local.options import Options
from infra.local.servers.supervisor import StackError
from infra.local.template.specs import ScheduleSpec

ARN = "arn:aws:execute-api:r:1:api/live/GET/api/customers/7"


def policy(*statements: tuple[str, str]) -> dict[str, Any]:
    return {"Statement": [{"Effect": e, "Action": "execute-api:Invoke", "Resource": [r]} for e, r in statements]}


@pytest.mark.parametrize(
    ("policy", "decision"),
    [
        (policy(("Allow", ARN)), "Allow"),
        (policy(("Allow", "arn:aws:execute-api:r:1:api/live/GET/api/*")), "Allow"),
        (policy(("Allow", "arn:aws:execute-api:r:1:api/live/POST/*")), "None"),
        (policy(("Allow", "*"), ("Deny", "*/customers/?")), "Deny"),
        (policy(("Deny", "*"), ("Allow", "*")), "Deny"),
        ({"Statement": {"Effect": "Allow", "Action": ["s3:Get", "EXECUTE-API:*"], "Resource": "*"}}, "Allow"),
        ({"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}, "None"),
        ({}, "None"),
    ],
)
def test_a_policy_is_evaluated_as_iam_does(policy: dict[str, Any], decision: str) -> None:
    assert evaluate(policy, ARN) == decision


NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("rate(15 minutes)", NOON + timedelta(minutes=15)),
        ("rate(1 day)", NOON + timedelta(days=1)),
        ("cron(30 12 * * ? *)", NOON + timedelta(minutes=30)),
        ("cron(0 12 * * ? *)", NOON + timedelta(days=1)),
        ("cron(0/20 * * * ? *)", NOON + timedelta(minutes=20)),
        ("cron(0 8 ? * MON-FRI *)", datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("cron(0 0 29 FEB ? *)", datetime(2028, 2, 29, tzinfo=UTC)),
        ("cron(0 0 1 1 ? 2020)", None),
    ],
)
def test_schedules(expression: str, due: datetime | None) -> None:
    assert next_run(parse(expression), NOON) == due


@pytest.mark.parametrize(
    "expression", ["rate(0 minutes)", "rate(5 weeks)", "cron(0 12 * * ?)", "cron(61 * * * ? *)", "x"]
)
def test_a_schedule_that_is_none_is_refused(expression: str) -> None:
    with pytest.raises(ScheduleError):
        parse(expression)


def test_a_scheduled_event_carries_its_time() -> None:
    event = json.loads(scheduled_event(ScheduleSpec("Sweep", "F", "rate(1 day)", None), NOON, "r"))
    assert event["time"] == "2026-03-01T12:00:00Z"
    assert event["resources"] == ["arn:aws:events:r:123456789012:rule/Sweep"]


def test_records_become_an_msk_event() -> None:
    record = SimpleNamespace(
        topic="t", partition=2, offset=7, timestamp=5, timestamp_type=0, key=None, value=b"v", headers=[("h", b"\x01")]
    )
    (entry,) = msk_event([record], "arn:k", "b:1")["records"]["t-2"]
    assert entry == {
        "topic": "t",
        "partition": 2,
        "offset": 7,
        "timestamp": 5,
        "timestampType": "CREATE_TIME",
        "headers": [{"h": [1]}],
        "value": "dg==",
    }


def test_partial_batch_answers() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": {"partition": "t-0", "offset": 3}}]}
    assert failed_identifiers(json.dumps(answer).encode(), place_of) == {("t-0", 3)}
    assert failed_identifiers(b"null", place_of) == failed_identifiers(b'{"batchItemFailures": []}', place_of) == set()
    for broken in (b"{", b'{"batchItemFailures": [{"itemIdentifier": "t-0"}]}'):
        with pytest.raises(ValueError, match=r"Expecting|not a partial"):
            failed_identifiers(broken, place_of)


@pytest.mark.parametrize("payload", [b"x", b"[]", b"{}", b'{"statusCode": "x"}', b'{"statusCode": 99}'])
def test_an_answer_that_is_no_proxy_response_is_told_apart(payload: bytes) -> None:
    with pytest.raises(BadAnswerError):
        parse_answer(payload)


def test_a_body_is_base64_when_its_type_is_declared_binary() -> None:
    assert encode_body(b"\x00", "image/png; q=1", ("image/*",)) == ("AA==", True)
    assert encode_body(b"{}", "application/json", ("image/*",)) == ("{}", False)
    assert encode_body(b"", "image/png", ("image/*",)) == (None, False)


def test_an_option_that_makes_no_sense_is_named() -> None:
    with pytest.raises(StackError, match="EVENT_RATE must be a number"):
        Options.from_environment({"EVENT_RATE": "fast"})
    with pytest.raises(StackError, match="PORT must be between 0 and"):
        Options.from_environment({"PORT": "-1"})
