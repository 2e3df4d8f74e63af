"""Fitting a blend: its logistic regression, the weights of its parts, and the level of its probabilities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES
from churn.domain.timestamps import DAY
from churn.ml.arrays import Flags, Floats
from churn.ml.bg_nbd import INPUTS
from churn.ml.blend import PARTS, BlendedModel, LogisticRegression, log_columns, moved
from churn.ml.derived_features import DERIVED_COLUMNS, derived
from churn.ml.metrics import brier
from churn.ml.random_forest import ChurnModel, calibrate
from churn.training.bg_nbd import fitted_process
from churn.training.calibration import calibration
from churn.training.evaluation import probabilities
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Rows, Shape
from churn.training.snapshots import Snapshots, TrainingSet

EQUAL = dict.fromkeys(PARTS, 1 / len(PARTS))
_STEPS = 20
_TREES = 40
_MOST_ROWS = 100_000
_NO_ORDER = DERIVED_COLUMNS.index("no_order_probability")
_MOST_SHIFT = 20.0
FEWEST_WINDOWS = 2
"""One window does not tell whether the level moves as the purchase process expects."""


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


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the windows learned from say of a blend: the weights of its parts, and whether its level is to be moved."""

    weights: dict[str, float]
    level: dict[str, Any]
    """`windows` that were judged, the mean of their Brier scores, `as_learned` and `moved`, and `is_moved`."""


def weigh(
    trainer: ForestTrainer,
    training_set: TrainingSet,
    unseen: Floats,
    shape: Shape,
    windows: Sequence[Snapshots],
    plan: Plan,
) -> Weighed:
    """Return the weights of a blend's parts, and whether to move its level, by the `windows` learned from.

    Each window that others ended before is judged, by parts fitted to those alone, with the purchase process of its
    cut-off. Half of each weight is equal, half by the Brier score of the newest window; without such windows, by that
    of a quarter of the customers. The level is moved to that of the purchase process where two such windows or more
    have a lower Brier score for it on average. `unseen` are the forest's out-of-fold probabilities. The held-out window
    is not used.
    """
    first_half = np.arange(len(training_set.churned)) < len(training_set.churned) // 2
    judged = []
    for number, window in enumerate(windows):
        before = [other.cut_off + plan.horizon_days * DAY <= window.cut_off for other in windows]
        inside = np.isin(training_set.windows, np.flatnonzero(before))
        if inside.any():
            judged.append((inside, first_half & (training_set.windows == number), window.buying))
    if not judged:
        judged = [(training_set.folds != 0, first_half & (training_set.folds == 0), windows[-1].buying)]
    answers = []
    for inside, outside, buying in judged:
        if len({*training_set.churned[inside].tolist()}) == 2 and outside.any():
            process = fitted_process(buying, plan)
            parts = parts_outside(trainer, training_set, unseen, shape, process, inside, outside)
            answers.append((parts, training_set.churned[outside]))
    if not answers:
        return Weighed(EQUAL, {"windows": 0, "is_moved": False})
    best = _least_brier(*answers[-1])
    weights = {name: (weight + EQUAL[name]) / 2 for name, weight in zip(PARTS, best, strict=True)}
    return Weighed(weights, level_of(answers, [weights[name] for name in PARTS]))


def level_shift(model: BlendedModel, inputs: Floats) -> float:
    """Return what to add to a blend's logits so that its mean is that of its purchase process, for these customers.

    The inputs have the shape (n, INPUT_NAMES). No label is needed. The model's own shift does not matter.
    """
    means = probabilities(without_level(model), inputs)
    process = derived(inputs, model.metadata["current_process"])[:, _NO_ORDER]
    return _shift(means, float(np.nanmean(process)))


def with_level(model: BlendedModel, inputs: Floats) -> BlendedModel:
    """Return the blend with its level moved to that of its purchase process, for the customers of these inputs."""
    return model.with_metadata(blend={**model.metadata["blend"], "shift": level_shift(model, inputs)})


def without_level(model: BlendedModel) -> BlendedModel:
    """Return the blend at the level that it learned."""
    blend = {name: value for name, value in model.metadata["blend"].items() if name != "shift"}
    return model.with_metadata(blend=blend)


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
    purchases = derived(columns[outside][:, : len(INPUT_NAMES)], process)[:, _NO_ORDER]
    return np.column_stack(
        [
            calibrate(raw, **calibration(unseen[inside], training_set.churned[inside])),
            regression.probabilities(columns[outside]),
            np.nan_to_num(purchases, nan=0.5),
        ]
    )


def level_of(answers: Sequence[tuple[Floats, Flags]], weights: Sequence[float]) -> dict[str, Any]:
    """Return whether windows are better off, on average, with the mean of the blend at that of the process."""
    as_learned, at_process = [], []
    for parts, churned in answers:
        means = parts @ np.array(weights)
        as_learned.append(brier(means, churned))
        odds = float(np.exp(_shift(means, float(parts[:, PARTS.index("purchases")].mean()))))
        at_process.append(brier(moved(means, odds), churned))
    before, after = float(np.mean(as_learned)), float(np.mean(at_process))
    is_moved = len(answers) >= FEWEST_WINDOWS and after < before
    return {"windows": len(answers), "as_learned": before, "moved": after, "is_moved": is_moved}


def _shift(means: Floats, level: float) -> float:
    """Return what to add to the logits of probabilities so that their mean is `level`, within 20 either way."""
    low, high = -_MOST_SHIFT, _MOST_SHIFT
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float(moved(means, float(np.exp(middle))).mean()) < level else (low, middle)
    return (low + high) / 2


def _least_brier(parts: Floats, churned: Flags) -> list[float]:
    """Return the weights, in twentieths that add up to 1, of the least Brier score."""
    sides = product(range(_STEPS + 1), repeat=2)
    tried = [np.array([one, other, _STEPS - one - other]) / _STEPS for one, other in sides if one + other <= _STEPS]
    best: list[float] = min(tried, key=lambda weights: brier(parts @ weights, churned)).tolist()
    return best
