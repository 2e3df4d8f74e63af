"""Who ordered again, through the running stack."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.contract.conftest import Stack
from tests.contract.test_rest import answered
from tests.support import eventually


def _cohorts(stack: Stack, by: str) -> dict[str, dict[str, Any]]:
    table = answered(stack, "retention", f"/api/retention?by={by}&cohorts=60")
    assert table["is_complete"]
    assert [len(cohort["ages"]) for cohort in table["cohorts"]] == [60] * 60
    return {cohort["first_day"]: cohort for cohort in table["cohorts"]}


def _again(cohort: dict[str, Any]) -> int:
    return sum(age["customers"] or 0 for age in cohort["ages"])


@pytest.mark.parametrize("by", ["month", "week"])
def test_who_ordered_again_stands_in_the_cohort_of_the_first_order(stack: Stack, by: str) -> None:
    customer_id, now = f"COHORT-{uuid.uuid4()}", datetime.now(UTC)
    # Before the shop of the local stack had customers.
    first = now - timedelta(days=400 if by == "week" else 1700)
    begins = {"week": first - timedelta(days=first.weekday()), "month": first.replace(day=1)}[by].date().isoformat()
    before = _cohorts(stack, by)[begins]
    stack.publish("order_placed", customer_id, first, order_id=uuid.uuid4().hex, order_value=20)
    stack.publish("order_placed", customer_id, now, order_id=uuid.uuid4().hex, order_value=20)

    def changed() -> list[dict[str, Any]]:
        after = _cohorts(stack, by)[begins]
        return [after] if _again(after) > _again(before) else []

    (after,) = eventually(changed)
    assert after["customers"] == before["customers"] + 1
    reached = [age for age in after["ages"] if age["customers"] is not None]
    assert not reached[-1]["is_complete"]
    assert all(age["is_complete"] for age in reached[:-1])
    assert reached[-1]["share"] == round(reached[-1]["customers"] / after["customers"], 4) > 0
    assert all(age["share"] is None for age in after["ages"][len(reached) :])
    (again,) = [age for age in reached if age["customers"] and age["link"] and not age["is_complete"]]
    for number, link in ((after["customers"], after["link"]), (again["customers"], again["link"])):
        page = answered(stack, "list_customers", f"{link}&limit=500")
        assert (page["total"], page["total_is_lower_bound"]) == (number, False)
        assert customer_id in {customer["customer_id"] for customer in page["customers"]}
