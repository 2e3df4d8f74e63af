"""The compiled loops of a forest, against those of numpy."""

import ctypes
import shutil
from pathlib import Path

import numpy as np
import pytest

from churn.ml import kernel
from churn.ml.arrays import Floats
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from infra.tools.kernel import compile_kernel
from tests.support.forests import metadata, random_features, random_trees


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return kernel.loaded(compile_kernel(tmp_path_factory.mktemp("kernel")))


@pytest.fixture(scope="module", params=[1, 3, 40])
def content(request: pytest.FixtureRequest) -> bytes:
    return ChurnModel.from_trees(random_trees(request.param), metadata()).to_bytes()


def _with(library: ctypes.CDLL | None, content: bytes, monkeypatch: pytest.MonkeyPatch) -> ChurnModel:
    monkeypatch.setattr(kernel, "library", lambda: library)
    model = read_model(content)
    assert isinstance(model, ChurnModel)
    # Built when they are asked for the first time.
    model.shapley(random_features(1))
    return model


def _features(missing: float) -> Floats:
    # More than the loops take through a tree at once.
    return random_features(300, seed=5, missing=missing)


@pytest.mark.parametrize("missing", [0.0, 0.3, 1.0])
def test_both_give_the_same_probabilities_and_reasons(
    content: bytes, compiled: ctypes.CDLL, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_numpy, by_c = _with(None, content, monkeypatch), _with(compiled, content, monkeypatch)
    features = _features(missing)
    assert np.abs(by_c.raw(features) - by_numpy.raw(features)).max() < 1e-14
    assert np.abs(by_c.shapley(features) - by_numpy.shapley(features)).max() < 1e-13
    surplus = by_c.raw(features) - by_c.shapley(features).sum(axis=1)
    assert np.ptp(surplus) < 1e-13


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 8, 11, 12, 33, 256, 257, 300])
def test_a_row_s_answer_does_not_depend_on_the_others(
    content: bytes, compiled: ctypes.CDLL, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _with(compiled, content, monkeypatch)
    features = _features(0.2)[:rows]
    one_by_one = np.vstack([model.shapley(row[None]) for row in features])
    assert np.abs(model.shapley(features) - one_by_one).max() < 1e-14
    assert (model.raw(features) == np.concatenate([model.raw(row[None]) for row in features])).all()


def test_confidence_is_that_of_numpy(content: bytes, compiled: ctypes.CDLL, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [dict(zip(("total_orders", "days_since_last_order"), (float(n), 9.0 * n), strict=True)) for n in range(20)]
    by_numpy, by_c = _with(None, content, monkeypatch), _with(compiled, content, monkeypatch)
    for mine, theirs in zip(by_c.estimate(rows), by_numpy.estimate(rows), strict=True):
        assert mine.confidence == pytest.approx(theirs.confidence, abs=1e-7)


@pytest.mark.parametrize(("machine", "code"), [("x86_64", 62), ("aarch64", 183)])
def test_it_is_compiled_for_both_architectures_of_lambda(machine: str, code: int, tmp_path: Path) -> None:
    header = compile_kernel(tmp_path, machine).read_bytes()[:20]
    assert (header[:4], int.from_bytes(header[18:20], "little")) == (b"\x7fELF", code)


def test_a_library_that_is_newer_than_its_sources_stays(tmp_path: Path) -> None:
    library = compile_kernel(tmp_path, "x86_64")
    before = library.stat().st_mtime_ns
    assert compile_kernel(tmp_path, "x86_64").stat().st_mtime_ns == before


def test_a_machine_without_the_library_has_numpy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(kernel.__file__, tmp_path)
    monkeypatch.setattr(kernel, "__file__", str(tmp_path / "kernel.py"))
    kernel.library.cache_clear()
    try:
        assert kernel.library() is None
    finally:
        kernel.library.cache_clear()
