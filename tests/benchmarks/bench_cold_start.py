"""Cold start of `prediction`, process start to first answer, against the same with scikit-learn: `make bench`.

Both run under the local stack's runtime, in turn. The rival imports scikit-learn and pandas and loads a joblib forest
before it does the very same.
"""

import asyncio
import json
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
from tests.support.forests import fitted_forest, metadata, trees_of

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


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        forest = fitted_forest(trees=200, rows=12_000)
        (folder / "model.npz").write_bytes(ChurnModel.from_trees(trees_of(forest), metadata()).to_bytes())
        joblib.dump(forest, folder / "forest.joblib")
        rival = folder / "rival"
        rival.mkdir()
        shutil.copy(_ROOT / "functions/prediction/app.py", rival / "prediction_app.py")
        (rival / "app.py").write_text(_RIVAL.format(forest=str(folder / "forest.joblib")))
        ours, theirs = asyncio.run(_measure(_ROOT / "functions/prediction", rival, folder / "model.npz"))
    for name, runs in (("prediction", ours), ("with scikit-learn", theirs)):
        seconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
        print(f"{name:<20}{seconds * 1000:8.0f} ms to the first answer {memory:8.0f} MB at most")
    print(f"{'ratio':<20}{_ratio(theirs, ours, 0):8.1f} x  {_ratio(ours, theirs, 1):24.2f} x")


async def _measure(ours: Path, rival: Path, model: Path) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    found: tuple[list[tuple[float, float]], list[tuple[float, float]]] = ([], [])
    for number in range(_RUNS + 1):
        for folder, runs in zip((ours, rival), found, strict=True):
            run = await _cold_start(folder, model)
            if number:  # The first run of each warms the page cache.
                runs.append(run)
    return found


async def _cold_start(folder: Path, model: Path) -> tuple[float, float]:
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
        return seconds, peak
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


def _ratio(above: list[tuple[float, float]], below: list[tuple[float, float]], column: int) -> float:
    return statistics.median(run[column] for run in above) / statistics.median(run[column] for run in below)


if __name__ == "__main__":
    main()
