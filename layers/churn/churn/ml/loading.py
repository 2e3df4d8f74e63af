"""Reading a model of any kind from its bytes, which nobody need trust."""

from __future__ import annotations

import math
from typing import Any

from churn.domain.features import INPUT_NAMES
from churn.domain.model import BLEND, PURCHASE_PROCESS, BrokenModelError
from churn.ml.artifact import Arrays, unpack
from churn.ml.artifact_schema import kind_in
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.forest_structure import check_forest
from churn.ml.outlook import outlooks, process_of
from churn.ml.random_forest import ChurnModel

LearnedModel = ChurnModel | BlendedModel
"""A model that learned from what customers did."""

StoredModel = LearnedModel | PurchaseModel
"""A model that can be written and read again."""

# Nothing known, a new customer, an old and busy one: each branch of the inputs' arithmetic.
_TRIAL_ROWS: tuple[dict[str, float | None], ...] = (
    dict.fromkeys(INPUT_NAMES),
    dict.fromkeys(INPUT_NAMES, 0.0),
    dict.fromkeys(INPUT_NAMES, 30.0),
    {**dict.fromkeys(INPUT_NAMES, 1e6), "days_since_last_order": 1.0},
)
# Orders, days since the last one and of the account, spend: of who bought once and of who buys every day.
_TRIAL_HISTORIES = (
    (1.0, 0.0, 0.0, 10.0), (1.0, 365.0, 365.0, 0.0), (3.0, 20.0, 200.0, 150.0), (20.0, 400.0, 3650.0, 1e6),
    (3000.0, 0.01, 3650.0, 1e9),
)  # fmt: skip
_HISTORY = ("total_orders", "days_since_last_order", "account_age_days", "total_spent")
_TOLERANCE = 1e-6


def read_model(content: bytes) -> StoredModel:
    """Return the model of an artifact that was checked: checksum, meaning of each array, and a trial prediction.

    Raises BrokenModelError, and nothing else, for bytes that are no model which can be served.
    """
    try:
        model = _make(*unpack(content))
        _try_out(model)
    except BrokenModelError:
        raise
    except Exception as error:
        raise BrokenModelError(f"the bytes are no model: {type(error).__name__}: {error}") from error
    return model


def _make(arrays: Arrays, metadata: dict[str, Any]) -> StoredModel:
    if kind_in(metadata) == PURCHASE_PROCESS:
        return PurchaseModel(arrays, metadata)
    check_forest(arrays, len(metadata["columns"]))
    if kind_in(metadata) == BLEND:
        return BlendedModel(arrays, metadata)
    return ChurnModel(arrays, metadata)


def _try_out(model: StoredModel) -> None:
    histories = [{**_TRIAL_ROWS[0], **dict(zip(_HISTORY, history, strict=True))} for history in _TRIAL_HISTORIES]
    probabilities = model.probabilities([*_TRIAL_ROWS, *histories])
    # One row alone is explained: reasons take most of the time, and a function that starts has none to spare.
    (prediction,) = model.predict(_TRIAL_ROWS[:1])
    if not all(0 <= number <= 1 for number in (*probabilities, prediction.churn_probability, prediction.confidence)):
        raise BrokenModelError("a trial prediction is no probability")
    explained = prediction.base + math.fsum(prediction.contributions.values())
    if not abs(explained - prediction.churn_probability) <= _TOLERANCE:
        raise BrokenModelError("the reasons of a trial prediction do not add up to its probability")
    if process_of(model.metadata) and None in outlooks(histories, model.metadata):
        raise BrokenModelError("what is expected of a trial customer is no number")
