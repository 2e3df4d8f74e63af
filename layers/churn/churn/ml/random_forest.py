"""A trained random forest as plain arrays, evaluated with numpy alone.

The evaluation is that of QuickScorer (Lucchese et al., SIGIR 2015), with the walk through the thresholds turned into a
table. The leaves of a tree are the bits of one 64-bit word, left to right. A node whose test ``x <= threshold`` fails
clears the leaves of its left subtree; the lowest bit that is left is the exit leaf. For each column the table holds,
after each of its sorted thresholds, the AND of all masks so far, one row of `n_trees` words. One binary search and one
row a column are then a prediction. `churn.ml.kernel` does the same compiled, where it is built.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from churn.domain.features import FEATURE_NAMES, INPUT_NAMES, STATE_COLUMNS
from churn.domain.model import BrokenModelError, Estimate, Prediction, source_of
from churn.ml import kernel
from churn.ml.arrays import Floats, Integers
from churn.ml.artifact import Arrays, checksum_of, pack, version_of
from churn.ml.bg_nbd import INPUTS
from churn.ml.derived_features import DERIVED_COLUMNS, derived, derived_row
from churn.ml.forest_structure import left_leaves
from churn.ml.outlook import outlooks
from churn.ml.tree_shap import ShapleyValues, Splits

MOST_LEAVES = 64
# Rows evaluated together: their words and leaf indices stay in a core's second-level cache.
CHUNK_ROWS = 128
# How far a probability is drawn away from 0 and 1 before its logit is taken: keeps the calibration strictly monotone.
SHRINKAGE = 1e-3

COLUMNS = INPUT_NAMES + DERIVED_COLUMNS
"""All columns that a forest may use."""
# The features that another column depends on; its contribution is shared equally among them.
MADE_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("days_between_orders", "silence_in_gaps", "no_order_probability"), INPUTS),
    "silence_share": ("days_since_last_order", "account_age_days"),
    "orders_a_day": ("total_orders", "account_age_days"),
    **dict.fromkeys(STATE_COLUMNS, ("total_spent", "days_since_last_order")),
    **dict.fromkeys(("last_gap_days", "typical_gap_days", "gap_deviation_days"), ("total_orders", "account_age_days")),
    "silence_in_typical_gaps": INPUTS,
    "purchase_days": ("total_orders",),
}


class FittedTree(Protocol):
    """The arrays of one fitted decision tree, as scikit-learn's ``estimator.tree_`` has them."""

    children_left: npt.NDArray[Any]
    children_right: npt.NDArray[Any]
    feature: npt.NDArray[Any]
    threshold: npt.NDArray[Any]
    missing_go_to_left: npt.NDArray[Any]
    value: npt.NDArray[Any]
    weighted_n_node_samples: npt.NDArray[Any]


