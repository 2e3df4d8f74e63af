"""The compiled loops of a forest (`kernel.c`), where they are built for this machine; numpy does the same without them.

`make build` and the first start compile them; see `infra.tools.kernel`.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.ml.arrays import Floats, Integers
from churn.ml.tree_shap import Splits, quadrature

_MOST_POINTS = 8
_LANES = 4
_POINTER = ctypes.c_void_p
_NUMBER = ctypes.c_int64


def library_name(machine: str) -> str:
    """Return the name of the library's file for a machine, as `platform.machine` names it."""
    return f"kernel_{machine}.so"


@cache
def library() -> ctypes.CDLL | None:
    """Return the compiled library, None where there is none, or where this processor cannot run it."""
    machine = platform.machine()
    path = Path(__file__).with_name(library_name(machine))
    if not path.exists() or (machine == "x86_64" and not _has_avx2()):
        return None
    return loaded(path)


def loaded(path: Path) -> ctypes.CDLL:
    """Load a library."""
    compiled = ctypes.CDLL(str(path))
    compiled.forest_votes.argtypes = [
        *(_POINTER, _NUMBER, _POINTER, _POINTER),
        *(_POINTER, _NUMBER, _NUMBER, _POINTER, _POINTER),
    ]
    compiled.forest_shapley.argtypes = [_POINTER, _POINTER, _POINTER, _NUMBER, _POINTER]
    compiled.forest_points.argtypes = [_POINTER]
    compiled.forest_paths.argtypes = [_POINTER, _POINTER, _POINTER]
    for function in (compiled.forest_votes, compiled.forest_shapley, compiled.forest_points, compiled.forest_paths):
        function.restype = None
    return compiled


def _has_avx2() -> bool:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "").split()
    return {"avx2", "fma", "bmi1", "bmi2"} <= {*flags}


class Votes:
    """The trees' probabilities of one forest, by the compiled loop."""

    def __init__(
        self, compiled: ctypes.CDLL, table: npt.NDArray[np.uint64], first_leaf: Integers, leaf_value: Floats
    ) -> None:
        """`table`: for each place, a word for each tree, with the bits of the leaves that are left."""
        self._call = compiled.forest_votes
        # Held, as C knows their addresses alone.
        self._arrays = tuple(map(np.ascontiguousarray, (table, first_leaf, leaf_value)))
        addresses = [array.ctypes.data for array in self._arrays]
        self._forest = (addresses[0], len(first_leaf), addresses[1], addresses[2])

    def __call__(self, places: Integers) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the trees' probabilities, for places of shape (columns, rows)."""
        places = np.ascontiguousarray(places)
        columns, rows = places.shape
        answer = np.empty((2, rows))
        address = answer.ctypes.data
        self._call(*self._forest, places.ctypes.data, columns, rows, address, address + 8 * rows)
        return answer[0], np.sqrt(answer[1])


class _Forest(ctypes.Structure):
    """The struct `Forest` of `kernel_shapley.h`."""

    _fields_ = (
        *((name, _NUMBER) for name in ("trees", "columns")),
        *((name, _POINTER) for name in ("column", "place", "missing_left", "low", "high", "end")),
        *((name, _POINTER) for name in ("root", "points", "missing", "leaf_value", "samples", "node", "weight")),
    )


class _Paths(ctypes.Structure):
    """The struct `Paths` of `kernel_paths.h`."""

    _fields_ = (*((name, _POINTER) for name in ("blocks", "value", "share", "start", "until", "column", "missing")),)


class Shapley:
    """The Shapley values of one forest, by the compiled loop; `values` is that of `churn.ml.tree_shap`."""

    def __init__(
        self, compiled: ctypes.CDLL, splits: Splits, tree: Integers, missing: Integers, leaves: tuple[Floats, Floats]
    ) -> None:
        """Take splits that stand children first, the tree of each, and the leaves' values and training samples.

        A path has at most 16 columns. `missing`: the place of a missing value, for each column.
        """
        self._call = compiled.forest_shapley
        self._columns = len(missing)
        trees = int(tree.max()) + 1 if len(tree) else 0
        root = np.full(trees, -1, dtype=np.int32)
        root[tree] = np.arange(len(tree))
        node, weight = np.full((_MOST_POINTS + 1, _MOST_POINTS), 0.5), np.zeros((_MOST_POINTS + 1, _MOST_POINTS))
        for count in range(1, _MOST_POINTS + 1):
            node[count, :count], weight[count, :count] = zip(*quadrature(2 * count), strict=True)
        value, samples = leaves
        arrays: dict[str, npt.NDArray[Any]] = {
            **{name: _narrow(getattr(splits, name)) for name in ("column", "place", "low", "high", "end")},
            "missing_left": splits.missing_left.astype(np.uint8),
            "root": root,
            "points": np.zeros(trees, dtype=np.int32),
            "missing": _narrow(missing),
            "leaf_value": np.ascontiguousarray(value),
            "samples": np.concatenate([[0.0], np.cumsum(samples)]),
            "node": node,
            "weight": weight,
        }
        self._arrays = arrays
        addresses = {name: array.ctypes.data for name, array in arrays.items()}
        self._forest = _Forest(trees=trees, columns=self._columns, **addresses)
        compiled.forest_points(ctypes.byref(self._forest))
        self._paths = self._paths_by(compiled.forest_paths)

    def _paths_by(self, note: Callable[..., None]) -> _Paths:
        """Return the paths of all leaves, which few rows are explained by."""
        leaves = np.zeros(2 * _MOST_POINTS + 1, dtype=np.int64)
        note(ctypes.byref(self._forest), leaves.ctypes.data, None)
        blocks = -(-leaves // _LANES)
        columns = int(blocks @ np.arange(len(blocks)))
        arrays: dict[str, npt.NDArray[Any]] = {
            "blocks": blocks,
            "value": np.zeros(int(blocks.sum()) * _LANES),
            "share": np.zeros(columns * _LANES),
            **{name: np.zeros(columns * _LANES, dtype=np.int32) for name in ("start", "until")},
            **{name: np.zeros(columns * _LANES, dtype=np.uint8) for name in ("column", "missing")},
        }
        self._arrays |= {f"path_{name}": array for name, array in arrays.items()}
        paths = _Paths(**{name: array.ctypes.data for name, array in arrays.items()})
        note(ctypes.byref(self._forest), leaves.ctypes.data, ctypes.byref(paths))
        return paths

    def values(self, places: Integers) -> Floats:
        """Return the Shapley values, shape (rows, columns), for places of shape (columns, rows)."""
        places = np.ascontiguousarray(places)
        rows = places.shape[1]
        answer = np.empty((rows, self._columns))
        self._call(ctypes.byref(self._forest), ctypes.byref(self._paths), places.ctypes.data, rows, answer.ctypes.data)
        return answer


def _narrow(numbers: Integers) -> npt.NDArray[np.int32]:
    return np.ascontiguousarray(numbers, dtype=np.int32)
