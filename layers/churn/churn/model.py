"""A model of any kind, read from its bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churn.artefact import Arrays, restore
from churn.forest import ChurnModel
from churn.purchases import PurchaseModel
from churn.risk import PURCHASE_PROCESS, RANDOM_FOREST

StoredModel = ChurnModel | PurchaseModel
"""A model that can be written and read again."""


def kind_of(metadata: Mapping[str, Any]) -> str:
    """Which kind of model metadata describe."""
    return str(metadata.get("kind", RANDOM_FOREST))


def read_model(content: bytes) -> StoredModel:
    """The model that an artefact holds, its checksum verified. Raises BrokenModel."""
    return restore(content, _make)


def _make(arrays: Arrays, metadata: dict[str, Any]) -> StoredModel:
    return PurchaseModel(arrays, metadata) if kind_of(metadata) == PURCHASE_PROCESS else ChurnModel(arrays, metadata)
