"""Reading a model of any kind from its bytes."""

from __future__ import annotations

from typing import Any

from churn.domain.model import PURCHASE_PROCESS, kind_of
from churn.ml.artifact import Arrays, restore
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.random_forest import ChurnModel

StoredModel = ChurnModel | PurchaseModel
"""A model that can be written and read again."""


def read_model(content: bytes) -> StoredModel:
    """Return the model of an artifact after verifying its checksum. Raises BrokenModelError."""
    return restore(content, _make)


def _make(arrays: Arrays, metadata: dict[str, Any]) -> StoredModel:
    return PurchaseModel(arrays, metadata) if kind_of(metadata) == PURCHASE_PROCESS else ChurnModel(arrays, metadata)
