"""The functions with what they depend on well, gone and hanging."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.breaker import PROBE_EVERY_SECONDS
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.services.health import HealthChecks
from churn.settings import Settings, settings
from infra.local.servers.databases import free_port
from tests.support import eventually
from tests.support.clock import FakeClock
from tests.support.events import NOW
from tests.support.forests import small_model
from tests.support.registry import BUCKET, bucket, model, promote, publish, tamper
from tests.support.rest import ask, load
from tests.support.silent import SilentServer

Start = Callable[..., ModuleType]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Import a function under settings of the test's own."""

    def start(function: str, **variables: str) -> ModuleType:
        for name in ("DATABASE_URL", "REDIS_URL", "MODEL_BUCKET"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        settings.cache_clear()
        return load(function)

    yield start
    settings.cache_clear()


@pytest.fixture
def model_path(tmp_path: Path) -> str:
    """Return a model's file."""
    path = tmp_path / "model.npz"
    path.write_bytes(small_model().to_bytes())
    return str(path)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.usefixtures("database")
def test_all_is_well(start: Start, mysql_url: str, redis_url: str, model_path: str) -> None:
    function = start("health", DATABASE_URL=mysql_url, REDIS_URL=redis_url, MODEL_PATH=model_path)
    answer = ask(function.app, "GET", "/health", role=None)
    assert (answer.status, answer.json["status"], answer.json["model_loaded"]) == (200, "healthy", True)
    assert answer.json["model_version"] == small_model().version
    head = ask(function.app, "HEAD", "/health", role=None)
    assert head.status == 200
    assert int(answer.headers["X-RateLimit-Limit"]) == 100
    function._cache.close()


@pytest.mark.usefixtures("database")
def test_without_a_cache_it_is_degraded(start: Start, mysql_url: str, model_path: str) -> None:
    redis_url = f"redis://127.0.0.1:{free_port()}/0"
    function = start("health", DATABASE_URL=mysql_url, REDIS_URL=redis_url, MODEL_PATH=model_path)
    answer = ask(function.app, "GET", "/health", role=None)
    assert (answer.status, answer.json["status"]) == (200, "degraded")
    assert answer.json["checks"]["cache"]["status"] == "down"


def test_without_a_model_it_is_unhealthy(start: Start, mysql_url: str, redis_url: str, tmp_path: Path) -> None:
    function = start("health", DATABASE_URL=mysql_url, REDIS_URL=redis_url, MODEL_PATH=str(tmp_path / "none.npz"))
    answer = ask(function.app, "GET", "/health", role=None)
    assert (answer.status, answer.json["status"], answer.json["model_loaded"]) == (503, "unhealthy", False)
    function._cache.close()


@pytest.mark.usefixtures("database")
def test_a_promoted_version_that_is_refused_is_told_and_the_old_one_serves(
    start: Start, mysql_url: str, redis_url: str, model_path: str
) -> None:
    first, second = model(1), model(2, compared_with=model(1))
    with bucket() as s3:
        registry = S3ModelRegistry(BUCKET, s3)
        publish(registry, first, second)
        function = start(
            "health", DATABASE_URL=mysql_url, REDIS_URL=redis_url, MODEL_PATH=model_path, MODEL_BUCKET=BUCKET
        )

        def health() -> Any:
            return ask(function.app, "GET", "/health", role=None).json

        assert health()["checks"]["model"]["detail"] == "no version is promoted"
        promote(registry, first)
        assert health()["status"] == "healthy"
        promote(registry, second)
        tamper(s3, second)
        refused = eventually(lambda: (told := health())["status"] == "degraded" and told)
        assert refused["model_version"] == first.version
        assert "checksum" in refused["checks"]["model"]["detail"]
        registry.roll_back(by="bob", reason=None, now=NOW)
        assert health()["status"] == "healthy"
    function._cache.close()


@pytest.mark.usefixtures("database")
def test_functions_tell_which_model_they_hold(start: Start, mysql_url: str, redis_url: str, model_path: str) -> None:
    variables = {"DATABASE_URL": mysql_url, "REDIS_URL": redis_url, "MODEL_PATH": model_path}
    prediction = start("prediction", **variables)
    # Its first requests are spared the report, so it is due later than now.
    prediction._api._reporter._due_at = 0.0
    assert ask(prediction.app, "POST", "/api/churn/predict", {"total_orders": 3}).status == 200
    health = start("health", **variables)
    held = ask(health.app, "GET", "/health", role=None).json["checks"]["model"]["held"]
    assert held == {"prediction": small_model().version}
    health._cache.close()


def test_it_answers_when_everything_hangs(start: Start, silent_port: int, model_path: str) -> None:
    where = f"127.0.0.1:{silent_port}"
    function = start(
        "health", DATABASE_URL=f"mysql://root@{where}/churn", REDIS_URL=f"redis://{where}/0", MODEL_PATH=model_path
    )
    started = time.monotonic()
    answer = ask(function.app, "GET", "/health", role=None)
    # Three seconds, and what a busy machine takes besides; the gateway waits for 29.
    assert time.monotonic() - started < 15
    assert (answer.status, answer.json["status"], answer.headers["Retry-After"]) == (503, "unhealthy", "5")
    assert answer.json["checks"]["database"]["status"] == "down"


def test_a_check_that_hangs_is_told_at_once_until_it_is_tried_again(model_path: str) -> None:
    clock, database = FakeClock(0.0), SilentServer()
    environment = {"DATABASE_URL": f"mysql://root@127.0.0.1:{database.port}/churn", "MODEL_PATH": model_path}
    checks = HealthChecks(Settings.from_environment(environment), clock)
    first = checks.health(NOW)["checks"]["reads"]
    assert first["status"] == "down"
    asked = database.taken
    assert asked > 0
    assert checks.health(NOW)["checks"]["reads"] == first
    assert database.taken == asked
    clock.now += PROBE_EVERY_SECONDS
    assert checks.health(NOW)["checks"]["reads"]["status"] == "down"
    assert database.taken > asked
    database.close()


@pytest.mark.parametrize(
    ("function", "path"),
    [("customers", "/api/customers"), ("alerts", "/api/alerts"), ("stats", "/api/dashboard/stats")],
)
def test_without_a_database_it_is_a_503_that_says_when_to_try_again(start: Start, function: str, path: str) -> None:
    url = f"mysql://root@127.0.0.1:{free_port()}/churn"
    own = {"DATABASE_URL": url, "JWT_SECRET": "s" * 32, "SCORING_FUNCTION": "scoring"}
    answer = ask(start(function, **own).app, "GET", path)
    assert (answer.status, answer.headers["Retry-After"], answer.json["code"]) == (503, "5", 503)


@pytest.mark.slow
def test_a_database_that_hangs_is_a_503_before_the_gateway_gives_up(start: Start, silent_port: int) -> None:
    url = f"mysql://root@127.0.0.1:{silent_port}/churn"
    started = time.monotonic()
    assert ask(start("customers", DATABASE_URL=url).app, "GET", "/api/customers").status == 503
    assert time.monotonic() - started < 25


def test_features_are_predicted_without_database_and_cache(start: Start, model_path: str) -> None:
    where = f"127.0.0.1:{free_port()}"
    function = start(
        "prediction", DATABASE_URL=f"mysql://root@{where}/churn", REDIS_URL=f"redis://{where}/0", MODEL_PATH=model_path
    )
    answer = ask(function.app, "POST", "/api/churn/predict", {"days_since_last_order": 75, "total_orders": 3})
    assert (answer.status, answer.json["model_version"]) == (200, small_model().version)
    assert ask(function.app, "POST", "/api/churn/predict", {"customer_id": "CUST-001"}).status == 503
