"""Simpler models that a new one is compared with."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Flags, Floats
from churn.ml.derived_features import derived
from churn.ml.random_forest import ChurnModel
from churn.training.calibration import logistic
from churn.training.evaluation import _MOST_ROWS, _PLACES, Window, probabilities
from churn.training.snapshots import Progress


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What is learned from: the forest's columns, labels, and of each row the customer's fold and the window."""

    columns: Floats
    churned: Flags
    folds: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]


def baselines(learned: TrainingSet, window: Window, model: ChurnModel, progress: Progress) -> dict[str, Floats]:
    """The answers of simpler and of other models that learned from the same snapshots, shape (n,) each.

    `recency`: a logistic curve of the days since the last order. `logistic`: logistic regression on the logarithms of
    the forest's columns. `boosting`: gradient-boosted trees on these columns. `purchases`: BG/NBD's probability of no
    order, which needs no labels. `twelve`: the forest itself, told the 12 features alone.
    """
    # The first half: the other one has each of its rows again, with the 12 features alone.
    whole = len(learned.churned) // 2
    rows = np.arange(0, whole, max(1, whole // _MOST_ROWS))
    columns, churned = learned.columns[rows], learned.churned[rows]
    asked = model.columns(window.inputs)
    progress("beside it: recency, logistic regression, gradient boosting, BG/NBD")
    return {
        "recency": recency_alone(columns, churned, window),
        "logistic": _logistic_regression(columns, churned, asked),
        "boosting": _boosting(columns, churned, asked),
        "purchases": derived(window.inputs, model.metadata["purchase_process"])[:, 2],
        "twelve": probabilities(model, window.inputs[:, : len(FEATURE_NAMES)]),
    }


def recency_alone(columns: Floats, churned: Flags, window: Window) -> Floats:
    """A logistic curve of the logarithm of the days since the last order."""
    place = _PLACES["days_since_last_order"]
    slope, intercept = logistic(np.log1p(columns[:, place]), churned)
    answer: Floats = 1 / (1 + np.exp(-(slope * np.log1p(window.inputs[:, place]) + intercept)))
    return answer


def _logistic_regression(columns: Floats, churned: Flags, asked: Floats) -> Floats:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (a second to import)

    def prepared(given: Floats) -> Floats:
        logs = np.log1p(np.maximum(np.nan_to_num(given, nan=0.0), 0.0))
        return np.hstack([logs, np.isnan(given).astype(np.float64)])

    known = prepared(columns)
    centre, width = known.mean(axis=0), known.std(axis=0)
    width[width < 1e-9] = np.inf
    fitted = LogisticRegression(max_iter=1000).fit((known - centre) / width, churned)
    answer: Floats = fitted.predict_proba((prepared(asked) - centre) / width)[:, 1]
    return answer


def _boosting(columns: Floats, churned: Flags, asked: Floats) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 (a second to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    known = ~np.isnan(columns).all(axis=0)
    # Its threads wait for one another at every step, without end where something else keeps the processor busy.
    with threadpool_limits(1):
        fitted = HistGradientBoostingClassifier(random_state=1).fit(columns[:, known], churned)
        answer: Floats = fitted.predict_proba(asked[:, known])[:, 1]
    return answer