class ChurnModel:
    """A calibrated random forest: a customer's inputs in, the probability of no order in the horizon out.

    The inputs are the 12 features, or `churn.domain.features.INPUT_NAMES`; absent columns count as missing.
    """

    def __init__(self, arrays: Arrays, metadata: Mapping[str, Any]) -> None:
        """Take `arrays` as `from_trees` makes them and build the tables.

        `metadata` names the forest's `columns` and holds `calibration` (`slope` > 0, `intercept`, and `slope_above` if
        it differs from `slope`: see `calibrate`), `trained_at`, and, if there are derived columns, `purchase_process`
        (see `derived`).
        """
        self.metadata: dict[str, Any] = dict(metadata)
        self.arrays = arrays
        self.checksum = checksum_of(arrays, self.metadata)
        self.version = version_of(self.metadata, self.checksum)
        columns = list(self.metadata["columns"])
        if columns[: len(FEATURE_NAMES)] != [*FEATURE_NAMES] or not set(columns) <= set(COLUMNS):
            raise BrokenModelError(f"the model was made for other features: {', '.join(columns)}")
        self._process: dict[str, float] | None = (
            dict(self.metadata["purchase_process"]) if set(columns) & set(DERIVED_COLUMNS) else None
        )
        # A model that does not ask for the days with an order learned from orders alone.
        self._derived_from = len(INPUT_NAMES if "purchase_days" in columns else FEATURE_NAMES)
        self._chosen = [COLUMNS.index(column) for column in columns]
        calibration = self.metadata["calibration"]
        self._slope = float(calibration["slope"])
        self._slope_above = float(calibration.get("slope_above", self._slope))
        self._intercept = float(calibration["intercept"])

        first_leaves = arrays["first_leaf"].astype(np.int64)
        self._trees = len(first_leaves)
        self._first_leaf = first_leaves
        self._leaf_values: Floats = arrays["leaf_value"]
        weight: Floats = arrays["leaf_weight"]
        in_tree = np.add.reduceat(weight, first_leaves)
        self._root = float(np.mean(np.add.reduceat(weight * self._leaf_values, first_leaves) / in_tree))
        self.base = float(self.calibrate(np.array([self._root]))[0])
        self._build_tables(arrays)

    def _build_tables(self, arrays: Arrays) -> None:
        blocks: list[npt.NDArray[np.uint64]] = []
        self._searches: list[tuple[int, npt.NDArray[np.float32], list[float], int, int]] = []
        first_row = 0
        for column in np.flatnonzero(np.bincount(arrays["column"])):
            of_column = arrays["column"] == column
            node_thresholds = arrays["threshold"][of_column]
            node_trees = arrays["tree"][of_column]
            masks = arrays["mask"][of_column]
            thresholds, position = np.unique(node_thresholds, return_inverse=True)
            block = np.full((len(thresholds) + 2, self._trees), ~np.uint64(0), dtype=np.uint64)
            np.bitwise_and.at(block, (position + 1, node_trees), masks)
            np.bitwise_and.accumulate(block[:-1], axis=0, out=block[:-1])
            right = ~arrays["missing_left"][of_column]
            np.bitwise_and.at(block, (np.full(right.sum(), len(thresholds) + 1), node_trees[right]), masks[right])
            missing_row = first_row + len(thresholds) + 1
            self._searches.append((int(column), thresholds, thresholds.tolist(), first_row, missing_row))
            blocks.append(block)
            first_row += len(block)
        self._table = np.concatenate(blocks) if blocks else np.zeros((0, self._trees), dtype=np.uint64)
        compiled = kernel.library()
        self._votes = None
        if compiled is not None:
            self._votes = kernel.Votes(compiled, self._table, self._first_leaf, self._leaf_values)

    @classmethod
    def from_trees(cls, trees: Iterable[FittedTree], metadata: Mapping[str, Any]) -> ChurnModel:
        """Turn fitted classification trees of two classes into a model.

        Raises ValueError if a tree has more than 64 leaves, or if there is no tree.
        """
        nodes: dict[str, list[Any]] = {
            name: [] for name in ("column", "threshold", "tree", "mask", "end", "missing_left")
        }
        values: list[float] = []
        weights: list[float] = []
        first_leaf: list[int] = []
        for number, tree in enumerate(trees):
            first_leaf.append(len(values))
            _flatten(tree, number, nodes, values, weights)
        if not first_leaf:
            raise ValueError("a forest without trees cannot predict")
        arrays: Arrays = {
            "column": np.array(nodes["column"], dtype=np.uint8),
            "threshold": _round_down(np.array(nodes["threshold"], dtype=np.float64)),
            "tree": np.array(nodes["tree"], dtype=np.uint16),
            "mask": np.array(nodes["mask"], dtype=np.uint64),
            "end": np.array(nodes["end"], dtype=np.uint8),
            "missing_left": np.array(nodes["missing_left"], dtype=np.bool_),
            "first_leaf": np.array(first_leaf, dtype=np.uint32),
            "leaf_value": np.array(values, dtype=np.float64),
            "leaf_weight": np.array(weights, dtype=np.float64),
        }
        return cls(arrays, metadata)

    def with_metadata(self, **changes: Any) -> ChurnModel:
        """Return the same forest with some of its metadata changed, hence another checksum and version."""
        return ChurnModel(self.arrays, {**self.metadata, **changes})

    def to_bytes(self) -> bytes:
        """Return the model as an `.npz` archive without pickle, with its checksum; equal models give equal bytes."""
        return pack(self.arrays, self.metadata)

    def columns(self, features: npt.ArrayLike) -> Floats:
        """Return the forest's columns, shape (n, columns), of inputs of shape (n, 12) or (n, INPUT_NAMES)."""
        inputs = np.asarray(features, dtype=np.float64)
        parts = [inputs, np.full((len(inputs), len(INPUT_NAMES) - inputs.shape[1]), np.nan)]
        if self._process is not None:
            parts.append(derived(inputs[:, : self._derived_from], self._process))
        return np.hstack(parts)[:, self._chosen]

    def raw(self, features: npt.ArrayLike) -> Floats:
        """Return the mean of the trees' probabilities, shape (n,), before calibration.

        `features` has the shape (n, 12) or (n, INPUT_NAMES), NaN = missing. Equal to scikit-learn's `predict_proba` of
        the same forest to the last few units of rounding.
        """
        return self._answers(self._places(np.asarray(features, dtype=np.float64)))[0]

    def shapley(self, features: npt.ArrayLike) -> Floats:
        """Return the exact path-dependent Shapley values of `raw`, shape (n, columns), for the inputs of `raw`.

        Each row adds up to its `raw` minus the forest's mean over its training samples.
        """
        return self._shapley(self._places(np.asarray(features, dtype=np.float64)))

    def calibrate(self, raw: Floats) -> Floats:
        """Calibrate the forest's probabilities: strictly monotone, so customers keep their order."""
        return calibrate(raw, self._slope, self._slope_above, self._intercept)

    def predict(self, rows: Sequence[Mapping[str, float | None]]) -> list[Prediction]:
        """Return one prediction for each of `rows`; an input that is absent, None or NaN is missing.

        `confidence` is 1 minus twice the standard deviation of the trees' probabilities: 1 when all trees agree, 0 when
        half of them say 0 and the others 1. `contributions` are signed probability points that, with `base`, add up to
        the probability: the Shapley values of the raw probability (see `shapley`), with those of a derived column
        shared equally among the features it depends on, and all scaled by the same factor, the distance of the
        calibrated probability from `base` divided by the distance of the raw one from the forest's mean.
        """
        if not rows:
            return []
        places = self._places(inputs_of(rows))
        raw, deviation = self._answers(places)
        calibrated, confidences = self.calibrate(raw), _confidence(deviation)
        points = self.by_feature(self._shapley(places))
        points *= self._scale(raw, calibrated)[:, None]
        named = [dict(zip(FEATURE_NAMES, parts, strict=True)) for parts in points.tolist()]
        source = source_of(self.metadata)
        answers = zip(calibrated.tolist(), confidences.tolist(), named, outlooks(rows, self.metadata), strict=True)
        return [
            Prediction(risk, confidence, self.version, reasons, self.base, model_source=source, outlook=expected)
            for risk, confidence, reasons, expected in answers
        ]

    def estimate(self, rows: Sequence[Mapping[str, float | None]]) -> list[Estimate]:
        """Return the answers of `predict` without contributions: some fifty times as fast."""
        if not rows:
            return []
        raw, deviation = self._answers(self._places(inputs_of(rows)))
        calibrated, confidences = self.calibrate(raw), _confidence(deviation)
        answers = zip(calibrated.tolist(), confidences.tolist(), outlooks(rows, self.metadata), strict=True)
        return [
            Estimate(probability, confidence, self.version, model_source=source_of(self.metadata), outlook=expected)
            for probability, confidence, expected in answers
        ]

    def probabilities(self, rows: Sequence[Mapping[str, float | None]]) -> list[float]:
        """Return the churn probabilities of `predict` without contributions: some fifty times as fast."""
        return self.calibrate(self.raw(inputs_of(rows))).tolist() if rows else []

    def _answers(self, places: Integers) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the trees' probabilities, for places of shape (columns used, n)."""
        if self._votes is not None:
            return self._votes(places)
        raw, deviation = np.empty(places.shape[1]), np.empty(places.shape[1])
        for start, leaves in self._exit_leaf_chunks(places):
            votes = self._leaf_values.take(leaves)
            raw[start : start + len(leaves)] = votes.mean(axis=1)
            deviation[start : start + len(leaves)] = votes.std(axis=1)
        return raw, deviation

    def _scale(self, raw: Floats, calibrated: Floats) -> Floats:
        """Return the slope of the calibration from the root to `raw`; its derivative if they are too near to divide."""
        distance = raw - self._root
        near = np.abs(distance) < 1e-9
        drawn = SHRINKAGE + (1 - 2 * SHRINKAGE) * self._root
        steepness = self._slope / drawn + self._slope_above / (1 - drawn)
        derivative = self.base * (1 - self.base) * steepness * (1 - 2 * SHRINKAGE)
        answer: Floats = np.where(near, derivative, (calibrated - self.base) / np.where(near, 1.0, distance))
        return answer

    def _places(self, inputs: Floats) -> Integers:
        """Return the tables' rows that each customer selects, shape (columns used, n), for the inputs of `raw`."""
        if len(inputs) == 1:
            return np.array(self._places_of_row(inputs[0].tolist()), dtype=np.int64).reshape(-1, 1)
        with np.errstate(over="ignore"):
            narrowed = self.columns(inputs).astype(np.float32)
        places = np.empty((len(self._searches), len(inputs)), dtype=np.int64)
        for number, (column, thresholds, _, first, missing) in enumerate(self._searches):
            values = narrowed[:, column]
            places[number] = np.where(np.isnan(values), missing, first + np.searchsorted(thresholds, values))
        return places

    def _places_of_row(self, values: list[float]) -> list[int]:
        values = values + [math.nan] * (len(INPUT_NAMES) - len(values))
        if self._process is not None:
            values += derived_row(values[: self._derived_from], self._process)
        values = [values[place] for place in self._chosen]
        with np.errstate(over="ignore"):
            narrowed = np.array(values, dtype=np.float32).tolist()
        return [
            # Only NaN differs from itself.
            missing if narrowed[column] != narrowed[column] else first + bisect_left(thresholds, narrowed[column])
            for column, _, thresholds, first, missing in self._searches
        ]

    def _exit_leaf_chunks(self, places: Integers) -> Iterable[tuple[int, Integers]]:
        """Yield the exit leaves, shape (rows, trees), chunk by chunk, each after the number of its first row."""
        count = places.shape[1]
        gathered = np.empty((min(CHUNK_ROWS, count), self._trees), dtype=np.uint64)
        for start in range(0, count, CHUNK_ROWS):
            chunk = places[:, start : start + CHUNK_ROWS]
            words = np.full((chunk.shape[1], self._trees), ~np.uint64(0), dtype=np.uint64)
            part = gathered[: len(words)]
            for rows in chunk:
                np.take(self._table, rows, axis=0, out=part, mode="clip")
                words &= part
            words &= -words
            words -= np.uint64(1)
            yield start, np.bitwise_count(words) + self._first_leaf

    def _shapley(self, places: Integers) -> Floats:
        answer = np.zeros((places.shape[1], len(self.metadata["columns"])))
        if self._searches:
            answer[:, [column for column, *_ in self._searches]] = self._shapley_values.values(places)
        return answer

    @cached_property
    def _shapley_values(self) -> ShapleyValues | kernel.Shapley:
        """Built on first use: not every use of a model needs contributions."""
        column, first_leaf = self.arrays["column"], self._first_leaf[self.arrays["tree"]]
        number, place = np.empty(len(column), dtype=np.int64), np.empty(len(column), dtype=np.int64)
        for search, (searched, thresholds, _, first, _) in enumerate(self._searches):
            here = column == searched
            number[here] = search
            place[here] = first + np.searchsorted(thresholds, self.arrays["threshold"][here])
        first_on_left, count = left_leaves(self.arrays["mask"])
        low = first_leaf + first_on_left
        splits = Splits(
            column=number,
            place=place,
            missing_left=self.arrays["missing_left"],
            low=low,
            high=low + count,
            end=first_leaf + self.arrays["end"],
        )
        missing_places = np.array([missing for *_, missing in self._searches], dtype=np.int64)
        leaves = self._leaf_values / self._trees, self.arrays["leaf_weight"]
        compiled = kernel.library()
        if compiled is not None:
            return kernel.Shapley(compiled, splits, self.arrays["tree"].astype(np.int64), missing_places, leaves)
        return ShapleyValues(splits, missing_places, *leaves)

    def by_feature(self, values: Floats) -> Floats:
        """Return the columns' contributions, shape (n, columns), shared among the 12 features, shape (n, 12)."""
        points = np.zeros((len(values), len(FEATURE_NAMES)))
        # Not a product of matrices: its last digits depend on the row's place among the others.
        for number, column in enumerate(self.metadata["columns"]):
            points += values[:, number, None] * _shares(column)
        return points


