"""A trained blend: its weights, the level of its probabilities, and its parts beside it in the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

import numpy as np
import pytest

from churn.domain.features import INPUT_NAMES
from churn.domain.timestamps import DAY
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import PARTS, BlendedModel
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.loading import LearnedModel
from churn.ml.random_forest import ChurnModel
from churn.training import Plan, TrainedModel, report_html, train, weighing
from churn.training.evaluation import probabilities
from churn.training.freshness import as_of_cut_off
from churn.training.level import with_level, without_level
from churn.training.random_forest import Shape
from churn.training.snapshots import MOST_CUT_OFFS, Snapshots
from churn.training.weighing import Parts, judged, level_of, weigh
from tests.training.test_pipeline import NOW, histories_of, shop

_QUICK = Plan(trees=20, search=False)


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()[:900]), now=NOW, plan=Plan(trees=20))


def _told(parts: Sequence[Floats], seed: int) -> Parts:
    """Return a window of which the parts say that; each customer leaves with the probability of the first."""
    churned = np.random.default_rng(seed).random(len(parts[0])) < parts[0]
    return Parts(np.column_stack(parts), churned)


def test_a_part_that_is_far_off_gets_no_weight_for_the_sake_of_equality() -> None:
    random = np.random.default_rng(3)
    true = random.beta(0.3, 0.9, (3, 4000))
    # Such as BG/NBD of subscriptions: it says the same of everybody.
    answers = [_told([one, np.clip(one + random.normal(0, 0.02, 4000), 0, 1), np.full(4000, 0.5)], 1) for one in true]
    found = weigh(answers)
    assert found.weights["purchases"] < 0.05
    assert sum(found.weights.values()) == pytest.approx(1, abs=1e-12)
    assert not found.level["is_moved"]


def test_parts_that_are_as_good_have_half_of_equal_weights() -> None:
    random = np.random.default_rng(4)
    true = random.beta(2, 2, (2, 4000))
    answers = [
        _told([one, *(np.clip(one + random.normal(0, 0.02, 4000), 0, 1) for _ in range(2))], seed)
        for seed, one in enumerate(true)
    ]
    assert all(weight >= 1 / 6 for weight in weigh(answers).weights.values())


def test_weights_and_level_are_chosen_together() -> None:
    random = np.random.default_rng(5)
    true = random.beta(2, 3, (3, 4000))
    # The forest has the order, at a level that has gone; the process knows the level, and nobody apart.
    gone = [one / (one + (1 - one) * 3) for one in true]
    answers = [_told([one, *[np.full(4000, one.mean())] * 2], seed) for seed, one in enumerate(true)]
    answers = [
        one._replace(said=np.column_stack([off, one.said[:, 1], one.said[:, 2]]))
        for off, one in zip(gone, answers, strict=True)
    ]
    found = weigh(answers)
    assert found.level["is_moved"]
    assert found.weights["forest"] > 0.9
    # A single window moves nothing.
    assert not weigh(answers[:1]).level["is_moved"]


def test_windows_that_count_more_decide_where_the_shop_has_changed() -> None:
    random = np.random.default_rng(6)
    true = random.beta(2, 2, (4, 4000))
    wrong = random.permutation(true, axis=1)
    # The purchase process was right in the first three windows, the regression is in the newest.
    said = [[off, off, one] for one, off in zip(true[:3], wrong[:3], strict=True)] + [[wrong[3], true[3], wrong[3]]]
    answers = [Parts(np.column_stack(parts), random.random(4000) < one) for parts, one in zip(said, true, strict=True)]
    assert weigh(answers).weights["purchases"] > weigh(answers).weights["logistic"]
    newer = [one._replace(share=share) for one, share in zip(answers, (0.1, 0.2, 0.3, 1), strict=True)]
    assert weigh(newer).weights["logistic"] > weigh(newer).weights["purchases"]


def test_the_report_and_the_model_tell_the_weights() -> None:
    model, report = trained().model, trained().report
    assert isinstance(model, BlendedModel)
    weights = model.metadata["blend"]["weights"]
    assert report["weights"] == weights
    assert weights.keys() == set(PARTS)
    assert sum(weights.values()) == pytest.approx(1, abs=1e-12)


def test_the_report_has_the_forest_alone_beside_the_blend_and_its_weights() -> None:
    report = trained().report
    assert report["alone"]["auc"] != report["forest"]["auc"]
    page = report_html(report)
    assert "its forest alone" in page
    assert f"{report['weights']['forest']:.0%}" in page


@pytest.mark.parametrize("plan", [_QUICK, replace(_QUICK, search=True, blend=False)], ids=["quick", "alone"])
def test_where_no_data_choose_the_weights_the_forest_serves_alone(plan: Plan) -> None:
    alone = train(histories_of(shop()[:900]), now=NOW, plan=plan)
    assert isinstance(alone.model, ChurnModel)
    assert "alone" not in alone.report
    assert alone.report["weights"] is None


def _judged(real: float, expected: float, seed: int) -> Parts:
    """Return a window in which so many left; forest and regression say .5 on average, the process `expected`."""
    random = np.random.default_rng(seed)
    spread = random.normal(0, 0.1, 2000)
    churned = random.random(2000) < real + spread
    return Parts(np.column_stack([0.5 + spread, 0.5 + spread, expected + spread]), churned)


@pytest.mark.parametrize(
    ("windows", "is_moved"),
    [
        ([(0.65, 0.63), (0.4, 0.42)], True),
        # Once far off, and right where the level moves most.
        ([(0.5, 0.55), (0.75, 0.7)], True),
        ([(0.5, 0.7), (0.52, 0.35)], False),
        ([(0.65, 0.65)], False),
    ],
    ids=["right", "right on average", "wrong", "one window tells nothing"],
)
def test_the_level_is_moved_where_windows_were_better_off_with_it(
    windows: list[tuple[float, float]], is_moved: bool
) -> None:
    answers = [_judged(real, expected, seed) for seed, (real, expected) in enumerate(windows)]
    level = level_of(answers, [0.4, 0.4, 0.2])
    assert level["windows"] == len(windows)
    assert level["is_moved"] == is_moved
    if len(windows) > 1:
        assert (level["moved"] < level["as_learned"]) == is_moved


def test_the_report_tells_whether_the_level_is_moved_and_has_both() -> None:
    model, report = trained().model, trained().report
    number = report["level"]["windows"]
    page = report_html(report)
    assert f"{number} windows before the tested one had a mean Brier score of {report['level']['moved']:.5f}" in page
    assert ("added to everybody" in page) == report["level"]["is_moved"]
    assert ("unmoved" in report) == report["level"]["is_moved"] == ("shift" in model.metadata["blend"])


def test_where_no_window_can_be_judged_a_quarter_of_the_customers_weighs_and_the_report_says_so() -> None:
    since = NOW - timedelta(days=220)
    young = [(name, [event for event in events if event.timestamp > since]) for name, events in histories_of(shop())]
    report = train([one for one in young if one[1]], now=NOW, plan=Plan(trees=12)).report
    assert report["level"] == {"windows": 0, "is_moved": False, "by_a_quarter": True}
    page = report_html(report)
    assert "No window before the tested one could be judged: a quarter of the learned customers" in page
    assert "before the tested one had a mean Brier" not in page


def test_windows_before_those_learned_from_judge_the_level_too() -> None:
    # Of four windows learned from, half a horizon apart, two come after one that has ended.
    learned = [window for window in trained().report["windows"] if window["role"] == "learned"]
    assert len(learned) == MOST_CUT_OFFS
    # With the customers of three windows before them, three more do.
    assert trained().report["level"]["windows"] == 5


def test_a_window_is_judged_by_those_that_had_ended_and_know_both_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, asked = Plan(horizon_days=90), []

    def window(day: int, left: int) -> Snapshots:
        made = Snapshots(day * DAY)
        made.labels.extend([1] * left + [0] * (300 - left))
        return made

    def parts_of(learned: Sequence[Snapshots], judged: Snapshots, *_: object) -> Parts:
        asked.append(([one.cut_off // DAY for one in learned], judged.cut_off // DAY))
        return _judged(0.65, 0.63, seed=judged.cut_off // DAY)

    monkeypatch.setattr(weighing, "parts_of_window", parts_of)
    windows = [window(day, 29 if day in {45, 405} else 150) for day in range(0, 450, 45)]
    answers = judged(windows, Shape(), plan, lambda _: None)
    assert asked == [
        ([0], 90),
        ([0], 135),
        ([0, 90], 180),
        ([0, 90, 135], 225),
        ([90, 135, 180], 270),
        ([90, 135, 180, 225], 315),
        ([135, 180, 225, 270], 360),
    ]
    # Half as much for each two horizons before the newest one, of day 405.
    expected = [0.5 ** ((405 - day) / 180) for _, day in asked]
    assert [answer.share for answer in answers] == pytest.approx(expected)


def test_a_moved_level_is_that_of_the_process_at_the_instant_asked_about() -> None:
    model, window = trained().model, trained().held_out
    assert isinstance(model, BlendedModel)
    assert window is not None
    process = {**model.metadata["current_process"], "alpha": 30.0}
    place = DERIVED_COLUMNS.index("no_order_probability")
    assert window.inputs.shape[1] == len(INPUT_NAMES)
    moved = with_level(model, window.inputs)
    expected = derived(window.inputs, model.metadata["current_process"])[:, place].mean()
    assert probabilities(moved, window.inputs).mean() == pytest.approx(expected, abs=1e-9)
    assert with_level(moved, window.inputs).version == moved.version
    # Of a model in use, whose level is of another day.
    then = as_of_cut_off(moved, process, window.inputs)
    expected = derived(window.inputs, process)[:, place].mean()
    assert probabilities(then, window.inputs).mean() == pytest.approx(expected, abs=1e-9)
    unmoved = without_level(model)
    same = as_of_cut_off(unmoved, process, window.inputs)
    assert "shift" not in same.metadata["blend"]


@pytest.mark.parametrize(("source", "is_of_cut_off"), [("history", True), ("prior", False)])
def test_a_purchase_process_in_use_is_compared_without_the_orders_of_the_tested_window(
    source: str, is_of_cut_off: bool
) -> None:
    window, metadata = trained().held_out, trained().model.metadata
    assert window is not None
    # Of a day when the tested window had passed: an import fits it to all orders.
    draws = np.array([[0.3, 40.0, 2.0, 1.0], [0.4, 50.0, 2.0, 1.0]])
    known = {name: metadata[name] for name in ("horizon_days", "trained_at")} | {"source": source}
    current = PurchaseModel.from_draws(draws, np.array([3.0, 20.0, 200.0]), known)
    process = metadata["current_process"]
    then = probabilities(as_of_cut_off(current, process, window.inputs), window.inputs)
    of_cut_off = derived(window.inputs, process)[:, DERIVED_COLUMNS.index("no_order_probability")]
    assert np.allclose(then, of_cut_off) == is_of_cut_off
    assert np.array_equal(then, probabilities(current, window.inputs)) != is_of_cut_off
