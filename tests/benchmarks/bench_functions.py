"""Warm functions, called in this process with API Gateway's events: what their code takes, and nothing else.

Predictions of features ask no database: their time is the processor's. Other answers wait for theirs: it is a clock's.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from typing import Any
from unittest.mock import patch

from churn.domain.features import FEATURE_NAMES
from churn.observability import logger
from churn.settings import settings
from tests.benchmarks.frame import SIZES, Bench, Row, in_turns, scaled
from tests.benchmarks.rival import rival
from tests.support.forests import random_features
from tests.support.large_shop import ERASURE_KEY
from tests.support.rest import Context, ask, load

SHOPS = (SIZES[0],)
_ROWS = 1000
_SHARES = frozenset({"email_engagement", "discount_usage"})


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what predictions, a page and the health take."""
    os.environ.update(
        DATABASE_URL=bench.urls[SIZES[0]], MODEL_PATH=bench.model_path, SCORING_FUNCTION="scoring",
        ERASURE_KEY=ERASURE_KEY,
    )  # fmt: skip
    settings.cache_clear()
    customers = [
        dict(zip(FEATURE_NAMES, map(abs, row), strict=True)) for row in random_features(_ROWS, missing=0).tolist()
    ]
    # Metrics are lines of the standard output.
    with patch.object(logger, "info"), redirect_stdout(io.StringIO()):
        prediction = load("prediction").app
        asked = [_event(prediction, "/api/churn/predict", _whole(one)) for one in customers[:200]]
        client = rival().test_client()
        works: list[Callable[[int], object]] = [
            lambda number: _called(prediction, asked[number % len(asked)]),
            lambda number: client.post("/predict", json=customers[number % len(asked)]),
        ]
        own, flask = (scaled(spread, 1000) for spread in in_turns(works, 200))
        yield Row(
            "POST /api/churn/predict, in the function", "ms", own, "Flask, scikit-learn", flask, at_most=1, times=20
        )
        body = {"customers": [{"customer_id": f"X-{n}", **_whole(one)} for n, one in enumerate(customers)]}
        batch = _event(prediction, "/api/churn/predict/batch", body)
        (spread,) = in_turns([lambda _: _called(prediction, batch)], 3)
        yield Row(f"predict/batch of {_ROWS:,} with reasons", "ms", scaled(spread, 1000), at_most=100)
        for function, path, at_most in (
            ("health", "/health", 10), ("customers", "/api/customers?limit=100", 15),
            ("stats", "/api/dashboard/stats", None),
        ):  # fmt: skip
            app = load(function).app
            event = _event(app, path)
            (spread,) = in_turns([partial(_again, app, event)], 50, time.perf_counter)
            yield Row(f"GET {path}, in the function", "ms", scaled(spread, 1000), at_most=at_most)


def _whole(features: dict[str, float]) -> dict[str, Any]:
    """Return features as clients send them: numbers of orders and the like are whole."""
    return {name: round(value, 3) if name in _SHARES else int(value) for name, value in features.items()}


def _event(app: Callable[..., Any], path: str, body: object = None) -> dict[str, Any]:
    """Return the event of a request, of which the answer is as it should be."""
    caught: list[dict[str, Any]] = []

    def catching(event: dict[str, Any], context: Any) -> dict[str, Any]:
        caught.append(event)
        answer: dict[str, Any] = app(event, context)
        return answer

    answer = ask(catching, "POST" if body else "GET", path, body)
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.text[:300]}")
    return caught[0]


def _called(app: Callable[..., Any], event: dict[str, Any]) -> None:
    answer = app(event, Context())
    if answer["statusCode"] != 200:
        raise RuntimeError(f"{event['path']}: {answer['body'][:300]}")


def _again(app: Callable[..., Any], event: dict[str, Any], _: int) -> None:
    _called(app, event)