def _confidence(deviation: Floats) -> Floats:
    return np.clip(1 - 2 * deviation, 0, 1)


def inputs_of(rows: Sequence[Mapping[str, float | None]]) -> Floats:
    """Return rows as inputs of shape (n, INPUT_NAMES), NaN = missing."""
    return np.array([[row.get(name) for name in INPUT_NAMES] for row in rows], dtype=np.float64)


def calibrate(raw: Floats, slope: float, slope_above: float, intercept: float) -> Floats:
    """Apply beta calibration (Kull, Silva Filho and Flach, AISTATS 2017) to a forest's probabilities.

    The logit is `slope` * ln(p) - `slope_above` * ln(1 - p) + `intercept`, both slopes above 0: probabilities near 1
    may be stretched differently from those near 0.
    """
    drawn = SHRINKAGE + (1 - 2 * SHRINKAGE) * raw
    answer: Floats = 1 / (1 + np.exp(slope_above * np.log(1 - drawn) - slope * np.log(drawn) - intercept))
    return answer


@cache
def _shares(column: str) -> Floats:
    """Return how a column's contribution is shared among the 12 features."""
    if column in FEATURE_NAMES:
        return np.array([float(name == column) for name in FEATURE_NAMES])
    return np.array([(name in MADE_OF[column]) / len(MADE_OF[column]) for name in FEATURE_NAMES])


