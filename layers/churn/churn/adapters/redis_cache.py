"""Redis: cached answers and rate limits. Its content may be lost, and nothing waits for it.

After a failure the server is not asked for a few seconds; until then every answer is computed and every request is
allowed.
"""

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from churn.adapters import secrets_manager
from churn.adapters.secrets_manager import SecretUnavailableError
from churn.observability import logger

if TYPE_CHECKING:
    import redis

TIMEOUT_SECONDS = 0.25
REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Window:
    """A client's count of one kind in the current window; `remaining` is below 0 when it is over the limit."""

    name: str
    limit: int
    remaining: int
    resets_at: int


class Cache:
    """A Redis server, named by its URL; without a URL nothing is cached.

    With ``?secret=ARN`` the password is that secret of Secrets Manager.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._rest_until = 0.0
        self._client: redis.Redis | None = None

    def get_or_make[T](self, key: str, seconds: float, make: Callable[[], T]) -> T:
        """Return the JSON value cached under the key, else that of `make`, which is then cached for so long."""
        kept = self._ask(lambda server: server.get(key))
        if kept is not None:
            try:
                cached: T = json.loads(kept)
            except ValueError:
                # Not written by this service, or cut short: as good as nothing.
                logger.warning("a cached value cannot be read", extra={"key": key})
            else:
                return cached
        value = make()
        self._ask(lambda server: server.set(key, json.dumps(value), px=round(seconds * 1000)))
        return value

    def count(self, client: str, limits: Mapping[str, int], at: float, seconds: int, cost: int = 1) -> list[Window]:
        """Count what a client asks for against each limit in the window of `at`; return nothing without a server.

        It takes one round trip, whatever the number of limits.
        """
        number = int(at // seconds)
        # A subject may be an e-mail address: its digest is enough to count by.
        digest = hashlib.sha256(client.encode()).hexdigest()[:32]

        def ask(server: "redis.Redis") -> Any:
            pipeline = server.pipeline(transaction=False)
            for name in limits:
                key = f"rate:{name}:{digest}:{number}"
                pipeline.incr(key, cost)
                pipeline.expire(key, 2 * seconds)
            return pipeline.execute()

        counts = self._ask(ask)
        if counts is None:
            return []
        return [
            Window(name, limit, limit - int(used), (number + 1) * seconds)
            for (name, limit), used in zip(limits.items(), counts[::2], strict=True)
        ]

    def ping(self) -> bool:
        """Return whether the server answers now, even shortly after a failure."""
        self._rest_until = 0.0
        return bool(self._ask(lambda server: server.ping()))

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.close()

    def _ask(self, question: "Callable[[redis.Redis], Any]") -> Any:
        if not self._url or self._clock() < self._rest_until:
            return None
        # Importing it takes a quarter of a second, which a process without a cache need not pay.
        import redis  # noqa: PLC0415

        try:
            if self._client is None:
                self._client = self._connect()
            return question(self._client)
        except (redis.RedisError, OSError, ValueError, SecretUnavailableError) as error:
            logger.warning("the cache does not answer", extra={"reason": type(error).__name__})
            self._rest_until = self._clock() + REST_SECONDS
            self.close()
            return None

    def _connect(self) -> "redis.Redis":
        import redis  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        return redis.Redis.from_url(
            self._address(),
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )

    def _address(self) -> str:
        parts = urlsplit(self._url)
        secret = parse_qs(parts.query).get("secret", [""])[0]
        if not secret:
            return self._url
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f":{quote(secrets_manager.resolve(secret), safe='')}@{host}", query="").geturl()
