"""Artifacts that are not what training writes, each with the right checksum: refused, or served in fact."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn.domain.features import INPUT_NAMES
from churn.domain.model import MOST_BYTES, BrokenModelError
from churn.ml.artifact import pack, seal
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import read_model
from tests.support.forests import small_model
from tests.support.fuzzing import cases
from tests.support.hostile_models import (
    FOREST_FAULTS,
    HEADERS,
    NO_METADATA,
    PROCESS_FAULTS,
    announcing,
    as_metadata,
    changed,
    compressed,
    members_of,
    parts,
    wide,
    with_header,
    with_member,
)


def small_process() -> PurchaseModel:
    draws = np.random.default_rng(3).gamma(2.0, 1.0, (50, 4)) + 0.01
    metadata = {"trained_at": "2026-01-31T10:15:00Z", "horizon_days": 90}
    return PurchaseModel.from_draws(draws, np.array([2.0, 40.0, 100.0]), metadata)


ROWS: list[dict[str, float | None]] = [dict.fromkeys(INPUT_NAMES, value) for value in (None, 5.0, 1e5)]

FOREST = small_model().to_bytes()
PROCESS = small_process().to_bytes()


def assert_refused_or_served(content: bytes) -> None:
    """Check that the bytes are refused, or make a model that answers requests."""
    try:
        model = read_model(content)
    except BrokenModelError:
        return
    for prediction in model.predict(ROWS):
        assert 0 <= prediction.churn_probability <= 1


@pytest.mark.parametrize("fault", FOREST_FAULTS)
def test_a_forest_that_means_nothing_is_refused_with_the_reason(fault: str) -> None:
    name, change, reason = FOREST_FAULTS[fault]
    with pytest.raises(BrokenModelError, match=reason):
        read_model(changed(FOREST, name, change))


@pytest.mark.parametrize("fault", PROCESS_FAULTS)
def test_a_process_that_means_nothing_is_refused_with_the_reason(fault: str) -> None:
    name, change, reason = PROCESS_FAULTS[fault]
    with pytest.raises(BrokenModelError, match=reason):
        read_model(changed(PROCESS, name, change))


def test_a_header_that_announces_more_than_there_is_takes_no_memory() -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BrokenModelError, match="header announces"):
            read_model(with_member(PROCESS, "draws", announcing(99_999_999_999)))
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("number", range(len(HEADERS)))
def test_a_header_that_is_none_is_refused(number: int) -> None:
    with pytest.raises(BrokenModelError):
        read_model(with_member(FOREST, "threshold", with_header(HEADERS[number])))


@pytest.mark.parametrize("metadata", NO_METADATA)
def test_metadata_that_are_no_object_are_refused(metadata: bytes) -> None:
    with pytest.raises(BrokenModelError):
        read_model(with_member(FOREST, "metadata", as_metadata(metadata)))


def test_an_archive_is_refused_before_it_is_unpacked() -> None:
    twice = io.BytesIO(FOREST)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as archive:
        archive.writestr("mask.npy", b"")
    for hostile, reason in (
        (compressed(), "compressed"),
        (twice.getvalue(), "twice"),
        (FOREST + bytes(MOST_BYTES), "at most"),
    ):
        with pytest.raises(BrokenModelError, match=reason):
            read_model(hostile)


def test_a_forest_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(BrokenModelError, match="words"):
        read_model(wide(FOREST))


@pytest.mark.parametrize("model", [FOREST, PROCESS], ids=["forest", "process"])
@pytest.mark.timeout(3600)
@settings(max_examples=cases("artifacts") // 4)
@given(data=st.data())
def test_whatever_is_read_serves(model: bytes, data: st.DataObject) -> None:
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


@pytest.mark.parametrize("model", [FOREST, PROCESS], ids=["forest", "process"])
@pytest.mark.timeout(3600)
@settings(max_examples=cases("artifacts") // 4)
@given(data=st.data())
def test_any_bytes_in_a_member_are_refused_or_serve(model: bytes, data: st.DataObject) -> None:
    members = members_of(model)
    name = data.draw(st.sampled_from(sorted(members)), label="member")
    content = bytearray(members[name])
    for _ in range(data.draw(st.integers(1, 4), label="changes")):
        # Most of what can be said wrongly stands in the header of the array.
        place = data.draw(st.integers(0, min(len(content), 160)) | st.integers(0, len(content)), label="place")
        content[place : place + data.draw(st.integers(0, 40), label="cut")] = data.draw(st.binary(max_size=40))
    assert_refused_or_served(seal({**members, name: bytes(content)}))
