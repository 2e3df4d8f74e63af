"""Whether the arrays of a forest describe trees, and how much memory serving them takes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churn.domain.model import BrokenModelError
from churn.ml.arrays import Integers
from churn.ml.artifact import Arrays
from churn.ml.tree_shap import nodes_above_leaves

_MOST_TABLE_WORDS = 1 << 24
_MOST_COLUMNS_ON_A_PATH = 16
_MOST_SHAPLEY_ENTRIES = 1 << 25


def check_forest(arrays: Arrays, n_columns: int) -> None:
    """Check that the arrays of a forest, each valid by itself, are binary trees over `n_columns` columns.

    Raises BrokenModelError that says what is wrong.
    """
    first_leaf = arrays["first_leaf"].astype(np.int64)
    leaves, trees = len(arrays["leaf_value"]), len(first_leaf)
    in_tree = np.diff(first_leaf, append=leaves)
    _require(bool(first_leaf[0] == 0 and (in_tree >= 1).all() and (in_tree <= 64).all()), "a tree has 1 to 64 leaves")
    _require(bool((arrays["tree"] < trees).all()), "a node names a tree that is not there")
    _require(bool((arrays["column"] < n_columns).all()), "a node names a column that is not there")
    words = (len(arrays["tree"]) + 2 * n_columns) * trees
    _require(words <= _MOST_TABLE_WORDS, f"the forest's table has {words} words, more than {_MOST_TABLE_WORDS}")
    low, high, end = _spans(arrays)
    _check_trees(arrays["tree"].astype(np.int64), low, high, end, in_tree)
    _check_paths(arrays["column"], first_leaf[arrays["tree"]], low, end, (leaves, n_columns))


def left_leaves(mask: npt.NDArray[np.uint64]) -> tuple[Integers, Integers]:
    """Return the first leaf on each node's left, of its tree, and how many there are: those that its mask clears."""
    left = ~mask
    return (
        np.bitwise_count((left & -left) - np.uint64(1)).astype(np.int64),
        np.bitwise_count(left).astype(np.int64),
    )


def _spans(arrays: Arrays) -> tuple[Integers, Integers, Integers]:
    """Return each node's leaves: from `low` to before `high` on its left, from there to before `end` on its right."""
    low, count = left_leaves(arrays["mask"])
    shifted = ~arrays["mask"] >> np.minimum(low, 63).astype(np.uint64)
    contiguous = (shifted & (shifted + np.uint64(1))) == 0
    end = arrays["end"].astype(np.int64)
    _require(
        bool(((count >= 1) & contiguous & (low + count < end)).all()),
        "a node does not have leaves on both of its sides",
    )
    return low, low + count, end


def _check_trees(tree: Integers, low: Integers, high: Integers, end: Integers, in_tree: Integers) -> None:
    """Check that each node's subtrees are those of its two children: in post-order these are known by their places."""
    in_order = np.lexsort((-low, end, tree))
    tree, low, high, end = tree[in_order], low[in_order], high[in_order], end[in_order]
    nodes = np.bincount(tree, minlength=len(in_tree))
    _require(bool((nodes == in_tree - 1).all()), "a tree has one node less than it has leaves")
    place = np.arange(len(tree))
    first = (np.cumsum(nodes) - nodes)[tree]
    below_right, below_left = end - high - 1, high - low - 1
    right, left = place - 1, place - 1 - below_right
    _require(bool((place - below_right - below_left >= first).all()), "a node lies outside of its tree")
    has = below_right > 0
    whole = bool(((low[right] == high) & (end[right] == end))[has].all())
    has = below_left > 0
    whole &= bool(((low[left] == low) & (end[left] == high))[has].all())
    roots = np.cumsum(nodes)[nodes > 0] - 1
    whole &= bool(((low[roots] == 0) & (end[roots] == in_tree[nodes > 0])).all())
    _require(whole, "the nodes of a tree do not nest")


def _check_paths(
    column: npt.NDArray[np.uint8], first_leaf: Integers, low: Integers, end: Integers, shape: tuple[int, int]
) -> None:
    """Check what the tables of the Shapley values take: 2 to the number of columns on its path for each leaf.

    `shape` holds the numbers of leaves and columns.
    """
    node, leaf = nodes_above_leaves(first_leaf + low, first_leaf + end)
    asked = np.zeros(shape, dtype=np.bool_)
    asked[leaf, column[node]] = True
    on_path = asked.sum(axis=1)
    most = int(on_path.max())
    _require(most <= _MOST_COLUMNS_ON_A_PATH, f"a path has {most} columns, more than {_MOST_COLUMNS_ON_A_PATH}")
    entries = int((1 << on_path).sum())
    _require(entries <= _MOST_SHAPLEY_ENTRIES, f"the reasons' table has {entries} entries, more than is allowed")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise BrokenModelError(f"the forest cannot be served: {message}")
