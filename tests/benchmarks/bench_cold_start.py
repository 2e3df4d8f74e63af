"""Cold start of `prediction`, process start to first answer, against the same with scikit-learn: `make bench`.

A blend, a forest alone and a rival run under the local stack's runtime, in turn. The rival imports scikit-learn and
pandas and loads a joblib forest before it does the very same. Time is that of the processor, and of a clock beside it.
"""

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import joblib

from churn.domain.features import FEATURE_NAMES
from churn.ml.random_forest import ChurnModel
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import FunctionSpec
from tests.support.forests import blend_of, fitted_forest, metadata, trees_of

_ROOT = Path(__file__).parents[2]
_RUNS = 5
_RIVAL = """
import joblib
import pandas
import sklearn.ensemble
forest = joblib.load({forest!r})
from prediction_app import app
"""
_PATH = "/api/churn/predict"


type Run = tuple[float, float, float]
"""Seconds of the processor and of a clock to the first answer, and the most memory in MB."""


def main() -> None:
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
        contestants = {
            "blend": (own, folder / "blend.npz"),
            "forest alone": (own, folder / "forest.npz"),
            "with scikit-learn": (rival, folder / "forest.npz"),
        }
        found = asyncio.run(_measure(contestants))
    for name, runs in found.items():
        cpu, clock, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:<20}{cpu * 1000:8.0f} ms of the processor {clock * 1000:8.0f} ms {memory:8.0f} MB at most")


async def _measure(contestants: dict[str, tuple[Path, Path]]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = {name: [] for name in contestants}
    for number in range(_RUNS + 1):
        for name, (folder, model) in contestants.items():
            run = await _cold_start(folder, model)
            if number:  # The first run of each warms the page cache.
                found[name].append(run)
    return found


async def _cold_start(folder: Path, model: Path) -> Run:
    spec = FunctionSpec(
        name="prediction",
        label="prediction",
        handler="app.app",
        folder=folder,
        layers=(_ROOT / "layers/churn",),
        memory_mb=2048,
        timeout=30,
        environment={"MODEL_PATH": str(model), "JWT_SECRET": "0" * 32},
        reserved_concurrency=None,
    )
    pool = FunctionPool(spec, {}, "eu-central-1", 1, lambda source, line: None)  # noqa: ARG005
    try:
        start = time.perf_counter()
        result = await pool.invoke(json.dumps(_event()).encode())
        seconds = time.perf_counter() - start
        answer = json.loads(result.payload)
        if result.error or answer.get("statusCode") != 200:
            raise SystemExit(f"no answer: {result.payload.decode()}")
        (pid,) = pool.pids
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
        user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), seconds, peak
    finally:
        await pool.stop()


def _event() -> dict[str, Any]:
    features = dict.fromkeys(FEATURE_NAMES, 1) | {"email_engagement": 0.5, "discount_usage": 0.5}
    return {
        "resource": _PATH,
        "path": _PATH,
        "httpMethod": "POST",
        "headers": {"Content-Type": "application/json"},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "resourcePath": _PATH,
            "httpMethod": "POST",
            "path": _PATH,
            "requestId": "cold-start",
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": {"sub": "bench", "role": "predict", "exp": "99999999999"},
            "requestTimeEpoch": int(datetime.now(UTC).timestamp() * 1000),
        },
        "body": json.dumps(features),
        "isBase64Encoded": False,
    }


if __name__ == "__main__":
    main()
