"""A blend: the weighted mean of the probabilities of a forest, a logistic regression, and the purchase process.

The three err in different ways: the forest knows what customers did in the windows learned from, the regression goes on
where trees stay flat, and the purchase process knows the orders until now and no labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import BLEND, Estimate, Prediction
from churn.ml.arrays import Floats
from churn.ml.artifact import Arrays
from churn.ml.bg_nbd import INPUTS, PARAMETERS, PurchaseModel
from churn.ml.random_forest import ChurnModel, inputs_of

PARTS = ("forest", "logistic", "purchases")
"""The parts of a blend, by the names of their weights."""


def log_columns(columns: Floats) -> Floats:
    """Return the inputs of the regression, shape (n, 2 columns): logarithms, and which values are missing."""
    logs = np.log1p(np.maximum(np.nan_to_num(columns, nan=0.0), 0.0))
    return np.hstack([logs, np.isnan(columns).astype(np.float64)])


class LogisticRegression:
    """A logistic regression on the logarithms of a forest's columns.

    Its `base` is the probability of a customer with the mean of each column.
    """

    def __init__(self, fitted: Mapping[str, Any]) -> None:
        """Take `centre` and `weight`, lists of numbers for `log_columns`, and `intercept`."""
        self._centre = np.array(fitted["centre"], dtype=np.float64)
        self._weight = np.array(fitted["weight"], dtype=np.float64)
        self._intercept = float(fitted["intercept"])
        self.base = float(_sigmoid(np.array([self._intercept]))[0])

    def probabilities(self, columns: Floats) -> Floats:
        """Return the probabilities, shape (n,), of a forest's columns, shape (n, columns)."""
        return _sigmoid(self._intercept + self._terms(columns).sum(axis=1))

    def contributions(self, columns: Floats) -> Floats:
        """Return what each column adds to the probability, shape (n, columns): with `base` it adds up to it."""
        terms = self._terms(columns)
        distance = terms.sum(axis=1)
        gained = _sigmoid(self._intercept + distance) - self.base
        near = np.abs(distance) < 1e-9
        # So near to the mean, the quotient is the slope of the curve.
        scale = np.where(near, self.base * (1 - self.base), gained / np.where(near, 1.0, distance))
        answer: Floats = terms * scale[:, None]
        return answer

    def _terms(self, columns: Floats) -> Floats:
        """Return what each column adds to the logit, shape (n, columns)."""
        both = (log_columns(columns) - self._centre) * self._weight
        half = columns.shape[1]
        # What was never missing has no weight for it, and is the mean: as a 0 it would be a fact.
        unheard_of = np.isnan(columns) & (self._centre[half:] == 0)
        terms: Floats = np.where(unheard_of, 0.0, both[:, :half] + both[:, half:])
        return terms


