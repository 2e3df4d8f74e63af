"""Fitting a blend: its logistic regression, and the weights of its parts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES
from churn.ml.arrays import Flags, Floats
from churn.ml.bg_nbd import INPUTS
from churn.ml.blend import PARTS, BlendedModel, LogisticRegression, log_columns
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.random_forest import ChurnModel, calibrate
from churn.training.bg_nbd import fitted_process
from churn.training.calibration import calibration
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Rows, Shape
from churn.training.snapshots import Snapshots, TrainingSet

EQUAL = dict.fromkeys(PARTS, 1 / len(PARTS))
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


def parts_of_a_quarter(
    trainer: ForestTrainer,
    training_set: TrainingSet,
    unseen: Floats,
    shape: Shape,
    newest: Snapshots,
    plan: Plan,
) -> tuple[Floats, Flags] | None:
    """Return what PARTS fitted to the other customers say of a quarter, shape (n, 3), and who of them left.

    The purchase process is that of the newest window's cut-off. `unseen` are the forest's out-of-fold probabilities.
    None if the others are all of a kind, or if there is nobody in the quarter.
    """
    inside = training_set.folds != 0
    outside = ~inside & (np.arange(len(inside)) < len(inside) // 2)
    if len({*training_set.churned[inside].tolist()}) != 2 or not outside.any():
        return None
    process = fitted_process(newest.buying, plan)
    parts = parts_outside(trainer, training_set, unseen, shape, process, inside, outside)
    return parts, training_set.churned[outside]


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
