"""Baselines: simpler models that a new one is compared with."""

import numpy as np

from churn.domain.features import FEATURE_NAMES
from churn.ml.arrays import Flags, Floats
from churn.ml.blend import BlendedModel, LogisticRegression
from churn.ml.derived_features import derived
from churn.ml.loading import LearnedModel
from churn.training.blend import fit_logistic
from churn.training.calibration import logistic
from churn.training.evaluation import Window, probabilities
from churn.training.snapshots import Progress, TrainingSet

# More rows do not change the comparison.
_MOST_ROWS = 100_000


def baselines(training_set: TrainingSet, window: Window, model: LearnedModel, progress: Progress) -> dict[str, Floats]:
    """Return the probabilities of models that were fitted to the same snapshots, shape (n,) each.

    `recency`: a logistic curve of the days since the last order. `logistic`: logistic regression on the logarithms of
    the forest's columns. `boosting`: gradient-boosted trees on these columns. `purchases`: BG/NBD's probability of no
    order, which needs no labels, with its parameters at the cut-off. `twelve`: the model itself, given the 12 features
    alone.
    """
    # The second half repeats the rows of the first, with the 12 features alone.
    whole = len(training_set.churned) // 2
    rows = np.arange(0, whole, max(1, whole // _MOST_ROWS))
    columns, churned = training_set.columns[rows], training_set.churned[rows]
    held_out = (model.forest if isinstance(model, BlendedModel) else model).columns(window.inputs)
    progress("beside it: recency, logistic regression, gradient boosting, BG/NBD")
    return {
        "recency": recency_alone(columns, churned, window),
        "logistic": LogisticRegression(fit_logistic(columns, churned)).probabilities(held_out),
        "boosting": _boosting(columns, churned, held_out),
        "purchases": derived(window.inputs, model.metadata["current_process"])[:, 2],
        "twelve": probabilities(model, window.inputs[:, : len(FEATURE_NAMES)]),
    }


def recency_alone(columns: Floats, churned: Flags, window: Window) -> Floats:
    """Return the probabilities of a logistic curve of the logarithm of the days since the last order."""
    recency = columns[:, FEATURE_NAMES.index("days_since_last_order")]
    slope, intercept = logistic(np.log1p(recency), churned)
    answer: Floats = 1 / (1 + np.exp(-(slope * np.log1p(window.of("days_since_last_order")) + intercept)))
    return answer


def _boosting(columns: Floats, churned: Flags, held_out: Floats) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 (seconds to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    used = ~np.isnan(columns).all(axis=0)
    # One thread: at every step its threads wait for each other, for ever if other processes keep the cores busy.
    with threadpool_limits(1):
        fitted = HistGradientBoostingClassifier(random_state=1).fit(columns[:, used], churned)
        answer: Floats = fitted.predict_proba(held_out[:, used])[:, 1]
    return answer
