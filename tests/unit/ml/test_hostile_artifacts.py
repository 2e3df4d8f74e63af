"""Artifacts that are not what training writes, each with the right checksum: refused, or served in fact."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.domain.features import INPUT_NAMES
from churn.domain.model import MOST_BYTES, BrokenModelError
from churn.ml.artifact import Arrays, npy, pack, seal
from churn.ml.artifact_schema import ARRAYS, LENGTHS
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import StoredModel, read_model
from tests.support.forests import small_model
from tests.support.fuzzing import cases

ROWS: list[dict[str, float | None]] = [dict.fromkeys(INPUT_NAMES, value) for value in (None, 5.0, 1e5)]


def small_process() -> PurchaseModel:
    draws = np.random.default_rng(3).gamma(2.0, 1.0, (50, 4)) + 0.01
    metadata = {"trained_at": "2026-01-31T10:15:00Z", "horizon_days": 90}
    return PurchaseModel.from_draws(draws, np.array([2.0, 40.0, 100.0]), metadata)


def parts(model: StoredModel) -> tuple[Arrays, dict[str, Any]]:
    with np.load(io.BytesIO(model.to_bytes()), allow_pickle=False) as archive:
        arrays = dict(archive)
    return {name: arrays[name] for name in ARRAYS[_kind(model)]}, json.loads(arrays["metadata"].tobytes())


def _kind(model: StoredModel) -> Any:
    return "purchase_process" if isinstance(model, PurchaseModel) else "random_forest"


def assert_refused_or_served(content: bytes) -> None:
    """Check that the bytes are refused, or make a model that answers requests."""
    try:
        model = read_model(content)
    except BrokenModelError:
        return
    for prediction in model.predict(ROWS):
        assert 0 <= prediction.churn_probability <= 1


def changed(model: StoredModel, name: str, change: Callable[[Any], Any]) -> bytes:
    arrays, metadata = parts(model)
    if name in arrays:
        arrays[name] = np.asarray(change(arrays[name].copy()))
    else:
        metadata[name] = change(metadata.get(name))
    return pack(arrays, metadata)


def set_to(place: int, value: Any) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        array.flat[place] = value
        return array

    return change


FOREST_FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a leaf above 1": ("leaf_value", set_to(0, 1.5), "leaf_value holds a value"),
    "a leaf that is not a number": ("leaf_value", set_to(0, np.nan), "leaf_value holds a value"),
    "a leaf without samples": ("leaf_weight", set_to(3, 0.0), "leaf_weight holds a value"),
    "a threshold that is not a number": ("threshold", set_to(2, np.nan), "threshold holds a value"),
    "another type": ("threshold", lambda array: array.astype(np.float64), "threshold is of type <f8"),
    "text": ("column", lambda array: array.astype("U4"), "does not hold the numbers"),
    "a shorter array": ("mask", lambda array: array[:-1], "mask has"),
    "a table instead of a list": ("tree", lambda array: array[:, None], "tree is of type"),
    "no trees": ("first_leaf", lambda array: array[:0], "first_leaf has 0 trees"),
    "too many trees": ("first_leaf", lambda _: np.arange(70_000, dtype=np.uint32), "first_leaf has 70000 trees"),
    "a tree that is not there": ("tree", set_to(0, 60_000), "a node names a tree"),
    "a column that is not there": ("column", set_to(0, 200), "a node names a column"),
    "leaves out of order": ("first_leaf", lambda array: array[::-1].copy(), "1 to 64 leaves"),
    "a tree that begins later": ("first_leaf", set_to(0, 1), "1 to 64 leaves"),
    "a mask that clears nothing": ("mask", set_to(0, 2**64 - 1), "both of its sides"),
    "a mask that clears everything": ("mask", set_to(0, 0), "both of its sides"),
    "a mask with a gap": ("mask", set_to(0, 2**64 - 1 - 0b101), "both of its sides"),
    "an end before the leaves": ("end", set_to(-1, 2), "cannot be served"),
    "an end beyond the tree": ("end", set_to(0, 64), "do not nest|outside of its tree"),
    "a node of another tree": ("tree", set_to(0, 1), "one node less"),
    "other features": ("columns", lambda _: ["shoe_size"], "other features|column"),
    "a column twice": ("columns", lambda columns: [*columns, columns[0]], "names a column twice"),
    "columns as text": ("columns", lambda _: "total_orders", "no list of names"),
    "no calibration": ("calibration", lambda _: None, "calibration of the metadata"),
    "a slope of zero": ("calibration", lambda found: {**found, "slope": 0}, "slope of the metadata"),
    "a slope beyond all floats": ("calibration", lambda found: {**found, "slope": 10**400}, "slope of the metadata"),
    "a slope as text": ("calibration", lambda found: {**found, "slope": "1"}, "slope of the metadata"),
    "a process without its rate": ("purchase_process", lambda _: {"r": 1}, "alpha of the metadata"),
    "a negative process": ("purchase_process", lambda found: {**found, "alpha": -5}, "alpha of the metadata"),
    "no instant": ("trained_at", lambda _: 5, "trained_at of the metadata"),
    "an instant of no calendar": ("trained_at", lambda _: "yesterday", "no model"),
    "an endless horizon": ("horizon_days", lambda _: 10**9, "horizon_days of the metadata"),
    "an unknown kind": ("kind", lambda _: "oracle", "unknown kind"),
    "a kind that is a list": ("kind", lambda _: [1], "unknown kind|no model"),
    "the other kind": ("kind", lambda _: "purchase_process", "horizon_days|arrays are not those"),
}
PROCESS_FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a parameter of zero": ("draws", set_to(0, 0.0), "draws holds a value"),
    "an endless parameter": ("draws", set_to(0, np.inf), "draws holds a value"),
    "three parameters": ("draws", lambda draws: draws[:, :3].copy(), "draws has 3"),
    "no draws": ("draws", lambda draws: draws[:0], "draws has 0 draws"),
    "too many draws": ("draws", lambda draws: np.tile(draws, (300, 1)), "draws has 15000 draws"),
    "a typical customer of the past": ("typical", set_to(1, -1.0), "typical holds a value"),
    "four inputs": ("typical", lambda typical: np.append(typical, 1.0), "typical has 4"),
    "no horizon": ("horizon_days", lambda _: None, "horizon_days of the metadata"),
}


@pytest.mark.parametrize("fault", FOREST_FAULTS)
def test_a_forest_that_means_nothing_is_refused_with_the_reason(fault: str) -> None:
    name, change, reason = FOREST_FAULTS[fault]
    with pytest.raises(BrokenModelError, match=reason):
        read_model(changed(small_model(), name, change))


@pytest.mark.parametrize("fault", PROCESS_FAULTS)
def test_a_process_that_means_nothing_is_refused_with_the_reason(fault: str) -> None:
    name, change, reason = PROCESS_FAULTS[fault]
    with pytest.raises(BrokenModelError, match=reason):
        read_model(changed(small_process(), name, change))


def test_a_header_that_announces_more_than_there_is_takes_no_memory() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 4), }".ljust(117) + b"\n"
    huge = np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little") + header
    tracemalloc.start()
    try:
        with pytest.raises(BrokenModelError, match="header announces"):
            read_model(with_member(small_process(), "draws", huge))
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


def with_member(model: StoredModel, name: str, member: bytes) -> bytes:
    """Return the archive with one member exchanged and the checksum that belongs to it."""
    return seal({**members_of(model), name: member})


def members_of(model: StoredModel) -> dict[str, bytes]:
    """Return the members of an archive without its checksum."""
    with zipfile.ZipFile(io.BytesIO(model.to_bytes())) as archive:
        members = {info.filename.removesuffix(".npy"): archive.read(info) for info in archive.infolist()}
    del members["checksum"]
    return members


@pytest.mark.parametrize(
    "metadata", [b"[]", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b"\xff", b"", b"null", b"{}"]
)
def test_metadata_that_are_no_object_are_refused(metadata: bytes) -> None:
    with pytest.raises(BrokenModelError):
        read_model(with_member(small_model(), "metadata", npy(np.frombuffer(metadata, dtype=np.uint8))))


def test_an_archive_is_refused_before_it_is_unpacked() -> None:
    content = small_model().to_bytes()
    compressed = io.BytesIO()
    with zipfile.ZipFile(compressed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checksum.npy", b"\0" * 10_000_000)
    twice = io.BytesIO(content)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("mask.npy", b"")
    for hostile, reason in (
        (compressed.getvalue(), "compressed"),
        (twice.getvalue(), "twice"),
        (content + bytes(MOST_BYTES), "at most"),
    ):
        with pytest.raises(BrokenModelError, match=reason):
            read_model(hostile)


def test_a_forest_that_would_fill_the_memory_is_refused() -> None:
    trees = LENGTHS["trees"][1]
    arrays, metadata = parts(small_model())
    one = int(arrays["first_leaf"][1])
    nodes = one - 1
    wide = {name: np.tile(arrays[name][:nodes], trees) for name in ("column", "threshold", "mask", "end")}
    wide |= {"missing_left": np.tile(arrays["missing_left"][:nodes], trees)}
    wide |= {"tree": np.repeat(np.arange(trees, dtype=np.uint16), nodes)}
    wide |= {"first_leaf": np.arange(0, one * trees, one, dtype=np.uint32)}
    wide |= {name: np.tile(arrays[name][:one], trees) for name in ("leaf_value", "leaf_weight")}
    with pytest.raises(BrokenModelError, match="words"):
        read_model(pack(wide, metadata))


@pytest.mark.parametrize("model", [small_model(), small_process()], ids=["forest", "process"])
@pytest.mark.timeout(3600)
@settings(max_examples=cases("artifacts") // 4)
@given(data=st.data())
def test_whatever_is_read_serves(model: StoredModel, data: st.DataObject) -> None:
    arrays, metadata = parts(model)
    for _ in range(data.draw(st.integers(1, 3), label="changes")):
        name = data.draw(st.sampled_from(sorted(arrays)), label="array")
        array = arrays[name]
        if not array.size:
            continue
        raw = bytearray(np.ascontiguousarray(array).tobytes())
        place = data.draw(st.integers(0, len(raw) - 1), label="byte")
        raw[place] = data.draw(st.integers(0, 255), label="value")
        arrays[name] = np.frombuffer(bytes(raw), dtype=array.dtype).reshape(array.shape)
        if data.draw(st.integers(0, 9)) == 0:
            arrays[name] = arrays[name][: data.draw(st.integers(0, len(array)), label="length")]
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(metadata)), label="metadata")
        json_values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        metadata[name] = data.draw(json_values | st.text(max_size=20) | st.lists(st.integers(), max_size=3))
    assert_refused_or_served(pack(arrays, metadata))


@pytest.mark.parametrize("model", [small_model(), small_process()], ids=["forest", "process"])
@pytest.mark.timeout(3600)
@settings(max_examples=cases("artifacts") // 4)
@given(data=st.data())
def test_any_bytes_in_a_member_are_refused_or_serve(model: StoredModel, data: st.DataObject) -> None:
    members = members_of(model)
    name = data.draw(st.sampled_from(sorted(members)), label="member")
    content = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        # Most of what can be said wrongly stands in the header of the array.
        place = data.draw(st.integers(0, min(len(content), 160)) | st.integers(0, len(content)), label="place")
        content[place : place + data.draw(st.integers(0, 40), label="cut")] = data.draw(st.binary(max_size=40))
    assert_refused_or_served(seal({**members, name: bytes(content)}))
