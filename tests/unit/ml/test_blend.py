"""A blend: the weighted mean of its parts, with the parts' own reasons, read again as it was written."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.features import FEATURE_NAMES, FEATURES, INPUT_NAMES
from churn.domain.model import BLEND, BrokenModelError
from churn.ml.bg_nbd import no_order_probability
from churn.ml.blend import BlendedModel, LogisticRegression
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support import forests
from tests.support.forests import PURCHASE_PROCESS, fitted_forest, metadata, trees_of

_ROW: dict[str, float | None] = {
    **dict.fromkeys(INPUT_NAMES, 3.0),
    "days_since_last_order": 40.0,
    "account_age_days": 300.0,
}


@lru_cache
def forest() -> ChurnModel:
    return ChurnModel.from_trees(trees_of(fitted_forest(trees=8)), metadata(with_state=True))


def blend_of(weights: tuple[float, float, float], **logistic: Any) -> BlendedModel:
    return forests.blend_of(forest(), weights, **logistic)


_ROWS = st.fixed_dictionaries(
    {},
    optional={feature.name: st.none() | st.floats(0, min(feature.maximum, 1e6)) for feature in FEATURES}
    | {name: st.none() | st.floats(0, 1e5) for name in INPUT_NAMES if name not in FEATURE_NAMES},
)


def at(model: BlendedModel, shift: float) -> BlendedModel:
    """Return a blend whose level is moved by so much in the logit."""
    return model.with_metadata(blend={**model.metadata["blend"], "shift": shift})


@given(st.lists(_ROWS, min_size=1, max_size=5), st.sampled_from([None, 0.0, -1.3, 2.0, 15.0]))
def test_reasons_add_up_to_the_probability_of_every_row(
    rows: list[dict[str, float | None]], shift: float | None
) -> None:
    model = blend_of((0.5, 0.3, 0.2)) if shift is None else at(blend_of((0.5, 0.3, 0.2)), shift)
    predictions = model.predict(rows)
    for prediction in predictions:
        assert 0 <= prediction.churn_probability <= 1
        explained = prediction.base + math.fsum(prediction.contributions.values())
        assert explained == pytest.approx(prediction.churn_probability, abs=1e-9)
        assert prediction.contributions.keys() == set(FEATURE_NAMES)
        assert prediction.model_kind == BLEND
    told = [prediction.churn_probability for prediction in predictions]
    assert model.probabilities(rows) == pytest.approx(told, abs=1e-12)
    assert [answer.churn_probability for answer in model.estimate(rows)] == pytest.approx(told, abs=1e-12)


@given(st.lists(_ROWS, min_size=1, max_size=5), st.sampled_from([-1.3, 0.4]))
def test_a_moved_level_adds_the_same_to_the_logit_of_everybody(
    rows: list[dict[str, float | None]], shift: float
) -> None:
    model = blend_of((0.5, 0.3, 0.2))
    moved = at(model, shift)
    before, after = model.predict(rows), moved.predict(rows)
    for old, new in zip(before, after, strict=True):
        for one, other in ((old.churn_probability, new.churn_probability), (old.base, new.base)):
            assert math.log(other / (1 - other)) == pytest.approx(math.log(one / (1 - one)) + shift, abs=1e-9)
        # Reasons keep their proportions.
        scale = [
            new.contributions[name] * old.contributions[other] for name in FEATURE_NAMES for other in FEATURE_NAMES
        ]
        across = [
            new.contributions[other] * old.contributions[name] for name in FEATURE_NAMES for other in FEATURE_NAMES
        ]
        assert scale == pytest.approx(across, abs=1e-9)
    assert moved.base != model.base
    assert read_model(moved.to_bytes()).probabilities(rows) == moved.probabilities(rows)


def test_each_part_alone_is_what_it_says() -> None:
    (by_forest,) = forest().probabilities([_ROW])
    assert blend_of((1.0, 0.0, 0.0)).probabilities([_ROW]) == pytest.approx([by_forest])
    parameters = [PURCHASE_PROCESS[name] for name in ("r", "alpha", "a", "b")]
    by_process = float(no_order_probability(3.0, 40.0, 300.0, parameters, 90.0))
    assert blend_of((0.0, 0.0, 1.0)).probabilities([_ROW]) == pytest.approx([by_process])
    (mixed,) = blend_of((0.5, 0.0, 0.5)).probabilities([_ROW])
    assert mixed == pytest.approx((by_forest + by_process) / 2)
    inputs = 2 * len(forest().metadata["columns"])
    flat = blend_of((0.0, 1.0, 0.0), weight=[0.0] * inputs)
    assert flat.probabilities([_ROW]) == pytest.approx([1 / (1 + math.exp(0.4))])


def test_where_the_12_features_alone_are_known_the_forest_has_the_weight_of_the_regression() -> None:
    twelve = {name: value for name, value in _ROW.items() if name in FEATURE_NAMES}
    told = blend_of((0.2, 0.6, 0.2)).probabilities([twelve])
    assert told == pytest.approx(blend_of((0.8, 0.0, 0.2)).probabilities([twelve]))
    assert told != pytest.approx(blend_of((0.2, 0.6, 0.2)).probabilities([_ROW]))


def test_a_written_blend_is_read_as_what_it_was() -> None:
    model = blend_of((0.4, 0.3, 0.3))
    again = read_model(model.to_bytes())
    assert isinstance(again, BlendedModel)
    assert (again.version, again.metadata) == (model.version, model.metadata)
    assert again.predict([_ROW]) == model.predict([_ROW])
    assert model.with_metadata(source="sample").version != model.version
    assert (model.predict([]), model.estimate([]), model.probabilities([])) == ([], [], [])


@pytest.mark.parametrize(
    "broken",
    [
        {"weights": {"forest": 0.9, "logistic": 0.9, "purchases": 0.9}},
        {"weights": {"forest": 1.0}},
        {"logistic": None},
        {"logistic": {"centre": [0.0], "weight": [0.0], "intercept": 0.0}},
        {"typical": [1.0]},
        {"typical": ["1", 2.0, 3.0]},
        {"shift": "1"},
        {"shift": 21.0},
    ],
)
def test_a_blend_that_is_not_whole_is_refused(broken: dict[str, Any]) -> None:
    model = blend_of((0.4, 0.3, 0.3))
    described = {**model.metadata, "blend": {**model.metadata["blend"], **broken}}
    content = ChurnModel(model.forest.arrays, described).to_bytes()
    with pytest.raises(BrokenModelError):
        read_model(content)


def test_what_was_never_missing_is_the_mean_to_the_regression_and_not_0() -> None:
    regression = LogisticRegression({"centre": [5.0, 5.0, 0.0, 0.5], "weight": [2.0, 1.0, 0.0, 3.0], "intercept": 0.0})
    first_unknown, second_unknown = regression.contributions(np.array([[np.nan, 5.0], [5.0, np.nan]]))
    assert first_unknown[0] == 0
    assert second_unknown[1] < 0
