"""The cache with a real server, and without one."""

import socket
import time
from collections.abc import Iterator

import pytest
import redis

from churn.adapters.redis_cache import REST_SECONDS, TIMEOUT_SECONDS, Cache
from infra.local.servers.databases import free_port
from tests.support.clock import FakeClock


@pytest.fixture
def cache(redis_url: str) -> Iterator[Cache]:
    cache = Cache(redis_url)
    yield cache
    cache.close()


@pytest.fixture
def silent_url() -> Iterator[str]:
    """Return a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_an_answer_is_made_once_and_then_kept(cache: Cache) -> None:
    made: list[int] = []

    def make() -> dict[str, int]:
        made.append(1)
        return {"number": len(made)}

    assert [cache.get_or_make("kept", 60, make) for _ in range(3)] == [{"number": 1}] * 3
    assert cache.get_or_make("other", 60, make) == {"number": 2}


@pytest.mark.parametrize("value", [b"", b"{", b"\xff\xfe", b"[1, 2"])
def test_a_value_that_cannot_be_read_is_made_again(cache: Cache, redis_url: str, value: bytes) -> None:
    with redis.Redis.from_url(redis_url) as server:
        server.set("poisoned", value)
    assert cache.get_or_make("poisoned", 60, lambda: {"number": 1}) == {"number": 1}
    assert cache.get_or_make("poisoned", 60, lambda: {"number": 2}) == {"number": 1}


def test_requests_are_counted_by_client_and_window(cache: Cache) -> None:
    remaining = [cache.count("sub:a", {"requests": 2}, 600.0, 60)[0].remaining for _ in range(4)]
    assert remaining == [1, 0, -1, -2]
    assert cache.count("sub:b", {"requests": 2}, 600.0, 60)[0].remaining == 1
    (next_minute,) = cache.count("sub:a", {"requests": 2}, 660.0, 60)
    assert (next_minute.remaining, next_minute.resets_at) == (1, 720)


def test_several_limits_are_counted_at_once(cache: Cache) -> None:
    windows = cache.count("sub:several", {"requests": 10, "predictions": 1}, 600.0, 60)
    assert [(window.name, window.limit, window.remaining) for window in windows] == [
        ("requests", 10, 9),
        ("predictions", 1, 0),
    ]


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:{free}/0"])
def test_without_a_server_everything_is_made_and_allowed(url: str) -> None:
    cache = Cache(url.format(free=free_port()))
    assert cache.get_or_make("key", 60, lambda: [1]) == [1]
    assert cache.count("sub:a", {"requests": 1}, 600.0, 60) == []
    assert not cache.ping()


def test_a_server_that_hangs_is_waited_for_once_and_then_left_alone(silent_url: str) -> None:
    clock = FakeClock(0.0)
    cache = Cache(silent_url, clock)
    started = time.monotonic()
    assert cache.count("sub:a", {"requests": 1}, 600.0, 60) == []
    assert time.monotonic() - started < 4 * TIMEOUT_SECONDS
    clock.now = REST_SECONDS - 0.1
    started = time.monotonic()
    for _ in range(100):
        assert cache.get_or_make("key", 60, lambda: 1) == 1
    assert time.monotonic() - started < TIMEOUT_SECONDS


def test_after_the_rest_the_server_is_asked_again(redis_url: str) -> None:
    clock = FakeClock(0.0)
    cache = Cache(f"redis://127.0.0.1:{free_port()}/0", clock)
    assert cache.count("sub:rest", {"requests": 5}, 600.0, 60) == []
    cache._url = redis_url
    assert cache.count("sub:rest", {"requests": 5}, 600.0, 60) == []
    clock.now = REST_SECONDS + 0.1
    assert cache.count("sub:rest", {"requests": 5}, 600.0, 60)[0].remaining == 4
    cache.close()
