"""Fitting a blend: its logistic regression, and the weights of its parts."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES
from churn.domain.timestamps import DAY
from churn.ml.arrays import Flags, Floats
from churn.ml.bg_nbd import INPUTS
from churn.ml.blend import PARTS, BlendedModel, LogisticRegression, log_columns
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.metrics import brier
from churn.ml.random_forest import ChurnModel, calibrate
from churn.training.bg_nbd import fitted_process
from churn.training.calibration import calibration
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Rows, Shape
from churn.training.snapshots import Snapshots, TrainingSet

EQUAL = dict.fromkeys(PARTS, 1 / len(PARTS))
_STEPS = 20
_TREES = 40
_MOST_ROWS = 100_000
NO_ORDER = DERIVED_COLUMNS.index("no_order_probability")
"""Which of the derived columns is the purchase process's probability of no order."""


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


def weigh(
    trainer: ForestTrainer,
    training_set: TrainingSet,
    unseen: Floats,
    shape: Shape,
    windows: Sequence[Snapshots],
    plan: Plan,
) -> dict[str, float]:
    """Return the weights of a blend's parts, by the `windows` learned from.

    Half of each weight is equal, half by the Brier score of the newest window, by parts fitted to those that ended
    before it, with the purchase process of its cut-off; without such windows, by that of a quarter of the customers.
    `unseen` are the forest's out-of-fold probabilities. The held-out window is not used.
    """
    newest = len(windows) - 1
    before = [window.cut_off + plan.horizon_days * DAY <= windows[newest].cut_off for window in windows]
    inside = np.isin(training_set.windows, np.flatnonzero(before))
    outside = training_set.windows == newest
    if not inside.any():
        inside, outside = training_set.folds != 0, training_set.folds == 0
    outside &= np.arange(len(outside)) < len(outside) // 2
    if len({*training_set.churned[inside].tolist()}) != 2 or not outside.any():
        return EQUAL
    process = fitted_process(windows[newest].buying, plan)
    parts = parts_outside(trainer, training_set, unseen, shape, process, inside, outside)
    best = _least_brier(parts, training_set.churned[outside])
    return {name: (weight + EQUAL[name]) / 2 for name, weight in zip(PARTS, best, strict=True)}


def parts_outside(
    trainer: ForestTrainer,
    training_set: TrainingSet,
    unseen: Floats,
    shape: Shape,
    process: Mapping[str, float],
    inside: Rows,
    outside: Rows,
) -> Floats:
    """Return the probabilities of PARTS that were fitted to the rows inside, for those outside, shape (n, 3)."""
    raw = trainer.probabilities(trainer.fit(inside, _TREES, shape), outside)
    columns = training_set.columns
    told = inside & (np.arange(len(inside)) < len(inside) // 2)
    regression = LogisticRegression(fit_logistic(columns[told], training_set.churned[told]))
    purchases = derived(columns[outside][:, : len(INPUT_NAMES)], process)[:, NO_ORDER]
    return np.column_stack(
        [
            calibrate(raw, **calibration(unseen[inside], training_set.churned[inside])),
            regression.probabilities(columns[outside]),
            np.nan_to_num(purchases, nan=0.5),
        ]
    )


def _least_brier(parts: Floats, churned: Flags) -> list[float]:
    """Return the weights, in twentieths that add up to 1, of the least Brier score."""
    sides = product(range(_STEPS + 1), repeat=2)
    tried = [np.array([one, other, _STEPS - one - other]) / _STEPS for one, other in sides if one + other <= _STEPS]
    best: list[float] = min(tried, key=lambda weights: brier(parts @ weights, churned)).tolist()
    return best
