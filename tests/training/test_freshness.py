"""A tested model is fitted again to all windows; which form of it serves, and which one is compared later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from churn.ml.arrays import Floats
from churn.ml.loading import LearnedModel, read_model
from churn.ml.random_forest import ChurnModel
from churn.training import InUse, Plan, TrainedModel, Window, report_html, train
from churn.training.evaluation import probabilities
from churn.training.freshness import Form, chosen_form, rank_correlation
from tests.support.forests import small_model
from tests.training.test_pipeline import NOW, histories_of, in_use, shop

_QUICK = Plan(trees=20, search=False)


@lru_cache
def trained() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()[:900]), now=NOW, plan=Plan(trees=20))


@lru_cache
def alone() -> TrainedModel[LearnedModel]:
    return train(histories_of(shop()[:1200]), now=NOW, plan=_QUICK)


@pytest.mark.parametrize("make", [trained, alone], ids=["blend", "forest"])
def test_what_serves_has_learned_the_tested_window_too_in_the_tested_shape(make: Any) -> None:
    model, tested, window = make().model, make().tested, make().held_out
    freshness: dict[str, Any] = model.metadata["freshness"]
    assert freshness["served"] == "refitted"
    assert model.metadata["fitted_at"] == [*tested.metadata["fitted_at"], tested.metadata["tested_at"]]
    assert model.metadata["snapshots"] == tested.metadata["snapshots"] + len(window.churned)
    assert model.metadata["forest"] == tested.metadata["forest"]
    assert model.metadata.get("blend", {}).get("weights") == tested.metadata.get("blend", {}).get("weights")
    assert model.metadata["purchase_process"] == tested.metadata["current_process"]
    assert model.metadata["current_process"] != tested.metadata["current_process"]
    assert freshness["as_of"] == "2026-01-01T00:00:00Z"
    assert read_model(model.to_bytes()).version == model.version


def test_the_figures_are_those_of_the_tested_model_which_the_served_one_names() -> None:
    model, tested, window, report = trained().model, trained().tested, trained().held_out, trained().report
    assert tested is not None
    assert window is not None
    answer = probabilities(tested, window.inputs)
    assert report["forest"]["brier"] == pytest.approx(float(np.mean((answer - window.churned) ** 2)), abs=1e-12)
    assert report["freshness"] == model.metadata["freshness"]
    assert report["freshness"]["tested_version"] == tested.version
    assert model.metadata["metrics"] == tested.metadata["metrics"]
    assert model.metadata["tested_at"] == tested.metadata["tested_at"]
    page = report_html(report)
    assert f"tested model, version {tested.version}" in page
    assert "fitted again to all windows, with the purchase process of 1 January 2026" in page


def test_the_drift_reference_has_the_scores_of_the_model_that_it_belongs_to() -> None:
    model, tested, window = trained().model, trained().tested, trained().held_out
    assert tested is not None
    assert window is not None
    served, judged = model.metadata["reference"], tested.metadata["reference"]
    assert (served["scores_of"], judged["scores_of"]) == ("refitted", "as_tested")
    assert served["tested_at"] == judged["tested_at"] == model.metadata["tested_at"]
    assert served["columns"] == judged["columns"]
    assert served["score"] != judged["score"]
    for of, histogram in ((model, served), (tested, judged)):
        edges, score = histogram["score"]["edges"], probabilities(of, window.inputs)
        assert np.mean(score <= edges[0]) == pytest.approx(histogram["score"]["shares"][0], abs=1e-12)


def test_the_model_in_use_is_compared_as_it_was_tested_not_as_it_learned_the_window() -> None:
    histories = histories_of(shop()[:1200])
    again = train(histories, now=NOW, plan=_QUICK, current=in_use(alone()))
    assert again.report["current"]["brier"] == pytest.approx(again.report["forest"]["brier"], abs=1e-12)
    assert again.model.metadata["gate"]["compared_with"] == alone().model.version
    assert again.model.metadata["gate"]["passed"]
    without = train(histories, now=NOW, plan=_QUICK, current=InUse(alone().model, None))
    assert "current" not in without.report
    assert without.model.metadata["gate"]["passed"]
    assert "is not there" in without.model.metadata["gate"]["reasons"][0]


def _forms(*forms: tuple[Form, LearnedModel]) -> Iterator[tuple[Form, LearnedModel]]:
    yield from forms


def _window() -> Window:
    random = np.random.default_rng(4)
    return Window(random.gamma(1, 60, (600, 12)), random.random(600) < 0.5)


def _moved(model: ChurnModel, by: float) -> ChurnModel:
    """Return a forest whose logits are moved, which keeps the order of customers."""
    calibration = model.metadata["calibration"]
    return model.with_metadata(calibration={**calibration, "intercept": calibration["intercept"] + by})


@pytest.mark.parametrize(("moved", "serves"), [(0.01, True), (0.4, False), (-0.4, False)])
def test_a_form_whose_mean_moves_by_two_points_does_not_serve(moved: float, serves: bool) -> None:
    tested, window = small_model(), _window()
    answer = probabilities(tested, window.inputs)
    other = _moved(tested, moved)
    model, freshness = chosen_form(tested, _forms(("refitted", other)), window, answer)
    assert (model is other) == serves
    assert freshness["served"] == ("refitted" if serves else "as_tested")
    (tried,) = freshness["tried"]
    assert tried["served"] == serves
    assert tried["rank_correlation"] == pytest.approx(1)
    assert (abs(tried["mean_difference"]) < 0.02) == serves


def test_a_form_of_the_same_mean_in_another_order_does_not_serve_and_the_next_is_tried() -> None:
    tested, window = small_model(), _window()
    answer = probabilities(tested, window.inputs)
    shuffled: Floats = np.random.default_rng(5).permutation(answer)
    near = _moved(tested, 0.001)
    # Told of probabilities in another order, the same model is the other form.
    model, freshness = chosen_form(tested, _forms(("refitted", tested), ("brought_up_to_now", near)), window, shuffled)
    assert model is tested
    assert [tried["served"] for tried in freshness["tried"]] == [False, False]
    assert abs(freshness["tried"][0]["mean_difference"]) < 1e-9
    assert freshness["tried"][0]["rank_correlation"] < 0.95
    far, order = _moved(tested, 1.0), probabilities(tested, window.inputs)
    model, freshness = chosen_form(tested, _forms(("refitted", far), ("brought_up_to_now", near)), window, order)
    assert model is near
    assert freshness["served"] == "brought_up_to_now"


def test_rank_correlation_is_spearman_s() -> None:
    from scipy.stats import spearmanr  # noqa: PLC0415 (seconds to import)

    random = np.random.default_rng(6)
    one, other = random.integers(0, 20, 300).astype(float), random.integers(0, 20, 300).astype(float)
    assert rank_correlation(one, other) == pytest.approx(float(spearmanr(one, other).statistic), abs=1e-12)
    assert rank_correlation(one, np.ones(300)) == 1


def test_a_level_that_moves_in_the_newest_window_leaves_the_tested_model_serving() -> None:
    last = datetime.fromisoformat(trained().model.metadata["tested_at"])
    # In the newest window orders are few, of everybody alike: what learns it expects less.
    thinned = [
        (
            customer_id,
            [
                event
                for number, event in enumerate(events)
                if event.timestamp < last or event.event_type != "order_placed" or number % 5 == 0
            ],
        )
        for customer_id, events in histories_of(shop()[:900])
    ]
    moved = train(thinned, now=NOW, plan=_QUICK)
    freshness = moved.model.metadata["freshness"]
    assert freshness["tried"][0]["form"] == "refitted"
    assert freshness["tried"][0]["mean_difference"] >= 0.02
    assert freshness["served"] != "refitted"
    assert moved.model.metadata["fitted_at"][-1] < moved.model.metadata["tested_at"]
