"""Cold start, process start to first answer, against `prediction` with scikit-learn, pandas and joblib.

A blend, a forest alone, functions without a model and the rival run under the local stack's runtime, in turn. The rival
imports scikit-learn and pandas and loads a joblib forest before it does the very same. Time is that of the processor,
and of a clock beside it.
"""

import asyncio
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib

from churn.domain.features import FEATURE_NAMES
from churn.ml.random_forest import ChurnModel
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import FunctionSpec
from tests.benchmarks.frame import SIZES, Bench, Row, Spread, scaled
from tests.support.forests import blend_of, fitted_forest, metadata, trees_of
from tests.support.large_shop import ERASURE_KEY

_ROOT = Path(__file__).parents[2]
SHOPS = (SIZES[0],)
_RUNS = 5
_RIVAL = """
import joblib
import pandas
import sklearn.ensemble
forest = joblib.load({forest!r})
from prediction_app import app
"""
_PATH = "/api/churn/predict"
_OTHERS = {
    "customers": "/api/customers", "alerts": "/api/alerts", "stats": "/api/dashboard/stats",
}  # fmt: skip
_THEIRS = "with scikit-learn, pandas, joblib"


type Run = tuple[float, float, float]
"""Seconds of the processor and of a clock to the first answer, and the most memory in MB."""
type Contestant = tuple[Path, Path, str]
"""A function's folder, a model's file, and the path that is asked for."""


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what a cold start takes, beside the rival's."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fitted = fitted_forest(trees=200, rows=12_000)
        forest = ChurnModel.from_trees(trees_of(fitted), metadata(with_state=True))
        (folder / "forest.npz").write_bytes(forest.to_bytes())
        (folder / "blend.npz").write_bytes(blend_of(forest, (0.3, 0.4, 0.3)).to_bytes())
        joblib.dump(fitted, folder / "forest.joblib")
        rival, own = folder / "rival", _ROOT / "functions/prediction"
        rival.mkdir()
        shutil.copy(own / "app.py", rival / "prediction_app.py")
        (rival / "app.py").write_text(_RIVAL.format(forest=str(folder / "forest.joblib")))
        contestants: dict[str, Contestant] = {
            "prediction, a blend": (own, folder / "blend.npz", _PATH),
            "prediction, a forest alone": (own, folder / "forest.npz", _PATH),
            **{name: (_ROOT / "functions" / name, folder / "forest.npz", path) for name, path in _OTHERS.items()},
            _THEIRS: (rival, folder / "forest.npz", _PATH),
        }
        found = asyncio.run(_measure(contestants, bench.urls[SIZES[0]]))
    processor, clock, _ = _spreads(found[_THEIRS])
    for name in contestants.keys() - {_THEIRS}:
        times = 8 if name.startswith("prediction") else 12
        used, took, memory = _spreads(found[name])
        what = f"cold start of {name}"
        yield Row(f"{what}, processor", "ms", scaled(used, 1000), _THEIRS, scaled(processor, 1000), times=times)
        yield Row(f"{what}, by the clock", "ms", scaled(took, 1000), _THEIRS, scaled(clock, 1000))
        yield Row(f"{what}, memory at most", "MB", memory, at_most=80)


def _spreads(runs: list[Run]) -> list[Spread]:
    return [Spread.of(column) for column in zip(*runs, strict=True)]


async def _measure(contestants: dict[str, Contestant], database_url: str) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in contestants}
    for number in range(_RUNS + 1):
        for name, contestant in contestants.items():
            run = await _cold_start(contestant, database_url)
            if number:  # The first run of each warms the page cache.
                found[name].append(run)
    return found


async def _cold_start(contestant: Contestant, database_url: str) -> Run:
    folder, model, path = contestant
    spec = FunctionSpec(
        name="prediction",
        label="prediction",
        handler="app.app",
        folder=folder,
        layers=(_ROOT / "layers/churn",),
        memory_mb=2048,
        timeout=30,
        environment={
            "MODEL_PATH": str(model),
            "JWT_SECRET": "0" * 32,
            "ERASURE_KEY": ERASURE_KEY,
            "DATABASE_URL": database_url,
            "SCORING_FUNCTION": "scoring",
        },
        reserved_concurrency=None,
    )
    pool = FunctionPool(spec, {}, "eu-central-1", 1, lambda source, line: None)  # noqa: ARG005
    try:
        start = time.perf_counter()
        result = await pool.invoke(json.dumps(_event(path)).encode())
        seconds = time.perf_counter() - start
        answer = json.loads(result.payload)
        if result.error or answer.get("statusCode") != 200:
            raise RuntimeError(f"no answer: {result.payload.decode()}")
        (pid,) = pool.pids
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), seconds, peak
    finally:
        await pool.stop()


def _event(path: str) -> dict[str, Any]:
    features = dict.fromkeys(FEATURE_NAMES, 1) | {"email_engagement": 0.5, "discount_usage": 0.5}
    return {
        "resource": path,
        "path": path,
        "httpMethod": "POST" if path == _PATH else "GET",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": path,
            "httpMethod": "POST" if path == _PATH else "GET",
            "path": path,
            "requestId": "cold-start",
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {"sub": "bench", "role": "admin", "exp": "99999999999"},
            "requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000),
        },
        "body": json.dumps(features) if path == _PATH else None,
        "isBase64Encoded": False,
    }
