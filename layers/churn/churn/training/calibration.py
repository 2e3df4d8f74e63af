"""Calibration of a forest's raw probabilities, by beta calibration (Kull, Silva Filho and Flach 2017)."""

import numpy as np

from churn.ml.arrays import Flags, Floats
from churn.ml.random_forest import SHRINKAGE

_FLATTEST = 1e-3


def calibration(raw: Floats, churned: Flags) -> dict[str, float]:
    """Return the parameters of `ChurnModel.calibrate` for a forest's raw probabilities, by maximum likelihood."""
    drawn = SHRINKAGE + (1 - 2 * SHRINKAGE) * raw
    below, above = np.log(drawn), -np.log(1 - drawn)
    slope, slope_above, intercept = _logistic(np.column_stack([below, above]), churned)
    if min(slope, slope_above) < _FLATTEST:
        slope, intercept = logistic(below + above, churned)
        slope_above = slope
    return {"slope": slope, "slope_above": slope_above, "intercept": intercept}


def logistic(inputs: Floats, churned: Flags) -> tuple[float, float]:
    """Return slope (above 0) and intercept of a logistic regression on one input, by maximum likelihood."""
    slope, intercept = _logistic(inputs[:, None], churned)
    if slope >= _FLATTEST:
        return slope, intercept
    # Without any signal the slope is about 0 or below; a positive one still keeps the order of customers.
    base = float(np.log(churned.mean() / (1 - churned.mean())))
    return _FLATTEST, base - _FLATTEST * float(inputs.mean())


def _logistic(inputs: Floats, churned: Flags) -> list[float]:
    """Return a slope for each column of `inputs`, then the intercept, by Newton's method on the log-likelihood."""
    centre, width = inputs.mean(axis=0), inputs.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    design = np.column_stack([(inputs - centre) / width, np.ones(len(inputs))])
    weights = np.zeros(design.shape[1])
    weights[-1] = float(np.log(churned.mean() / (1 - churned.mean())))
    faint = 1e-6 * np.eye(len(weights))
    for _ in range(30):
        expected = 1 / (1 + np.exp(-design @ weights))
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design + faint
        step = np.linalg.solve(curvature, design.T @ (churned - expected) - 1e-6 * weights)
        weights += np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-10:
            break
    slopes = weights[:-1] / width
    return [*slopes.tolist(), float(weights[-1] - slopes @ centre)]