def _flatten(
    tree: FittedTree, number: int, nodes: dict[str, list[Any]], values: list[float], weights: list[float]
) -> None:
    """Append one tree's nodes and, from left to right, its leaves' probabilities and training samples."""
    first = len(values)
    totals = tree.value[:, 0, :]
    churn = totals[:, 1] / totals.sum(axis=1)

    def visit(node: int) -> None:
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left == right:
            values.append(float(churn[node]))
            weights.append(float(tree.weighted_n_node_samples[node]))
            return
        low = len(values) - first
        visit(left)
        high = len(values) - first
        visit(right)
        end = len(values) - first
        if end > MOST_LEAVES:
            raise ValueError(f"tree {number} has more than {MOST_LEAVES} leaves")
        nodes["column"].append(int(tree.feature[node]))
        nodes["threshold"].append(float(tree.threshold[node]))
        nodes["tree"].append(number)
        nodes["mask"].append(((1 << MOST_LEAVES) - 1) ^ ((1 << high) - (1 << low)))
        nodes["end"].append(end)
        nodes["missing_left"].append(bool(tree.missing_go_to_left[node]))

    visit(0)


def _round_down(thresholds: Floats) -> npt.NDArray[np.float32]:
    """Return the greatest float32 at or below each threshold: `x <= t` is then the same test for a float32 `x`."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest).astype(np.float32)
