"""What a prediction rests on, as it is stored, and what changed from one to another."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from churn.domain.explanations import rounded
from churn.domain.features import BY_NAME, FEATURE_NAMES
from churn.domain.model import Prediction
from churn.domain.reasons import STORED_FEATURES, Point, change_between, read_reasons, write_reasons

_points = st.floats(-0.3, 0.3)
_values = st.none() | st.floats(0, 36_500)


@st.composite
def _predictions(draw: st.DrawFn) -> tuple[Prediction, dict[str, float | None]]:
    contributions = {name: draw(_points) for name in FEATURE_NAMES}
    base = draw(st.floats(0, 1))
    probability = min(1.0, max(0.0, base + sum(contributions.values())))
    interval = draw(st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1)))
    version = draw(st.sampled_from(["v1", "v2"]))
    values = {name: draw(_values) for name in FEATURE_NAMES}
    return Prediction(probability, 0.9, version, contributions, base, interval=interval), values


def _point(number: int, prediction: Prediction, values: dict[str, float | None]) -> Point:
    reasons = read_reasons(write_reasons(prediction, values))
    return Point(number, prediction.churn_probability, prediction.model_version, reasons)


def test_every_feature_has_a_place_in_the_stored_line() -> None:
    assert sorted(STORED_FEATURES) == sorted(FEATURE_NAMES)


@given(_predictions())
def test_what_is_stored_is_read_again_to_a_millionth_and_fits_its_column(
    made: tuple[Prediction, dict[str, float | None]],
) -> None:
    prediction, values = made
    text = write_reasons(prediction, values)
    assert text.isascii()
    assert len(text) <= 1000
    reasons = read_reasons(text)
    assert reasons is not None
    assert abs(reasons.base - prediction.base) <= 1e-6
    for name in FEATURE_NAMES:
        assert abs(reasons.contributions[name] - prediction.contributions[name]) <= 1e-6
        assert reasons.values[name] == BY_NAME[name].shown(values[name])
    assert (reasons.interval is None) == (prediction.interval is None)


@given(_predictions(), _predictions())
def test_the_parts_of_a_change_add_up_to_it(
    first: tuple[Prediction, dict[str, float | None]], second: tuple[Prediction, dict[str, float | None]]
) -> None:
    change = change_between(_point(1, *first), _point(2, *second))
    assert change["drivers"] is not None
    assert change["base_change"] is not None
    assert change["other_changes"] is not None
    effects = [driver["effect"] for driver in change["drivers"]]
    assert rounded(change["base_change"] + sum(effects) + change["other_changes"]) == change["change"]
    shown = [rounded(made[0].churn_probability) for made in (first, second)]
    assert change["change"] == rounded(shown[1] - shown[0])
    assert [abs(effect) for effect in effects] == sorted(map(abs, effects), reverse=True)
    assert change["model_changed"] == (first[0].model_version != second[0].model_version)


def _prediction(days: float, points: float) -> tuple[Prediction, dict[str, float | None]]:
    contributions = dict.fromkeys(FEATURE_NAMES, 0.0) | {"days_since_last_order": points, "payment_failures": 0.02}
    values: dict[str, Any] = dict.fromkeys(FEATURE_NAMES) | {"days_since_last_order": days, "payment_failures": 1.0}
    return Prediction(0.2 + points + 0.02, 0.9, "v1", contributions, 0.2), values


def test_a_driver_tells_the_value_before_and_after() -> None:
    change = change_between(_point(1, *_prediction(10, 0.05)), _point(2, *_prediction(75.26, 0.31)))
    assert change["drivers"] == [
        {
            "feature": "days_since_last_order",
            "before": 10.0,
            "after": 75.3,
            "effect": 0.26,
            "sentence": (
                "The last order was 75 days ago (before: 10): this adds 26 points more to the risk than before."
            ),
        }
    ]
    assert (change["change"], change["base_change"], change["other_changes"]) == (0.26, 0.0, 0.0)
    back = change_between(_point(2, *_prediction(75.26, 0.31)), _point(1, *_prediction(75.26, 0.3)))
    assert back["drivers"] is not None
    assert (
        back["drivers"][0]["sentence"]
        == "The last order was 75 days ago (as before): this adds 1 point fewer to the risk than before."
    )


def test_without_stored_reasons_the_parts_are_not_known() -> None:
    point = _point(2, *_prediction(75, 0.3))
    change = change_between(Point(1, 0.4, "v1", read_reasons(None)), point)
    assert change["change"] == rounded(0.52 - 0.4)
    assert (change["base_change"], change["drivers"], change["other_changes"]) == (None, None, None)


def test_a_line_of_fewer_features_leaves_the_newer_ones_unknown() -> None:
    base, interval, values, contributions = json.loads(write_reasons(*_prediction(75, 0.3)))
    reasons = read_reasons(json.dumps([base, interval, values[:4], contributions[:4]]))
    assert reasons is not None
    assert reasons.values["days_since_last_order"] == 75
    assert reasons.values["payment_failures"] is None
    assert reasons.contributions.get("payment_failures") is None
