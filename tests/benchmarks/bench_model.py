"""The model alone, beside scikit-learn, onnxruntime and the C of `shap` with the same forest, one thread each.

Varied rows, in time of the processor. The columns are ready for everybody, and what deriving them takes is told apart.
onnxruntime takes part where the group `bench` is installed, as `make bench` does.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import shap

from churn.domain.features import FEATURE_NAMES
from churn.ml import kernel
from churn.ml.arrays import Floats
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from tests.benchmarks.frame import Bench, Row, Spread, in_turns, scaled
from tests.support.forests import blend_of, fitted_forest, metadata, random_features, trees_of

_BATCH = 10_000
_EXPLAINED = 1000
_EXPLAINED_ONCE = 0.82
"""Milliseconds that the reasons of a row of 1,000 took before they were compiled."""
type Peers = dict[str, Callable[[Floats], object]]


def measure(_: Bench) -> Iterator[Row]:
    """Yield what probabilities and reasons cost."""
    features = random_features(_BATCH, seed=9)
    # Of the features alone, so that no columns have to be derived.
    plain = fitted_forest(trees=200, rows=12_000, with_derived=False)
    peers: Peers = {"scikit-learn": plain.predict_proba}
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("skl2onnx"):
        peers["onnxruntime"] = _onnx(plain, features.shape[1])
    alone = ChurnModel.from_trees(trees_of(plain), metadata(with_derived=False))
    yield from _probabilities(alone, peers, features)
    model = ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata())
    (whole,) = in_turns([lambda number: model.raw(features[number : number + 1])], 500)
    yield Row("one probability, deriving its columns included", "µs", scaled(whole, 1e6))
    yield from _reasons(alone, plain, features)
    (explained,) = in_turns([lambda number: model.shapley(features[number : number + 1])], 500)
    yield Row("exact reasons of one row, deriving its columns included", "ms", scaled(explained, 1000))
    yield from _blends(features)
    content = model.to_bytes()
    (loading,) = in_turns([lambda _: read_model(content)], 7)
    yield Row(f"loading a model of {len(content) / 1e6:.1f} MB", "ms", scaled(loading, 1000))


def _onnx(forest: Any, width: int) -> Callable[[Floats], object]:
    import numpy as np  # noqa: PLC0415
    import onnxruntime  # noqa: PLC0415
    from skl2onnx import to_onnx  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = to_onnx(forest, np.zeros((1, width), np.float32), options={"zipmap": False}).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda columns: session.run(None, {name: columns.astype(np.float32)})


def _probabilities(model: ChurnModel, peers: Peers, features: Floats) -> Iterator[Row]:
    for what, size, rounds in (("one probability", 1, 200), (f"a probability of {_BATCH:,}", _BATCH, 5)):
        parts = [features[number : number + 1] for number in range(rounds)] if size == 1 else [features] * rounds
        # In turns, so that what else the machine does hits all.
        works = [partial(_asked, work, parts) for work in (model.raw, *peers.values())]
        own, *others = (scaled(spread, 1e6 / size) for spread in in_turns(works, rounds))
        goals = {"onnxruntime": 1.0 if size == 1 else 2.5, "scikit-learn": None if size == 1 else 4.0}
        for name, spread in zip(peers, others, strict=True):
            yield Row(f"{what}, the model alone", "µs", own, name, spread, times=goals[name])


def _asked(work: Callable[[Floats], object], parts: Sequence[Floats], number: int) -> object:
    return work(parts[number])


def _reasons(model: ChurnModel, forest: Any, features: Floats) -> Iterator[Row]:
    by_numpy = _by_numpy(model.to_bytes())
    explainer = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
    for what, size, rounds, times in (
        ("exact reasons of one row", 1, 100, 10), (f"exact reasons, a row of {_EXPLAINED:,}", _EXPLAINED, 3, 10),
    ):  # fmt: skip
        works: Sequence[Callable[[int], object]] = [
            lambda n, size=size: model.shapley(features[n : n + size]),  # type: ignore[misc]
            lambda n, size=size: by_numpy.shapley(features[n : n + size]),  # type: ignore[misc]
            lambda n, size=size: explainer.shap_values(features[n : n + size], check_additivity=False),  # type: ignore[misc]
        ]
        own, numpys, shaps = (scaled(spread, 1000 / size) for spread in in_turns(works, rounds))
        yield Row(what, "ms", own, "the C of shap", shaps, times=times)
        yield Row(what, "ms", own, "our loops in numpy", numpys)
    before = Spread(*[_EXPLAINED_ONCE] * 3)
    yield Row(f"exact reasons, a row of {_EXPLAINED:,}", "ms", own, "ours once (stored figure)", before, times=30)


def _by_numpy(content: bytes) -> ChurnModel:
    """Return the model without the compiled loops."""
    compiled, kernel.library = kernel.library, lambda: None  # type: ignore[assignment]
    try:
        model = read_model(content)
        assert isinstance(model, ChurnModel)
        # Built for the first row.
        model.shapley(random_features(1))
    finally:
        kernel.library = compiled
    return model


def _blends(features: Floats) -> Iterator[Row]:
    """Yield what a blend takes beside its forest alone."""
    forest = ChurnModel.from_trees(trees_of(fitted_forest(trees=200, rows=12_000)), metadata(with_state=True))
    blend = blend_of(forest, (0.3, 0.4, 0.3))
    rows = [{**dict(zip(FEATURE_NAMES, row, strict=True)), "purchase_days": row[0]} for row in features[:2000].tolist()]
    for what, one, other in (
        ("a score", forest.estimate, blend.estimate),
        ("a score with reasons", forest.predict, blend.predict),
    ):
        for size, rounds in ((1, 50), (len(rows), 3)):
            works = [lambda n, ask=ask, size=size: ask(rows[n : n + size]) for ask in (other, one)]
            own, alone = (scaled(spread, 1e6 / size) for spread in in_turns(works, rounds))
            yield Row(f"{what} of {size:,}, blend", "µs", own, "its forest alone", alone)
