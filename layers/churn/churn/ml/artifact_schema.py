"""What the arrays and the metadata of a model must be: the one table of names, types, shapes, ranges and sizes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.model import BLEND, MODEL_KINDS, PURCHASE_PROCESS, RANDOM_FOREST, BrokenModelError, ModelKind, kind_of
from churn.domain.version_metadata import check_metadata

_MOST_METADATA_BYTES = 4 * 1024 * 1024
_NPY_VERSION = (1, 0)
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True)
class ArraySchema:
    """One array: its type, its shape, whose dimensions are lengths or names of lengths, and the range of its values."""

    dtype: str
    shape: tuple[int | str, ...]
    lowest: float = -math.inf
    highest: float = math.inf


_FOREST: Mapping[str, ArraySchema] = {
    "column": ArraySchema("|u1", ("nodes",)),
    # A split between known and missing values alone has an infinite threshold.
    "threshold": ArraySchema("<f4", ("nodes",)),
    "tree": ArraySchema("<u2", ("nodes",)),
    "mask": ArraySchema("<u8", ("nodes",)),
    "end": ArraySchema("|u1", ("nodes",), 2, 64),
    "missing_left": ArraySchema("|b1", ("nodes",)),
    "first_leaf": ArraySchema("<u4", ("trees",)),
    "leaf_value": ArraySchema("<f8", ("leaves",), 0, 1),
    "leaf_weight": ArraySchema("<f8", ("leaves",), 1e-9, 1e12),
}
ARRAYS: Mapping[ModelKind, Mapping[str, ArraySchema]] = {
    RANDOM_FOREST: _FOREST,
    BLEND: _FOREST,
    PURCHASE_PROCESS: {
        "draws": ArraySchema("<f8", ("draws", 4), 1e-12, 1e12),
        "typical": ArraySchema("<f8", (3,), 0, 1e9),
    },
}
LENGTHS: Mapping[str, tuple[int, int]] = {
    "trees": (1, 1024),
    "nodes": (0, 63 * 1024),
    "leaves": (1, 64 * 1024),
    "draws": (1, 10_000),
}
"""The least and the greatest length of each named dimension."""

_PROCESS_PARAMETERS = ("r", "alpha", "a", "b", "horizon_days")


def kind_in(metadata: Mapping[str, Any]) -> ModelKind:
    """Return the kind that metadata name. Raises BrokenModelError if it is none of MODEL_KINDS."""
    kind = kind_of(metadata)
    if kind not in MODEL_KINDS:
        raise BrokenModelError(f"the model is of the unknown kind {kind[:40]!r}")
    return kind


def parse_arrays(members: Mapping[str, bytes], kind: ModelKind) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a model from the `.npy` members of its archive, each as ARRAYS describes it.

    Raises BrokenModelError that names the array. No more memory is taken than the members hold.
    """
    schemas = ARRAYS[kind]
    if members.keys() != schemas.keys():
        odd = ", ".join(sorted(members.keys() ^ schemas.keys()))
        raise BrokenModelError(f"the model's arrays are not those of a {kind}: {odd[:200]}")
    lengths: dict[str, int] = {}
    return {name: _parse(name, members[name], schema, lengths) for name, schema in schemas.items()}


def parse_list(name: str, member: bytes, dtype: str) -> npt.NDArray[Any]:
    """Return the one-dimensional array of a member that is described by its type alone. Raises BrokenModelError."""
    found = _read(name, member)
    if found.dtype.str != dtype or found.ndim != 1 or len(found) > _MOST_METADATA_BYTES:
        raise BrokenModelError(f"{name} is not a list of {dtype} of an allowed length")
    return found


def parse_metadata(content: bytes) -> dict[str, Any]:
    """Return the metadata of a model, with what serving needs of them checked. Raises BrokenModelError."""
    metadata = json.loads(content, parse_constant=_refuse_constant)
    if not isinstance(metadata, dict):
        raise BrokenModelError("the metadata are no JSON object")
    datetime.fromisoformat(_text(metadata, "trained_at"))
    kind = kind_in(metadata)
    if "horizon_days" in metadata or kind == PURCHASE_PROCESS:
        _number(metadata, "horizon_days", 1, 3650)
    check_metadata(metadata)
    _check_process(metadata, "current_process")
    _check_spending(metadata)
    if kind in {RANDOM_FOREST, BLEND}:
        _check_forest_metadata(metadata)
    if kind == BLEND:
        _check_blend(metadata)
    return metadata


def _check_blend(metadata: Mapping[str, Any]) -> None:
    blend = metadata.get("blend")
    if not isinstance(blend, dict) or not isinstance(metadata.get("current_process"), dict):
        raise BrokenModelError("the metadata of a blend hold no blend or no current_process")
    weights, logistic = blend.get("weights"), blend.get("logistic")
    if not isinstance(weights, dict) or not isinstance(logistic, dict):
        raise BrokenModelError("blend of the metadata has no weights or no logistic regression")
    for name in ("forest", "logistic", "purchases"):
        _number(weights, name, 0, 1)
    if abs(sum(weights.values()) - 1) > 1e-9:
        raise BrokenModelError("the weights of the metadata's blend do not add up to 1")
    _number(logistic, "intercept", -1e6, 1e6)
    if "shift" in blend:
        _number(blend, "shift", -20, 20)
    inputs = 2 * len(metadata["columns"])
    for name, values, length, least in (
        ("centre", logistic.get("centre"), inputs, 0.0),
        ("weight", logistic.get("weight"), inputs, -1e6),
        ("typical", blend.get("typical"), 3, 0.0),
    ):
        if not isinstance(values, list) or len(values) != length:
            raise BrokenModelError(f"{name} of the metadata's blend is no list of {length} numbers")
        for value in values:
            _number({name: value}, name, least, 1e9)


