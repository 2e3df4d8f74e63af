"""The purchase process: the probability of no order, from orders alone and without labels.

The BG/NBD model (Fader, Hardie and Lee 2005): while active, customers order at a rate of their own, which is gamma
distributed with shape `r` and rate `alpha` (orders a day); after each order they drop out with a probability of their
own, which is beta distributed with `a` and `b`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.features import FEATURE_NAMES, occasions
from churn.domain.model import PURCHASE_PROCESS, BrokenModelError, Estimate, Prediction, source_of
from churn.ml.arrays import Floats
from churn.ml.artifact import Arrays, checksum_of, pack, version_of
from churn.ml.outlook import outlook

PARAMETERS = ("r", "alpha", "a", "b")
INPUTS = ("total_orders", "days_since_last_order", "account_age_days")
"""The features that the purchase process uses; in place of the orders it counts the days with one, where known."""

_INTERVAL = (0.05, 0.95)
_CHUNK_ROWS = 256
_SUBSETS: tuple[tuple[int, ...], ...] = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
"""Of the places in INPUTS."""


def no_order_probability(
    orders: npt.ArrayLike, recency: npt.ArrayLike, age: npt.ArrayLike, parameters: Sequence[Any], horizon_days: float
) -> Floats:
    """Return the probability of no order in the next `horizon_days`: having dropped out, or being active and silent.

    Orders so far (at least 1), days since the newest, days since the first known, and the four parameters of
    `PARAMETERS` broadcast against each other. The answer is NaN where one of them is NaN.
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

    The shop's orders leave its parameters uncertain: it holds draws from their posterior, and answers with the mean
    probability of the draws and the interval that holds nine in ten of them.
    """

    def __init__(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        """Take `draws`, shape (n, 4), of `PARAMETERS`, and `typical`, shape (3,), the `INPUTS` of a typical customer.

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
        """Build a model from draws of `PARAMETERS`, shape (n, 4), and a typical customer's `INPUTS`, shape (3,)."""
        return cls({"draws": np.asarray(draws, dtype=np.float64), "typical": np.asarray(typical)}, metadata)

    def with_process(self, process: Mapping[str, float]) -> PurchaseModel:
        """Return the model with one process, which has PARAMETERS, in place of those that are possible."""
        return PurchaseModel.from_draws(
            np.array([[process[name] for name in PARAMETERS]]), self._typical, self.metadata
        )

    def with_metadata(self, **changes: Any) -> PurchaseModel:
        """Return the same process with some of its metadata changed, hence another checksum and version."""
        return PurchaseModel(self._arrays, {**self.metadata, **changes})

    def to_bytes(self) -> bytes:
        """Return the model as an `.npz` archive without pickle, with its SHA-256 checksum."""
        return pack(self._arrays, self.metadata)

    def predict(self, rows: Sequence[Mapping[str, float | None]]) -> list[Prediction]:
        """Return one prediction for each of `rows`; a missing input is that of the typical customer.

        `interval` is the uncertainty of the parameters, `confidence` 1 minus its width. `contributions` are the Shapley
        values of the three features that the process uses, against the typical customer; with `base` they add up to
        the probability.
        """
        contributions = self.contributions(rows).tolist()
        return [
            Prediction(
                answer.churn_probability,
                answer.confidence,
                answer.model_version,
                {**dict.fromkeys(FEATURE_NAMES, 0.0), **dict(zip(INPUTS, points, strict=True))},
                self.base,
                model_kind=answer.model_kind,
                model_source=answer.model_source,
                interval=answer.interval,
                outlook=answer.outlook,
            )
            for answer, points in zip(self.estimate(rows), contributions, strict=True)
        ]

    def contributions(self, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        """Return the Shapley values of `INPUTS`, shape (n, 3)."""
        starts = range(0, len(rows), _CHUNK_ROWS)
        parts = [self._contributions(self._inputs(rows[start : start + _CHUNK_ROWS])) for start in starts]
        return np.vstack([np.empty((0, len(INPUTS))), *parts])

    def estimate(self, rows: Sequence[Mapping[str, float | None]]) -> list[Estimate]:
        """Return the answers of `predict` without contributions."""
        estimates: list[Estimate] = []
        for start in range(0, len(rows), _CHUNK_ROWS):
            part = rows[start : start + _CHUNK_ROWS]
            possible = self._possible(self._inputs(part))
            # By this rule one more draw lies inside nine times in ten, however few draws there are.
            low, high = np.quantile(possible, _INTERVAL, axis=1, method="weibull").tolist()
            estimates += [
                Estimate(
                    probability,
                    1 - (above - below),
                    self.version,
                    model_kind=PURCHASE_PROCESS,
                    model_source=source_of(self.metadata),
                    interval=(below, above),
                    outlook=outlook(row, self.metadata),
                )
                for row, probability, below, above in zip(part, possible.mean(axis=1).tolist(), low, high, strict=True)
            ]
        return estimates

    def probabilities(self, rows: Sequence[Mapping[str, float | None]]) -> list[float]:
        """Return the churn probability of each of `rows`, equal to that of `predict`."""
        return self._possible(self._inputs(rows)).mean(axis=1).tolist() if rows else []

    def _inputs(self, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        inputs = np.array([[occasions(row), *(row.get(name) for name in INPUTS[1:])] for row in rows], dtype=np.float64)
        # The process begins with the first order: a customer without one counts as if they just made it.
        inputs[:, 0] = np.where(inputs[:, 0] < 1, 1, inputs[:, 0])
        return np.where(np.isnan(inputs), self._typical, inputs)

    def _possible(self, inputs: Floats) -> Floats:
        """Return the probability of each customer under each draw, shape (n, draws), for `INPUTS` of shape (n, 3)."""
        orders, recency, age = (inputs[:, [place]] for place in range(len(INPUTS)))
        return no_order_probability(orders, recency, age, self._parameters, self._horizon)

    def _contributions(self, inputs: Floats) -> Floats:
        """Return Shapley values, shape (n, 3): the mean over the orders in which inputs replace the typical ones."""
        # All subsets at once: for a row, the steps of numpy cost more than their arithmetic.
        given = np.array([[i in subset for i in range(3)] for subset in _SUBSETS])
        mixed = np.where(given[:, None], inputs, self._typical).reshape(-1, 3)
        means = self._possible(mixed).mean(axis=1).reshape(len(_SUBSETS), -1)
        mean = dict(zip(_SUBSETS, means, strict=True))
        values = np.empty(inputs.shape)
        for place in range(3):
            second, third = (other for other in range(3) if other != place)
            values[:, place] = (
                (mean[place,] - mean[()]) / 3
                + (mean[_pair(place, second)] - mean[second,]) / 6
                + (mean[_pair(place, third)] - mean[third,]) / 6
                + (mean[0, 1, 2] - mean[_pair(second, third)]) / 3
            )
        return values


def _pair(first: int, second: int) -> tuple[int, int]:
    return (first, second) if first < second else (second, first)
