"""The forest that serves: its derived columns, calibration, contributions and file format."""

from __future__ import annotations

import contextlib
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import BrokenModelError
from churn.ml.derived_features import derived
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.support.forests import (
    PURCHASE_PROCESS,
    random_features,
    small_model,
)


def test_derived_columns_of_one_row_are_those_of_many() -> None:
    model = small_model()
    features = random_features(5000, seed=3, missing=0.05)
    features[:50, FEATURE_NAMES.index("total_orders")] = 1
    features[50:60, FEATURE_NAMES.index("account_age_days")] = 0
    one_by_one = np.array([model.raw(row[None])[0] for row in features])
    assert np.abs(one_by_one - model.raw(features)).max() < 1e-12


def test_who_bought_once_and_long_ago_is_likelier_to_buy_nothing_than_a_regular_buyer() -> None:
    names = ("total_orders", "days_since_last_order", "account_age_days")
    rows = np.full((2, len(FEATURE_NAMES)), math.nan)
    for row, values in zip(rows, [(1, 200, 200), (12, 10, 365)], strict=True):
        for name, value in zip(names, values, strict=True):
            row[FEATURE_NAMES.index(name)] = value
    once, regular = derived(rows, PURCHASE_PROCESS)
    assert 0 < regular[2] < once[2] < 1
    assert math.isnan(once[0])
    assert regular[0] == pytest.approx(355 / 11)


@given(
    slope=st.floats(0.05, 20),
    slope_above=st.floats(0.05, 20),
    intercept=st.floats(-3, 3),
    raw=st.lists(st.integers(0, 10_000), min_size=2, max_size=20, unique=True),
)
def test_calibration_keeps_the_order_of_customers(
    slope: float, slope_above: float, intercept: float, raw: list[int]
) -> None:
    parameters = {"slope": slope, "slope_above": slope_above, "intercept": intercept}
    model = small_model().with_metadata(calibration=parameters)
    calibrated = model.calibrate(np.array(sorted(raw)) / 10_000)
    # A steep sigmoid saturates in floating point; it never turns round.
    assert (np.diff(calibrated) >= 0).all()
    if max(slope, slope_above) <= 2:
        assert (np.diff(calibrated) > 0).all()
    assert ((calibrated >= 0) & (calibrated <= 1)).all()


def test_a_version_with_one_slope_is_calibrated_by_it_on_both_sides() -> None:
    raw = np.linspace(0, 1, 50)
    single = small_model().with_metadata(calibration={"slope": 1.4, "intercept": -0.3})
    both = small_model().with_metadata(calibration={"slope": 1.4, "slope_above": 1.4, "intercept": -0.3})
    assert (single.calibrate(raw) == both.calibrate(raw)).all()


def test_contributions_add_up_to_the_probability() -> None:
    model = small_model()
    rows = [
        {name: None if math.isnan(value) else value for name, value in zip(FEATURE_NAMES, row, strict=True)}
        for row in random_features(2000, seed=5).tolist()
    ]
    predictions = model.predict(rows)
    for prediction in predictions:
        assert list(prediction.contributions) == list(FEATURE_NAMES)
        total = prediction.base + math.fsum(prediction.contributions.values())
        assert total == pytest.approx(prediction.churn_probability, abs=1e-9)
        assert 0 <= prediction.confidence <= 1
        assert prediction.model_version == model.version
    alone = model.predict([rows[0]])[0]
    assert alone.churn_probability == pytest.approx(predictions[0].churn_probability, abs=1e-12)
    silent = np.corrcoef(
        [row["days_since_last_order"] or 0 for row in rows],
        [prediction.contributions["days_since_last_order"] for prediction in predictions],
    )
    assert silent[0, 1] > 0.5


def test_absent_none_and_nan_are_the_same_missing_value() -> None:
    model = small_model()
    absent, none, nan = model.predict([{}, dict.fromkeys(FEATURE_NAMES), dict.fromkeys(FEATURE_NAMES, math.nan)])
    assert absent == none == nan
    assert model.predict([]) == []


def test_a_written_model_is_read_as_it_was() -> None:
    model = small_model()
    again = read_model(model.to_bytes())
    assert isinstance(again, ChurnModel)
    features = random_features(1000, seed=6)
    assert again.version == model.version
    assert again.version.startswith("2026-01-31T10-15-00Z-")
    assert again.metadata == model.metadata
    assert (again.raw(features) == model.raw(features)).all()


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@settings(max_examples=300)
def test_an_altered_model_is_refused_or_the_same(place: float, bit: int) -> None:
    model = small_model()
    content = bytearray(model.to_bytes())
    content[int(place * len(content))] ^= 1 << bit
    # Some bits of a zip archive mean nothing (time stamps); what is read must be what was written.
    with contextlib.suppress(BrokenModelError):
        assert read_model(bytes(content)).checksum == model.checksum


@pytest.mark.parametrize("name", ["leaf_value", "threshold", "mask", "metadata"])
def test_exchanged_content_is_refused(name: str) -> None:
    with np.load(io.BytesIO(small_model().to_bytes()), allow_pickle=False) as archive:
        arrays = dict(archive)
    arrays[name] = arrays[name].copy()
    arrays[name][0] += 1
    with pytest.raises(BrokenModelError):
        read_model(saved(arrays))


def test_bytes_that_are_no_model_are_refused() -> None:
    content = small_model().to_bytes()
    for wrong in (b"", b"not a model", content[: len(content) // 2], saved({"x": np.arange(3)})):
        with pytest.raises(BrokenModelError):
            read_model(wrong)
    # A pickled object would run code of the file's choosing when it is read.
    pickled = io.BytesIO()
    np.savez(pickled, metadata=np.array([{"columns": []}], dtype=object))
    with pytest.raises(BrokenModelError):
        read_model(pickled.getvalue())


def test_a_model_for_other_features_is_refused() -> None:
    with pytest.raises(BrokenModelError, match="other features"):
        small_model().with_metadata(columns=["shoe_size"])


def test_metadata_is_plain_json() -> None:
    with np.load(io.BytesIO(small_model().to_bytes()), allow_pickle=False) as archive:
        assert json.loads(archive["metadata"].tobytes())["columns"][0] == "total_orders"


def saved(arrays: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
