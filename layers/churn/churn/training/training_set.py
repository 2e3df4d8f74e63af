"""The rows to fit, made of snapshots: each with all inputs, and with the 12 features alone."""

from collections.abc import Sequence

import numpy as np

from churn.domain.features import INPUT_NAMES, STATE_COLUMNS
from churn.ml.arrays import Flags, Floats
from churn.ml.derived_features import derived
from churn.ml.metrics import roc_auc
from churn.ml.random_forest import COLUMNS
from churn.training.plan import CannotTrainError
from churn.training.snapshots import LEAK_AUC, Snapshots, TrainingSet

_LEAK_ROWS = 50_000


def training_set_of(fitted: Sequence[Snapshots], process: dict[str, float]) -> tuple[TrainingSet, list[str]]:
    """Return each snapshot with all inputs and with the 12 features alone, and the columns that do not vary.

    Raises CannotTrainError if the last order says nothing, or if one column alone separates those who churned.
    """
    inputs = np.vstack([window.inputs for window in fitted])
    columns = np.hstack([inputs, derived(inputs, process)])
    churned = np.concatenate([window.churned for window in fitted])
    _refuse_leaks(columns, churned)
    constant = [name for name, column in zip(COLUMNS, columns.T, strict=True) if _is_constant(column)]
    if "days_since_last_order" in constant:
        raise CannotTrainError("all customers ordered last at the same time: look at the orders' times")
    for name in constant:
        columns[:, COLUMNS.index(name)] = np.nan
    # Half of the rows know the 12 features alone, as a client gives them.
    twelve = inputs.copy()
    twelve[:, [INPUT_NAMES.index(name) for name in STATE_COLUMNS]] = np.nan
    masked = np.hstack([twelve, derived(twelve, process)])
    for name in constant:
        masked[:, COLUMNS.index(name)] = np.nan
    windows = np.repeat(np.arange(len(fitted)), [len(window.labels) for window in fitted])
    folds = np.concatenate([window.folds for window in fitted])
    rows = TrainingSet(np.vstack([columns, masked]), np.tile(churned, 2), np.tile(folds, 2), np.tile(windows, 2))
    return rows, constant


def _is_constant(column: Floats) -> bool:
    return bool(np.isnan(column).all() or (column == column[0]).all())


def _refuse_leaks(columns: Floats, churned: Flags) -> None:
    step = max(1, len(churned) // _LEAK_ROWS)
    labels = churned[::step]
    for name, column in zip(COLUMNS, columns[::step].T, strict=True):
        # Whether a value is missing may give the label away too: missing values sort below, then above all others.
        for filled in (np.nan_to_num(column, nan=-np.inf), np.nan_to_num(column, nan=np.inf)):
            auc = roc_auc(filled, labels)
            if max(auc, 1 - auc) > LEAK_AUC:
                raise CannotTrainError(
                    f"{name} alone tells who left (ROC AUC {max(auc, 1 - auc):.3f}, above {LEAK_AUC}): it looks as if "
                    "it held what happened after the cut-off"
                )
