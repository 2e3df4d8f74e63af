"""A retention team's week through the doors: orders in, whom to call first, an alert worked by two, what came of it.

CHURN_STORY_ORDERS names a file of a shop's own orders to tell the story with, whose newest are of the last days.
"""

import csv
import io
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.contract.conftest import Stack
from tests.contract.test_evaluation import evaluate
from tests.contract.test_rest import answered
from tests.contract.test_story import sweep
from tests.contract.test_young_shop import bring_in, import_file, served_by, shop_orders, train
from tests.support import eventually

_PAST_THE_HORIZON = timedelta(days=100)
_NOTICED_SECONDS = 60


@pytest.mark.slow
def test_a_team_finds_whom_to_call_works_an_alert_and_sees_what_came_of_it(own_stack: Stack) -> None:
    stack = own_stack
    now = datetime.now(UTC)
    _bring_in_a_shop(stack, now)
    served_by(stack, train(stack))
    while sweep(stack, datetime.now(UTC))["resume_after"] is not None:
        continue

    current = list(_listed(stack, "status=current"))
    values = [customer["value_at_risk"] for customer in current if customer["value_at_risk"] is not None]
    assert values == sorted(values, reverse=True)
    assert len(values) > 100
    at_risk = round(sum(values), 2)
    eventually(lambda: _stats(stack)["revenue_at_risk"] == at_risk, within=_NOTICED_SECONDS, every=0.5)

    segment = _segment(stack, least=values[len(values) // 4])
    chosen = [customer for customer in current if (customer["value_at_risk"] or 0) >= values[len(values) // 4]]
    figures = segment["figures"]
    assert (figures["customers"], figures["is_lower_bound"]) == (len(chosen), False)
    assert figures["value_at_risk"] == pytest.approx(sum(customer["value_at_risk"] for customer in chosen), abs=0.005)
    lines = _csv_lines(stack, segment["links"]["csv"])
    assert [line["customer_id"] for line in lines] == [customer["customer_id"] for customer in chosen]
    assert [float(line["value_at_risk"]) for line in lines] == [customer["value_at_risk"] for customer in chosen]

    number = _alert_on(stack, chosen[0]["customer_id"])
    _worked_by_two(stack, number)
    judged = evaluate(stack, now + _PAST_THE_HORIZON)
    assert judged["alerts"]["judged"] > 0
    assert answered(stack, "get_alert", f"/api/alerts/{number}")["outcome"] == "left"
    performance = answered(stack, "alert_performance", "/api/alerts/performance?by=kind")
    (group,) = [group for group in performance["groups"] if group["alert_type"] == "payment_failure"]
    assert (group["worked"]["matured"], group["worked"]["left"], group["worked"]["left_rate"]) == (1, 1, 100.0)
    opened = stack.get(group["links"]["left"]).json["alerts"]
    assert [alert["id"] for alert in opened] == [number]


def _bring_in_a_shop(stack: Stack, now: datetime) -> None:
    given = os.environ.get("CHURN_STORY_ORDERS")
    if given is None:
        bring_in(stack, shop_orders(now))
        return
    assert stack.endpoints is not None
    copy = stack.endpoints.parent / Path(given).name
    shutil.copyfile(given, copy)
    import_file(stack, copy)


def _listed(stack: Stack, filters: str) -> Iterator[dict[str, Any]]:
    cursor: str | None = ""
    while cursor is not None:
        page = answered(
            stack, "list_customers", f"/api/customers?{filters}&sort=value_at_risk&order=desc&limit=100{cursor}"
        )
        yield from page["customers"]
        cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None


def _stats(stack: Stack) -> dict[str, Any]:
    stats: dict[str, Any] = answered(stack, "dashboard_stats", "/api/dashboard/stats")
    return stats


def _segment(stack: Stack, least: float) -> dict[str, Any]:
    asked = {"name": "Call first", "filter": {"status": "current", "min_value_at_risk": least}}
    made = stack.post("/api/segments", asked)
    assert made.status == 201, made.body
    segment: dict[str, Any] = answered(stack, "get_segment", made.headers["Location"])
    return segment


def _csv_lines(stack: Stack, path: str) -> list[dict[str, str]]:
    """Return the lines of a file whose parts, of which each names the next, are put one after the other."""
    text = ""
    following: str | None = path
    while following:
        part = stack.get(following)
        assert part.status == 200, part.body
        text += part.text
        link = re.fullmatch(r'<([^>]+)>; rel="next"', part.headers.get("Link") or "")
        following = None if link is None else link[1]
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _alert_on(stack: Stack, customer_id: str) -> int:
    stack.publish("payment_failed", customer_id, datetime.now(UTC), order_id="o1")

    def raised() -> int:
        page = answered(stack, "list_alerts", f"/api/alerts?customer_id={customer_id}&alert_type=payment_failure")
        return page["alerts"][0]["id"] if page["alerts"] else 0

    return eventually(raised, within=_NOTICED_SECONDS, every=0.2)


def _worked_by_two(stack: Stack, number: int) -> None:
    anna, ben = (stack.token("act", subject=name) for name in ("anna", "ben"))
    path = f"/api/alerts/{number}"

    def work(token: str, **what: Any) -> dict[str, Any]:
        version = stack.ask("GET", path, token=token).headers["ETag"]
        answer = stack.ask("PATCH", path, what, token=token, if_match=version)
        assert answer.status == 200, answer.body
        changed: dict[str, Any] = answer.json
        return changed

    def inbox(token: str, more: str = "") -> list[int]:
        answer = stack.ask("GET", f"/api/alerts?assigned_to=me&limit=100{more}", token=token)
        return [alert["id"] for alert in answer.json["alerts"]]

    work(anna, status="in_progress", assigned_to="me", note="She asks for a call next week.")
    assert inbox(anna) == [number]
    until = datetime.now(UTC) + timedelta(days=7)
    work(anna, snoozed_until=until.isoformat())
    assert (inbox(anna), inbox(anna, "&snoozed=only")) == ([], [number])
    work(ben, snoozed_until=None, assigned_to="me")
    assert (inbox(anna), inbox(ben)) == ([], [number])
    done = work(ben, status="resolved", note="Called, new card.")
    assert (done["status"], done["resolved_by"]) == ("resolved", "ben")
    assert [action["by"] for action in done["actions"]] == ["ben", "ben", "anna", "anna"]
    assert [action["note"] for action in done["actions"] if action["note"]] == [
        "Called, new card.",
        "She asks for a call next week.",
    ]