class BlendedModel:
    """A model whose probability is the weighted mean of three, moved to the level expected for the coming window.

    Reasons, base and probability are the parts' own, in the same weights: in one scale, so that they add up. Where the
    12 features alone are known, the forest has the weight of the regression, which learned from more. A move of the
    level adds the same number to everybody's logit; reasons are stretched from the base to the probability.
    """

    def __init__(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        """Take a forest's `arrays` and `metadata` (see `ChurnModel`).

        The metadata hold `current_process` and `blend` as well: `weights` of PARTS, which add up to 1, `logistic` (see
        `LogisticRegression`), and `typical`, a typical customer's `INPUTS`. Where the level is moved there is `shift`,
        what is added to the logit.
        """
        self._arrays = arrays
        self.forest = ChurnModel(arrays, {**metadata, "kind": BLEND})
        self.metadata = self.forest.metadata
        self.checksum, self.version = self.forest.checksum, self.forest.version
        blend = self.metadata["blend"]
        forest, logistic, purchases = (float(blend["weights"][name]) for name in PARTS)
        self._weights = np.array([[forest, logistic, purchases], [forest + logistic, 0.0, purchases]])
        self._told_by = self.metadata["columns"].index("purchase_days")
        self._logistic = LogisticRegression(blend["logistic"])
        self._bases = np.array([self.forest.base, self._logistic.base, self._purchases.base])
        self._odds = float(np.exp(blend.get("shift", 0.0)))
        self.base = float(moved(self._weights[:1] @ self._bases, self._odds)[0])

    @cached_property
    def _purchases(self) -> PurchaseModel:
        process = self.metadata["current_process"]
        return PurchaseModel.from_draws(
            np.array([[process[name] for name in PARAMETERS]]),
            np.array(self.metadata["blend"]["typical"], dtype=np.float64),
            {"horizon_days": process["horizon_days"], "trained_at": self.metadata["trained_at"]},
        )

    def with_metadata(self, **changes: Any) -> BlendedModel:
        """Return the same parts with some of the metadata changed, hence another checksum and version."""
        return BlendedModel(self._arrays, {**self.metadata, **changes})

    def to_bytes(self) -> bytes:
        """Return the model as an `.npz` archive without pickle, with its checksum; equal models give equal bytes."""
        return self.forest.to_bytes()

    def predict(self, rows: Sequence[Mapping[str, float | None]]) -> list[Prediction]:
        """Return one prediction for each of `rows`; `confidence` is that of the forest's trees."""
        if not rows:
            return []
        by_forest, columns = self.forest.predict(rows), self.forest.columns(inputs_of(rows))
        by_logistic = self.forest.by_feature(self._logistic.contributions(columns)).tolist()
        by_process = self._purchases.contributions(rows).tolist()
        means = self._means(np.array([answer.churn_probability for answer in by_forest]), columns, rows)
        weights = self._weights_of(columns)
        bases = (weights * self._bases).sum(axis=1)
        stretched = (weights * _stretch(bases, means, self._odds)[:, None]).tolist()
        risks, moved_bases = moved(means, self._odds).tolist(), moved(bases, self._odds).tolist()
        predictions = []
        for answer, risk, base, logistic, process, (of_forest, of_logistic, of_process) in zip(
            by_forest, risks, moved_bases, by_logistic, by_process, stretched, strict=True
        ):
            reasons = {
                name: of_forest * answer.contributions[name] + of_logistic * points
                for name, points in zip(FEATURE_NAMES, logistic, strict=True)
            }
            for name, points in zip(INPUTS, process, strict=True):
                reasons[name] += of_process * points
            predictions.append(
                Prediction(
                    *(risk, answer.confidence, self.version, reasons, base),
                    model_kind=BLEND,
                    model_source=answer.model_source,
                    outlook=answer.outlook,
                )
            )
        return predictions

    def estimate(self, rows: Sequence[Mapping[str, float | None]]) -> list[Estimate]:
        """Return the answers of `predict` without contributions."""
        if not rows:
            return []
        by_forest = self.forest.estimate(rows)
        columns = self.forest.columns(inputs_of(rows))
        means = self._means(np.array([answer.churn_probability for answer in by_forest]), columns, rows)
        return [
            Estimate(
                *(risk, answer.confidence, self.version),
                model_kind=BLEND,
                model_source=answer.model_source,
                outlook=answer.outlook,
            )
            for risk, answer in zip(moved(means, self._odds).tolist(), by_forest, strict=True)
        ]

    def probabilities(self, rows: Sequence[Mapping[str, float | None]]) -> list[float]:
        """Return the churn probabilities of `predict` alone."""
        if not rows:
            return []
        inputs = inputs_of(rows)
        by_forest = self.forest.calibrate(self.forest.raw(inputs))
        answer: list[float] = moved(self._means(by_forest, self.forest.columns(inputs), rows), self._odds).tolist()
        return answer

    def _means(self, by_forest: Floats, columns: Floats, rows: Sequence[Mapping[str, float | None]]) -> Floats:
        """Return the weighted means of the parts' probabilities, shape (n,)."""
        by_process = np.array(self._purchases.probabilities(rows))
        parts = np.column_stack([by_forest, self._logistic.probabilities(columns), by_process])
        answer: Floats = (self._weights_of(columns) * parts).sum(axis=1)
        return answer

    def _weights_of(self, columns: Floats) -> Floats:
        """Return the weights of the parts for each row, shape (n, 3)."""
        answer: Floats = self._weights[np.isnan(columns[:, self._told_by]).astype(np.int64)]
        return answer


def moved(probabilities: Floats, odds: float | Floats) -> Floats:
    """Return probabilities whose odds are multiplied, by one number or those of each column; their order stays."""
    if isinstance(odds, float) and odds == 1:
        return probabilities
    answer: Floats = probabilities * odds / (1 - probabilities + probabilities * odds)
    return answer


def _stretch(bases: Floats, means: Floats, odds: float) -> Floats:
    """Return by how much the way from base to probability is longer once both are moved, shape (n,)."""
    if odds == 1:
        return np.ones(len(means))
    distance = means - bases
    near = np.abs(distance) < 1e-9
    slope = odds / (1 - bases + bases * odds) ** 2
    answer: Floats = np.where(near, slope, (moved(means, odds) - moved(bases, odds)) / np.where(near, 1.0, distance))
    return answer


def _sigmoid(logits: Floats) -> Floats:
    answer: Floats = 1 / (1 + np.exp(-np.clip(logits, -700, 700)))
    return answer
