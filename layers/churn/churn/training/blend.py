"""Fitting a blend: its logistic regression, and the weights of its parts."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Flags, Floats
from churn.ml.bg_nbd import INPUTS
from churn.ml.blend import PARTS, BlendedModel, LogisticRegression, log_columns
from churn.ml.random_forest import COLUMNS, ChurnModel, calibrate
from churn.training.calibration import calibration
from churn.training.random_forest import ForestTrainer, Shape
from churn.training.snapshots import Progress, TrainingSet

EQUAL = dict.fromkeys(PARTS, 1 / len(PARTS))
_STEPS = 20
_TREES = 40
_MOST_ROWS = 100_000


def blended(model: ChurnModel, training_set: TrainingSet, weights: dict[str, float]) -> BlendedModel:
    """Return a forest blended with a regression that is fitted to the same rows, and with the purchase process."""
    whole = len(training_set.churned) // 2
    columns = training_set.columns[:whole]
    names = [*FEATURE_NAMES]
    places = [names.index(name) for name in INPUTS]
    blend = {
        "weights": weights,
        "logistic": fit_logistic(columns, training_set.churned[:whole]),
        "typical": np.nanmedian(columns[:, places], axis=0).tolist(),
    }
    return BlendedModel(model.arrays, {**model.metadata, "blend": blend})


def fit_logistic(columns: Floats, churned: Flags) -> dict[str, Any]:
    """Return the fitted numbers of `churn.ml.blend.LogisticRegression`, of a forest's columns."""
    from sklearn.linear_model import LogisticRegression as Regression  # noqa: PLC0415 (seconds to import)

    rows = np.arange(0, len(churned), max(1, len(churned) // _MOST_ROWS))
    inputs = log_columns(columns[rows])
    centre, width = inputs.mean(axis=0), inputs.std(axis=0)
    varies = width > 1e-9
    fitted = Regression(max_iter=1000).fit((inputs[:, varies] - centre[varies]) / width[varies], churned[rows])
    weight = np.zeros(len(width))
    weight[varies] = fitted.coef_[0] / width[varies]
    return {"centre": centre.tolist(), "weight": weight.tolist(), "intercept": float(fitted.intercept_[0])}


def choose_weights(
    trainer: ForestTrainer,
    training_set: TrainingSet,
    unseen: Floats,
    shape: Shape,
    horizon_apart: Sequence[bool],
    progress: Progress,
) -> dict[str, float]:
    """Return the weights of a blend's parts: half of them equal, half by the Brier score.

    The score is that on the newest window of the training set, of parts fitted to the windows whose labels were known
    before it began (`horizon_apart` marks them); without such windows, on a quarter of the customers. `unseen` are the
    forest's out-of-fold probabilities. The held-out window is not used.
    """
    progress("weighing the forest, the regression and the purchase process")
    first_half = np.arange(len(training_set.churned)) < len(training_set.churned) // 2
    before = np.isin(training_set.windows, np.flatnonzero(horizon_apart))
    if before.any():
        inside, outside = before, first_half & (training_set.windows == training_set.windows.max())
    else:
        inside, outside = training_set.folds != 0, first_half & (training_set.folds == 0)
    if len({*training_set.churned[inside].tolist()}) < 2 or not outside.any():
        return EQUAL
    raw = trainer.probabilities(trainer.fit(inside, _TREES, shape), outside)
    columns, told = training_set.columns, inside & first_half
    regression = LogisticRegression(fit_logistic(columns[told], training_set.churned[told]))
    parts = np.column_stack(
        [
            calibrate(raw, **calibration(unseen[inside], training_set.churned[inside])),
            regression.probabilities(columns[outside]),
            np.nan_to_num(columns[outside, COLUMNS.index("no_order_probability")], nan=0.5),
        ]
    )
    best = _least_brier(parts, training_set.churned[outside])
    return {name: (weight + EQUAL[name]) / 2 for name, weight in zip(PARTS, best, strict=True)}


def _least_brier(parts: Floats, churned: Flags) -> list[float]:
    """Return the weights, in twentieths that add up to 1, of the least Brier score."""
    sides = product(range(_STEPS + 1), repeat=2)
    tried = [np.array([one, other, _STEPS - one - other]) / _STEPS for one, other in sides if one + other <= _STEPS]
    best: list[float] = min(tried, key=lambda weights: float(((parts @ weights - churned) ** 2).mean())).tolist()
    return best
