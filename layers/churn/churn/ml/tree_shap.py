"""Exact path-dependent Shapley values of a forest (the game of TreeSHAP, Lundberg et al. 2020), with numpy alone.

A leaf contributes its value, times `z` for every unknown feature of its path: `z` is the share of the training samples
that take the path's turns at that feature. Knowing the feature replaces `z` by 1 if the row takes these turns, by 0 if
it does not. A leaf is therefore a product, and the Shapley value of one of its features is an integral of the product
of the others, each linear in t (Owen's multilinear extension): a polynomial, for which Gauss-Legendre quadrature is
exact.

A leaf's shares depend only on the set of features whose turns the row takes. A table holds one number for each leaf and
set: the loss by each feature outside the set. The gain by a feature inside the set is (1 - z) / z times the number of
the set without it. So a row costs one look-up for each leaf and feature of its path.

The tables take as long to build as some twenty rows do without them, so the first rows of a process use the quadrature
directly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.ml.arrays import Flags, Floats, Integers

_ROWS_BEFORE_TABLES = 16


@dataclass(frozen=True, slots=True)
class Splits:
    """The inner nodes of a forest whose leaves are numbered throughout, from left to right.

    The leaves from `low` to before `high` are below a node on its left, from `high` to before `end` on its right. A row
    goes left when its place in the node's column is at most `place`; when its value is missing, if `missing_left`.
    """

    column: Integers
    place: Integers
    missing_left: Flags
    low: Integers
    high: Integers
    end: Integers


@dataclass(frozen=True, slots=True)
class _Conditions:
    """The condition that each leaf puts on each column of its path, ordered by leaf, then column.

    A known value's place lies from `start` to before `start + width`; a missing value meets the condition if `missing`.
    """

    leaf: Integers
    column: Integers
    start: Integers
    width: Integers
    missing: Flags
    share: Floats


class ShapleyValues:
    """The Shapley values of one forest, by quadrature for the first rows and by tables for all others."""

    def __init__(self, splits: Splits, missing_places: Integers, leaf_value: Floats, leaf_weight: Floats) -> None:
        """Take a forest that has splits, at most 16 columns on a path, and no column without a split.

        `missing_places` holds the place of a missing value, for each column. `leaf_value` is a leaf's part of the
        probability, `leaf_weight` its training samples.
        """
        self._missing_places = missing_places
        self._leaf_value = leaf_value
        self._conditions = _conditions(splits, missing_places, leaf_weight)
        self._rows_before_tables = _ROWS_BEFORE_TABLES
        self._tables: _Tables | None = None

    def values(self, places: Integers) -> Floats:
        """Return the Shapley values, shape (rows, columns), for places of shape (columns, rows)."""
        if self._tables is None and places.shape[1] <= self._rows_before_tables:
            self._rows_before_tables -= places.shape[1]
            return np.array([self._by_quadrature(row) for row in places.T]).reshape(places.shape[::-1])
        if self._tables is None:
            self._tables = _Tables(self._conditions, self._missing_places, self._leaf_value)
        return self._tables.values(places)

    def _by_quadrature(self, row: Integers) -> Floats:
        """Sum the integrals over t of v * (met - z) * prod(t * met + (1 - t) * z of the others) for each column."""
        conditions = self._conditions
        place = row[conditions.column]
        present = place != self._missing_places[conditions.column]
        offset = place - conditions.start
        met = np.where(present, (offset >= 0) & (offset < conditions.width), conditions.missing)
        shares = np.empty(len(conditions.leaf))
        lengths = np.bincount(conditions.leaf, minlength=len(self._leaf_value))
        for length, leaves, places in _by_length(lengths):
            unknown, taken = conditions.share[places], met[places]
            product = np.zeros(places.shape)
            for t, weight in quadrature(length):
                factor = (1 - t) * unknown + t * taken
                product += weight * factor.prod(axis=0) / factor
            shares[places] = self._leaf_value[leaves] * (taken - unknown) * product
        return np.bincount(conditions.column, shares, len(self._missing_places))


class _Tables:
    """The tables of one forest. Their size is the sum, over the leaves, of 2 to the number of columns on the path."""

    def __init__(self, conditions: _Conditions, missing_places: Integers, leaf_value: Floats) -> None:
        self._missing_places = missing_places
        self._size = len(conditions.leaf)
        lengths = np.bincount(conditions.leaf, minlength=len(leaf_value))
        groups = list(_by_length(lengths))
        leaves = np.concatenate([group for _, group, _ in groups])
        rank = np.empty(len(lengths), dtype=np.int64)
        rank[leaves] = np.arange(len(leaves))
        first = np.cumsum(lengths) - lengths
        slot = np.arange(self._size) - first[conditions.leaf]
        sizes = 1 << lengths[leaves]
        # A multiple of the leaf's size, because the sizes before it are: a bit of the address can be cleared.
        self._base: Integers = np.cumsum(sizes) - sizes
        self._table = _table(groups, conditions.share, leaf_value)

        by_column = np.argsort(conditions.column, kind="stable")
        ends = np.cumsum(np.bincount(conditions.column, minlength=len(missing_places)))
        self._bounds = list(pairwise([0, *ends.tolist()]))
        self._start = conditions.start[by_column].astype(np.uint32)
        self._width = conditions.width[by_column].astype(np.uint32)
        self._missing = conditions.missing[by_column]
        self._gain = 1 / conditions.share[by_column]
        self._leaf = rank[conditions.leaf[by_column]]
        self._others = ~(1 << slot[by_column])

        position = np.empty(self._size, dtype=np.int64)
        position[by_column] = np.arange(self._size)
        by_slot = np.lexsort((rank[conditions.leaf], slot))
        self._by_slot = position[by_slot]
        self._bit = (1 << slot[by_slot]).astype(np.uint16)
        self._slots = np.bincount(slot).tolist()

    def values(self, places: Integers) -> Floats:
        """Return the Shapley values, shape (rows, columns), for places of shape (columns, rows)."""
        answer = np.empty((places.shape[1], len(places)))
        starts = [start for start, _ in self._bounds]
        hit = np.empty(self._size, dtype=np.bool_)
        taken = np.empty(self._size, dtype=np.bool_)
        bits = np.empty(self._size, dtype=np.uint16)
        address = np.empty(self._size, dtype=np.int64)
        loss = np.empty(self._size)
        factor = np.empty(self._size)
        for number, row in enumerate(places.T.tolist()):
            self._match(row, hit)
            np.take(hit, self._by_slot, out=taken, mode="clip")
            np.multiply(taken, self._bit, out=bits)
            pattern = bits[: self._slots[0]]
            first = len(pattern)
            for count in self._slots[1:]:
                pattern[:count] |= bits[first : first + count]
                first += count
            np.take(self._base + pattern, self._leaf, out=address, mode="clip")
            np.bitwise_and(address, self._others, out=address)
            np.take(self._table, address, out=loss, mode="clip")
            # (1 - z) / z where the row takes the path's turns, -1 where it does not.
            np.multiply(hit.view(np.uint8), self._gain, out=factor)
            np.subtract(factor, 1, out=factor)
            np.multiply(loss, factor, out=loss)
            np.add.reduceat(loss, starts, out=answer[number])
        return answer

    def _match(self, row: list[int], hit: Flags) -> None:
        """Set in `hit` which conditions, by column, a row meets."""
        for place, missing, (start, end) in zip(row, self._missing_places.tolist(), self._bounds, strict=True):
            if place == missing:
                hit[start:end] = self._missing[start:end]
            else:
                # A place before the start wraps round to a large number.
                offset = np.uint32(place) - self._start[start:end]
                np.less(offset, self._width[start:end], out=hit[start:end])


def nodes_above_leaves(low: Integers, end: Integers) -> tuple[Integers, Integers]:
    """Return a node and a leaf for each leaf below each node, of nodes with the leaves from `low` to before `end`."""
    below = end - low
    node = np.repeat(np.arange(len(below)), below)
    return node, np.arange(len(node)) + np.repeat(low - (np.cumsum(below) - below), below)


def _conditions(splits: Splits, missing_places: Integers, leaf_weight: Floats) -> _Conditions:
    node, leaf = nodes_above_leaves(splits.low, splits.end)
    left = leaf < splits.high[node]
    until = np.concatenate([[0.0], np.cumsum(leaf_weight)])
    weight = until[splits.end] - until[splits.low]
    left_share, right_share = (
        (until[splits.high] - until[splits.low]) / weight,
        (until[splits.end] - until[splits.high]) / weight,
    )
    share = np.where(left, left_share[node], right_share[node])
    column, place = splits.column[node], splits.place[node]
    start = np.where(left, 0, place + 1)
    end = np.where(left, place + 1, missing_places[column])
    missing = left == splits.missing_left[node]

    key = leaf * len(missing_places) + column
    order = np.argsort(key, kind="stable")
    key = key[order]
    firsts = np.flatnonzero(np.diff(key, prepend=-1))

    def merged(by: np.ufunc, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        answer: npt.NDArray[Any] = by.reduceat(values[order], firsts)
        return answer

    leaf, column = np.divmod(key[firsts], len(missing_places))
    start = merged(np.maximum, start)
    # Below a split that only missing values pass, no interval is left for known ones.
    width = np.maximum(merged(np.minimum, end) - start, 0)
    return _Conditions(leaf, column, start, width, merged(np.logical_and, missing), merged(np.multiply, share))


@cache
def quadrature(length: int) -> list[tuple[float, float]]:
    """Return nodes from 0 to 1 and weights that integrate polynomials of a degree below `length` exactly.

    Gauss-Legendre quadrature, from the eigenvectors of the polynomials' recurrence (Golub and Welsch 1969): the package
    of numpy that has it takes longer to import than a prediction takes.
    """
    number = np.arange(1, (length + 1) // 2)
    beside = number / np.sqrt(4 * number**2 - 1)
    nodes, vectors = np.linalg.eigh(np.diag(beside, 1) + np.diag(beside, -1))
    return list(zip(((nodes + 1) / 2).tolist(), (vectors[0] ** 2).tolist(), strict=True))


def _by_length(lengths: Integers) -> Iterator[tuple[int, Integers, Integers]]:
    """Yield the leaves by the length of their paths, the longest first, with the indices of their conditions.

    The indices have the shape (length, leaves). With the longest paths first, the leaves that have a k-th condition
    come first for every k.
    """
    first = np.cumsum(lengths) - lengths
    for length in range(int(lengths.max()), 0, -1):
        leaves = np.flatnonzero(lengths == length)
        if len(leaves):
            yield length, leaves, first[leaves] + np.arange(length)[:, None]


def _table(groups: Iterable[tuple[int, Integers, Integers]], share: Floats, leaf_value: Floats) -> Floats:
    """Return the loss by an unmet condition, for each leaf and each set of met conditions as the bits of a number.

    It is v * prod(z outside) * integral over t from 0 to 1 of (1 - t)^(outside - 1) * prod(t + (1 - t) * z inside).
    The entries of the full sets have no meaning.
    """
    parts = []
    for length, leaves, places in groups:
        total = np.zeros((1 << length, len(leaves)))
        product = np.empty_like(total)
        for t, weight in quadrature(length):
            product[0] = leaf_value[leaves] * (weight / (1 - t))
            for number, unknown in enumerate(share[places] * (1 - t)):
                size = 1 << number
                np.multiply(product[:size], unknown + t, out=product[size : 2 * size])
                product[:size] *= unknown
            total += product
        parts.append(total.T.ravel())
    return np.concatenate(parts)
