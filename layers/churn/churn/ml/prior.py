"""The purchase process as it is usual for shops: what answers where nothing of the shop is known."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from churn.ml.bg_nbd import PARAMETERS, PurchaseModel

USUAL = {"r": 1.0, "alpha": 90.0, "a": 0.8, "b": 2.5}
"""Parameters that are usual for shops."""
DEVIATION = 1.25
"""The standard deviation of their logarithms among shops: they differ by factors of about 3.5."""
OWN_MEAN = {"p": 4.0, "q": 1.0, "gamma": 1e-12}
"""Gamma-Gamma where nothing tells what a shop's orders are worth: a customer's next one is worth the mean of theirs."""

_DRAWS = 256
# A customer of one order, a month ago.
_TYPICAL = (1.0, 30.0, 60.0)
# What a model of a simulated shop and what stands in for it have in common.
_SHARED = ("trained_at", "features_version", "horizon_days", "lookback_days", "code")


def usual_process(
    metadata: Mapping[str, Any], *, spending: dict[str, Any] | None = None, seed: int = 1
) -> PurchaseModel:
    """Return the purchase process under its prior alone; `metadata` tells its `horizon_days` and `trained_at`.

    `spending` is what orders of the shop are worth (`churn.ml.outlook`), None where that is unknown.
    """
    drawn = np.random.default_rng(seed).normal(size=(_DRAWS, len(PARAMETERS)))
    center = np.log([USUAL[name] for name in PARAMETERS])
    process = {**USUAL, "horizon_days": float(metadata["horizon_days"])}
    facts = {"source": "prior", "customers": 0, "purchase_process": process, "current_process": process}
    return PurchaseModel.from_draws(
        np.exp(center + DEVIATION * drawn),
        np.array(_TYPICAL),
        {**metadata, **facts, "spending": spending or OWN_MEAN},
    )


def stand_in_for(metadata: Mapping[str, Any]) -> PurchaseModel:
    """Return what answers for customers whom a model of a simulated shop says nothing of, by that model's metadata."""
    return usual_process({name: metadata[name] for name in _SHARED if name in metadata})
