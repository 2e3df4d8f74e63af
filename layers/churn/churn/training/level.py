"""The level of a blend's probabilities: whether it is moved to that of the purchase process, and by how much.

How many leave moves with the season and with the shop. What learned from labels goes on with the level of its windows;
the purchase process expects one for the coming window without labels.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from churn.domain.timestamps import DAY
from churn.ml.arrays import Flags, Floats
from churn.ml.blend import PARTS, BlendedModel, LogisticRegression, moved
from churn.ml.derived_features import derived
from churn.ml.metrics import brier
from churn.training.bg_nbd import fitted_process
from churn.training.blend import NO_ORDER, fit_logistic
from churn.training.evaluation import probabilities
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Shape
from churn.training.snapshots import (
    FEWEST_CUSTOMERS,
    FEWEST_OF_A_KIND,
    MOST_CUT_OFFS,
    MOST_JUDGED,
    Progress,
    Snapshots,
    TrainingSet,
)

FEWEST_WINDOWS = 2
"""One window does not tell whether the level moves as the purchase process expects."""
_MOST_SHIFT = 20.0
_TREES = 40

Parts = tuple[Floats, Flags]
"""What the PARTS of a blend say of a window's customers, shape (n, 3), and who of them left."""


def judge_level(
    windows: Sequence[Snapshots], weights: Mapping[str, float], shape: Shape, plan: Plan, progress: Progress
) -> dict[str, Any]:
    """Return whether a blend's level is to be moved, by all the windows whose labels were known before the tested one.

    `windows` are in order of time: those learned from, and those of every half horizon before them. Each is judged as
    a training of its cut-off would be, by parts fitted to the newest that had ended. The level is moved where two
    windows or more have a lower Brier score on average with the mean that the purchase process of their cut-off
    expects. The answer has `windows`, how many were judged, the mean Brier scores `as_learned` and `moved`, and
    `is_moved`.
    """
    answers = []
    for number, window in enumerate(windows):
        ended = [one for one in windows[:number] if one.cut_off + plan.horizon_days * DAY <= window.cut_off]
        learned = [one for one in ended[-MOST_CUT_OFFS:] if _has_both_kinds(one)]
        if learned and _has_both_kinds(window):
            progress(f"judging the level of window {number + 1} of {len(windows)}")
            answers.append(parts_of_window(learned, window, shape, plan))
    return level_of(answers, [weights[name] for name in PARTS])


def parts_of_window(learned: Sequence[Snapshots], window: Snapshots, shape: Shape, plan: Plan) -> Parts:
    """Return what parts that were fitted to some windows say of a later one; of many customers, of a sample."""
    process = fitted_process(learned[-1].buying, plan)
    sampled = [_sample(one) for one in (*learned, window)]
    inputs = np.vstack([inputs for inputs, _ in sampled])
    churned = np.concatenate([labels for _, labels in sampled])
    numbers = np.repeat(np.arange(len(sampled)), [len(labels) for _, labels in sampled])
    columns = np.hstack([inputs, derived(inputs, process)])
    training_set = TrainingSet(columns, churned, np.zeros(len(churned), dtype=np.int64), numbers)
    outside = numbers == len(learned)
    trainer = ForestTrainer(training_set, 1, plan.seed)
    # What a forest says on average is not what calibration changes.
    by_forest = trainer.probabilities(trainer.fit(~outside, _TREES, shape), outside)
    regression = LogisticRegression(fit_logistic(columns[~outside], churned[~outside]))
    purchases = derived(inputs[outside], fitted_process(window.buying, plan))[:, NO_ORDER]
    by_process = np.nan_to_num(purchases, nan=0.5)
    return np.column_stack([by_forest, regression.probabilities(columns[outside]), by_process]), churned[outside]


def level_of(answers: Sequence[Parts], weights: Sequence[float]) -> dict[str, Any]:
    """Return whether windows are better off, on average, with the mean of the blend at that of the process."""
    as_learned, at_process = [], []
    for parts, churned in answers:
        means = parts @ np.array(weights)
        as_learned.append(brier(means, churned))
        odds = float(np.exp(_shift(means, float(parts[:, PARTS.index("purchases")].mean()))))
        at_process.append(brier(moved(means, odds), churned))
    if not answers:
        return {"windows": 0, "is_moved": False}
    before, after = float(np.mean(as_learned)), float(np.mean(at_process))
    is_moved = len(answers) >= FEWEST_WINDOWS and after < before
    return {"windows": len(answers), "as_learned": before, "moved": after, "is_moved": is_moved}


def level_shift(model: BlendedModel, inputs: Floats) -> float:
    """Return what to add to a blend's logits so that its mean is that of its purchase process, for these customers.

    The inputs have the shape (n, INPUT_NAMES). No label is needed. The model's own shift does not matter.
    """
    means = probabilities(without_level(model), inputs)
    process = derived(inputs, model.metadata["current_process"])[:, NO_ORDER]
    return _shift(means, float(np.nanmean(process)))


def with_level(model: BlendedModel, inputs: Floats) -> BlendedModel:
    """Return the blend with its level moved to that of its purchase process, for the customers of these inputs."""
    return model.with_metadata(blend={**model.metadata["blend"], "shift": level_shift(model, inputs)})


def without_level(model: BlendedModel) -> BlendedModel:
    """Return the blend at the level that it learned."""
    blend = {name: value for name, value in model.metadata["blend"].items() if name != "shift"}
    return model.with_metadata(blend=blend)


def _shift(means: Floats, level: float) -> float:
    """Return what to add to the logits of probabilities so that their mean is `level`, within 20 either way."""
    low, high = -_MOST_SHIFT, _MOST_SHIFT
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if float(moved(means, float(np.exp(middle))).mean()) < level else (low, middle)
    return (low + high) / 2


def _has_both_kinds(window: Snapshots) -> bool:
    left = sum(window.labels)
    return len(window.labels) >= FEWEST_CUSTOMERS and min(left, len(window.labels) - left) >= FEWEST_OF_A_KIND


def _sample(window: Snapshots) -> Parts:
    """Return the inputs and labels of a window, of every so many customers if there are more than 10,000."""
    step = -(-len(window.labels) // MOST_JUDGED)
    return window.inputs[::step], window.churned[::step]