def _check_process(metadata: Mapping[str, Any], key: str) -> None:
    process = metadata.get(key)
    if process is not None:
        if not isinstance(process, dict):
            raise BrokenModelError(f"{key} of the metadata is no JSON object")
        for name in _PROCESS_PARAMETERS:
            _number(process, name, 1e-12, 1e12)


def _check_spending(metadata: Mapping[str, Any]) -> None:
    spending = metadata.get("spending")
    if spending is None:
        return
    if not isinstance(spending, dict):
        raise BrokenModelError("spending of the metadata is no JSON object")
    for name, least in (("p", 1e-12), ("q", 1), ("gamma", 1e-12)):
        _number(spending, name, least, 1e15)
    interval = spending.get("interval")
    if interval is None:
        return
    if not isinstance(interval, dict):
        raise BrokenModelError("interval of the metadata's spending is no JSON object")
    lists: list[Any] = [interval.get(name) for name in ("expected", "low", "high")]
    if not all(isinstance(one, list) and 0 < len(one) <= _MOST_STEPS for one in lists):
        raise BrokenModelError("interval of the metadata's spending has no lists of numbers")
    for steps in lists:
        for place in range(len(steps)):
            _number(dict(enumerate(steps)), place, 0, 1e18)
    expected, low, high = lists
    if not len(expected) == len(low) == len(high) or any(after <= before for before, after in pairwise(expected)):
        raise BrokenModelError("interval of the metadata's spending does not rise")


def _check_forest_metadata(metadata: Mapping[str, Any]) -> None:
    columns = metadata.get("columns")
    if not isinstance(columns, list) or not all(isinstance(column, str) for column in columns):
        raise BrokenModelError("columns of the metadata is no list of names")
    if len(set(columns)) != len(columns):
        raise BrokenModelError("columns of the metadata names a column twice")
    calibration = metadata.get("calibration")
    if not isinstance(calibration, dict):
        raise BrokenModelError("calibration of the metadata is no JSON object")
    for name in ("slope", *(["slope_above"] if "slope_above" in calibration else [])):
        _number(calibration, name, 1e-6, 1e6)
    _number(calibration, "intercept", -1e6, 1e6)
    _check_process(metadata, "purchase_process")


def _parse(name: str, member: bytes, schema: ArraySchema, lengths: dict[str, int]) -> npt.NDArray[Any]:
    found = _read(name, member)
    if found.dtype.str != schema.dtype or found.ndim != len(schema.shape):
        raise BrokenModelError(f"{name} is of type {found.dtype.str} with {found.ndim} dimensions, not {schema.dtype}")
    for length, dimension in zip(found.shape, schema.shape, strict=True):
        expected = dimension if isinstance(dimension, int) else lengths.setdefault(dimension, length)
        least, most = LENGTHS.get(str(dimension), (expected, expected))
        if not least <= length <= most:
            raise BrokenModelError(f"{name} has {length} {dimension}; a model has from {least} to {most}")
        if length != expected:
            raise BrokenModelError(f"{name} has {length} values where {expected} are expected")
    if found.dtype.kind != "b" and not ((found >= schema.lowest) & (found <= schema.highest)).all():
        raise BrokenModelError(f"{name} holds a value that is not from {schema.lowest:g} to {schema.highest:g}")
    return found


def _read(name: str, member: bytes) -> npt.NDArray[Any]:
    """Return a member's array: its header must describe exactly the bytes that follow it."""
    stream = io.BytesIO(member)
    if np.lib.format.read_magic(stream) != _NPY_VERSION:
        raise BrokenModelError(f"{name} is no array of the file format 1.0")
    shape, column_major, dtype = np.lib.format.read_array_header_1_0(stream)
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in "bufi" or column_major or size != len(member) - stream.tell():
        raise BrokenModelError(f"{name} does not hold the numbers that its header announces")
    return np.frombuffer(member, dtype=dtype, offset=stream.tell()).reshape(shape)


def _text(metadata: Mapping[str, Any], name: str) -> str:
    found = metadata.get(name)
    if not isinstance(found, str):
        raise BrokenModelError(f"{name} of the metadata is no text")
    return found


def _number(metadata: Mapping[Any, Any], name: str | int, lowest: float, highest: float) -> None:
    found = metadata.get(name)
    if not isinstance(found, int | float) or isinstance(found, bool) or not lowest <= found <= highest:
        raise BrokenModelError(f"{name} of the metadata is no number from {lowest:g} to {highest:g}")


def _refuse_constant(name: str) -> None:
    raise BrokenModelError(f"the metadata hold {name}")
