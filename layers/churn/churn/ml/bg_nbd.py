"""The purchase process: how likely a customer is not to order, from orders alone and without labels.

The BG/NBD model (Fader, Hardie and Lee 2005): while active, a customer orders at a rate of his own, which is gamma
distributed over the customers with shape `r` and rate `alpha` (orders a day); after each order he drops out with a
probability of his own, which is beta distributed with `a` and `b`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import PURCHASE_PROCESS, BrokenModelError, Prediction
from churn.ml.arrays import Floats
from churn.ml.artifact import Arrays, checksum_of, pack, restore, version_of

PARAMETERS = ("r", "alpha", "a", "b")
INPUTS = ("total_orders", "days_since_last_order", "account_age_days")
"""The features that the purchase process knows."""

_INTERVAL = (0.05, 0.95)
_CHUNK_ROWS = 256


def no_order_probability(
    orders: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike, parameters: Sequence[Any], horizon_days: float
) -> Floats:
    """The probability of no order in the next `horizon_days`: having dropped out, or being active and silent.

    Orders so far (at least 1), days since the newest, days since the first known, and the four parameters of
    `PARAMETERS` broadcast against each other. NaN where one of them is.
    """
    r, alpha, a, b = parameters
    with np.errstate(all="ignore"):
        repeats = np.maximum(np.asarray(orders) - 1, 0)
        until_last = np.maximum(np.asarray(age) - recency, 0)
        observed = until_last + np.maximum(recency, 0)
        shape = r + repeats
        scale = alpha + observed
        growth = np.exp(np.minimum(shape * np.log(scale / (alpha + until_last)), 700))
        odds_dropped = np.where(repeats > 0, a / (b + repeats - 1) * growth, 0)
        silent = np.exp(shape * np.log(scale / (scale + horizon_days)))
        answer: Floats = 1 - (1 - silent) / (1 + odds_dropped)
    return answer


class PurchaseModel:
    """The purchase process as a model that serves, for a shop that has no labels to learn from yet.

    Its parameters are known as well as the shop's orders tell: it holds draws from what they may be, and answers with
    their mean probability and the interval that nine in ten of them lie in.
    """

    def __init__(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        """Take `draws`, shape (n, 4), of `PARAMETERS`, and `typical`, shape (3,), the `INPUTS` of a usual customer.

        `metadata` holds `horizon_days` and `trained_at`.
        """
        self.metadata: dict[str, Any] = {**metadata, "kind": PURCHASE_PROCESS}
        self._arrays = arrays
        self.checksum = checksum_of(arrays, self.metadata)
        self.version = version_of(self.metadata, self.checksum)
        draws: Floats = arrays["draws"].astype(np.float64)
        self._typical: Floats = arrays["typical"].astype(np.float64)
        if draws.ndim != 2 or draws.shape[1] != len(PARAMETERS) or self._typical.shape != (len(INPUTS),):
            raise BrokenModelError("the purchase process does not have the parameters that it needs")
        self._parameters = tuple(draws.T)
        self._horizon = float(self.metadata["horizon_days"])
        self.base = float(self._possible(self._typical[None]).mean())

    @classmethod
    def from_draws(cls, draws: Floats, typical: Floats, metadata: Mapping[str, Any]) -> PurchaseModel:
        """A model from what its parameters may be, shape (n, 4), and the `INPUTS` of a usual customer, shape (3,)."""
        return cls({"draws": np.asarray(draws, dtype=np.float64), "typical": np.asarray(typical)}, metadata)

    def with_metadata(self, **changes: Any) -> PurchaseModel:
        """The same process with some of its metadata set anew (and so another checksum and version)."""
        return PurchaseModel(self._arrays, {**self.metadata, **changes})

    def to_bytes(self) -> bytes:
        """The model as an `.npz` archive without pickle, its SHA-256 checksum inside."""
        return pack(self._arrays, self.metadata)

    @classmethod
    def from_bytes(cls, content: bytes) -> PurchaseModel:
        """Read what `to_bytes` wrote. Raises BrokenModelError."""
        return restore(content, cls)

    def predict(self, rows: Sequence[Mapping[str, float | None]]) -> list[Prediction]:
        """One prediction for each of `rows`; what is not known is as of the usual customer.

        `interval` is what the parameters leave open, `confidence` 1 minus its width. `contributions` are the Shapley
        values of the three features that the process knows, against the usual customer; with `base` they add up to the
        probability.
        """
        predictions: list[Prediction] = []
        for start in range(0, len(rows), _CHUNK_ROWS):
            given = self._given(rows[start : start + _CHUNK_ROWS])
            possible = self._possible(given)
            low, high = np.quantile(possible, _INTERVAL, axis=1).tolist()
            contributions = self._contributions(given)
            predictions += [
                Prediction(
                    churn_probability=probability,
                    confidence=1 - (above - below),
                    model_version=self.version,
                    contributions={**dict.fromkeys(FEATURE_NAMES, 0.0), **dict(zip(INPUTS, points, strict=True))},
                    base=self.base,
                    model_kind=PURCHASE_PROCESS,
                    interval=(below, above),
                )
                for probability, below, above, points in zip(
                    possible.mean(axis=1).tolist(), low, high, contributions.tolist(), strict=True
                )
            ]
        return predictions

    def probabilities(self, rows: Sequence[Mapping[str, float | None]]) -> list[float]:
        """The churn probability of each of `rows`, as `predict` has it."""
        return self._possible(self._given(rows)).mean(axis=1).tolist() if rows else []

    def _given(self, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        given = np.array([[row.get(name) for name in INPUTS] for row in rows], dtype=np.float64)
        # Who has not ordered yet is somebody who is about to for the first time.
        given[:, 0] = np.where(given[:, 0] < 1, 1, given[:, 0])
        return np.where(np.isnan(given), self._typical, given)

    def _possible(self, given: Floats) -> Floats:
        """The probability of each customer under each draw, shape (n, draws), for `INPUTS` of shape (n, 3)."""
        orders, recency, age = (given[:, [place]] for place in range(len(INPUTS)))
        return no_order_probability(orders, recency, age, self._parameters, self._horizon)

    def _contributions(self, given: Floats) -> Floats:
        """Shapley values, shape (n, 3): the mean over the orders in which the usual customer becomes this one."""
        known = {
            subset: self._possible(np.where([place in subset for place in range(3)], given, self._typical)).mean(axis=1)
            for subset in ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
        }
        values = np.empty(given.shape)
        for place in range(3):
            one, other = (rest for rest in range(3) if rest != place)
            values[:, place] = (
                (known[place,] - known[()]) / 3
                + (known[_set(place, one)] - known[one,]) / 6
                + (known[_set(place, other)] - known[other,]) / 6
                + (known[0, 1, 2] - known[_set(one, other)]) / 3
            )
        return values


def _set(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)
