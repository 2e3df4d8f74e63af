"""A registry of models that hangs or fails while somebody waits for an answer."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from churn.adapters.aws_clients import client
from churn.adapters.breaker import PROBE_EVERY_SECONDS, Breaker
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model_versions import RegistryUnavailableError, VersionNotFoundError
from tests.support.clock import FakeClock
from tests.support.registry import BUCKET, model, publish
from tests.support.silent import SilentServer


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[SilentServer]:
    server = SilentServer()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.port}")
    client.cache_clear()
    yield server
    server.close()
    client.cache_clear()


def test_a_registry_that_hangs_costs_one_request_two_seconds_and_others_nothing(silent: SilentServer) -> None:
    clock = FakeClock(0.0)
    registry = S3ModelRegistry.for_requests(BUCKET, breaker=Breaker(clock))
    begun = time.perf_counter()
    with pytest.raises(RegistryUnavailableError):
        registry.versions()
    assert time.perf_counter() - begun < 2 * 2
    assert silent.taken == 1
    for ask in (registry.versions, registry.promotion_state, lambda: registry.load("v1")):
        with pytest.raises(RegistryUnavailableError, match="a moment ago"):
            ask()
    assert silent.taken == 1
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(RegistryUnavailableError, match="imeout"):
        registry.promotion_state()
    with pytest.raises(RegistryUnavailableError, match="a moment ago"):
        registry.promotion_state()


def test_an_answer_of_any_kind_lets_the_others_in_again(s3: Any) -> None:
    clock = FakeClock(0.0)
    breaker = Breaker(clock)
    registry = S3ModelRegistry.for_requests(BUCKET, s3, breaker=breaker)
    publish(registry, model(1))
    breaker.open()
    clock.now += PROBE_EVERY_SECONDS
    with pytest.raises(VersionNotFoundError):
        registry.load("no-such-version")
    assert registry.versions() == [model(1).version]


class _CutShort:
    """An S3 whose objects break off while they are read."""

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"ContentLength": 10, "ETag": "e", "Body": self}

    def read(self) -> bytes:
        raise ReadTimeoutError(endpoint_url="s3")


def test_an_object_that_breaks_off_is_a_registry_that_does_not_answer() -> None:
    registry = S3ModelRegistry.for_requests(BUCKET, _CutShort(), breaker=Breaker(FakeClock(0.0)))
    with pytest.raises(RegistryUnavailableError, match="Read timeout"):
        registry.load("v1")
    with pytest.raises(RegistryUnavailableError, match="a moment ago"):
        registry.load("v1")
