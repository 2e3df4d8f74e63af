"""The frame of the benchmarks: goals, ratios, the table and its place in a document; and the day that is reckoned."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from infra.local.options import ROOT
from tests.benchmarks.curves import draw
from tests.benchmarks.frame import Row, Spread, grown, one
from tests.benchmarks.screen import without_metrics
from tests.benchmarks.simulate_scale import lag_plot, limits, rate, read_costs, simulate
from tests.benchmarks.table import markdown, replaced, shown

_ROW = Row("a page", "ms", Spread(10, 9, 20), "a peer", one(50))
_DAY_MINUTES = 24 * 60


@pytest.mark.parametrize(
    ("goal", "is_met"),
    [
        ({}, None),
        ({"at_most": 10}, True),
        ({"at_most": 9.9}, False),
        ({"at_most": 19.9, "is_of_95th": True}, False),
        ({"times": 5}, True),
        ({"times": 5.1}, False),
        ({"growth": 0.2}, True),
        ({"growth": 0.19}, False),
        ({"at_most": 10, "times": 6}, False),
    ],
)
def test_a_goal_is_met_or_not(goal: dict[str, float], is_met: bool | None) -> None:
    row = replace(_ROW, **goal)  # type: ignore[arg-type]
    assert row.is_met is is_met
    assert bool(row.goal) == bool(goal)


def test_a_ratio_says_how_often_faster_or_how_much_grown() -> None:
    assert _ROW.ratio == 5
    assert replace(_ROW, growth=1.5).ratio == pytest.approx(0.2)
    assert replace(_ROW, peer=None, times=2).is_met is None


def test_the_goals_of_what_grows_are_those_of_the_largest_shop(tmp_path: Path) -> None:
    small, large = grown("a page", {10: one(2), 1000: one(4)}, at_most=5)
    assert (small.is_met, large.is_met, large.ratio) == (None, False, 2)
    assert "with 10 customers" in shown([small, large])
    (drawn,) = draw([small, large], tmp_path)
    assert drawn.read_text(encoding="utf-8").count("<polyline") > 1


def test_a_document_gets_another_table_in_the_place_of_the_one_before() -> None:
    before = "Text.\n<!-- the table of make bench -->\nold\n<!-- its end -->\nMore.\n"
    after = replaced(before, markdown([_ROW], "today"))
    assert after.startswith("Text.\n")
    assert after.endswith("<!-- its end -->\nMore.\n")
    assert "| a page |" in after
    assert "old" not in after
    assert "](pictures/a.svg)\n" in replaced(before, markdown([_ROW], "today", ["pictures/a.svg"]))
    with pytest.raises(ValueError, match="no place"):
        replaced("Text.", "table")


def test_what_comes_on_a_day_is_applied_or_waits() -> None:
    costs, deployments = read_costs()
    arrived = sum(60 * rate(minute, costs) for minute in range(_DAY_MINUTES))
    for deployment in deployments:
        day = simulate(deployment, costs)
        applied = day.stored_gb * 1e9 / costs["event_bytes"]
        assert applied + day.backlog == pytest.approx(arrived)
        assert (max(day.lag) > 0) == (min(limits(deployment, costs).values()) < rate(20 * 60 + 1, costs))
        assert all(dollars > 0 for dollars in day.dollars.values())


def test_the_document_has_the_figures_of_the_simulation() -> None:
    costs, deployments = read_costs()
    days = {deployment.name: simulate(deployment, costs) for deployment in deployments}
    picture = lag_plot(days, lambda minute: rate(minute, costs))
    assert (ROOT / "docs/pictures/scale-lag.svg").read_text(encoding="utf-8") == picture
    text = (ROOT / "docs/scale.md").read_text(encoding="utf-8")
    for day in days.values():
        assert f"| {sum(day.dollars.values()):,.0f}" in text


def test_metrics_that_are_printed_at_once_are_not_on_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    metrics = Metrics(namespace="Churn", service="prediction")
    with without_metrics(sys.stdout):
        print("before")
        for _ in range(101):
            metrics.add_metric("Requests", MetricUnit.Count, 1)
        with single_metric("FailedAnswers", MetricUnit.Count, 1, namespace="Churn"):
            pass
        print("after", end="")
    metrics.clear_metrics()

    assert capsys.readouterr().out == "before\nafter"
