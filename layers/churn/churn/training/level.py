"""The level of a blend's probabilities: moved to that of the purchase process, which needs no labels."""

import numpy as np

from churn.ml.arrays import Floats
from churn.ml.blend import BlendedModel, moved
from churn.ml.derived_features import derived
from churn.training.blend import NO_ORDER
from churn.training.evaluation import probabilities

_MOST_SHIFT = 20.0


def level_shift(model: BlendedModel, inputs: Floats) -> float:
    """Return what to add to a blend's logits so that its mean is that of its purchase process, for these customers.

    The inputs have the shape (n, INPUT_NAMES). No label is needed. The model's own shift does not matter.
    """
    means = probabilities(without_level(model), inputs)
    process = derived(inputs, model.metadata["current_process"])[:, NO_ORDER]
    return float(shift_to(means[:, None], float(np.nanmean(process)))[0])


def with_level(model: BlendedModel, inputs: Floats) -> BlendedModel:
    """Return the blend with its level moved to that of its purchase process, for the customers of these inputs."""
    return model.with_metadata(blend={**model.metadata["blend"], "shift": level_shift(model, inputs)})


def without_level(model: BlendedModel) -> BlendedModel:
    """Return the blend at the level that it learned."""
    blend = {name: value for name, value in model.metadata["blend"].items() if name != "shift"}
    return model.with_metadata(blend=blend)


def shift_to(means: Floats, level: float) -> Floats:
    """Return what to add to the logits of each column of probabilities so that its mean is `level`, within 20."""
    low, high = np.full(means.shape[1], -_MOST_SHIFT), np.full(means.shape[1], _MOST_SHIFT)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = moved(means, np.exp(middle)).mean(axis=0) < level
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    answer: Floats = (low + high) / 2
    return answer
