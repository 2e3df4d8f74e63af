"""The port for posting to open WebSockets and closing them, and its adapter for API Gateway's ``@connections``."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlsplit

from botocore.exceptions import BotoCoreError

from churn.adapters import aws_clients
from churn.domain.errors import ChurnError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool

MAX_MESSAGE_BYTES = 128 * 1024
POST_TIMEOUT_SECONDS = 2
POSTERS = 16
_THROTTLED_PAUSE = 0.25
# Each try costs the whole time-out. A sign of life from the socket ends its pause at once.
_SLOW_PAUSE = 20.0


class ConnectionGoneError(NotFoundError):
    """The connection does not exist, or not yet."""


class MessageRefusedError(ChurnError):
    """The gateway will never accept this message: it is too large, or posting is not allowed."""


class PushUnavailableError(UnavailableError):
    """The gateway throttles, or does not answer in time; try again after `pause` seconds."""

    def __init__(self, pause: float) -> None:
        super().__init__(f"not before {pause} s")
        self.pause = pause


class Push(Protocol):
    """A gateway to open sockets; `post` may be called from many threads at once."""

    def post(self, connection_id: str, message: bytes) -> None:
        """Send one message (UTF-8, at most `MAX_MESSAGE_BYTES`) to a connection.

        Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError.
        """

    def close(self, connection_id: str) -> None:
        """Close a connection. Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError."""


class ApiGatewayPush:
    """`Push` over the management API of an API Gateway WebSocket stage.

    A post is tried once: one that timed out may have arrived, and another try is for the caller to decide. The requests
    are AWS's own, signed by its library, whose client would take two and a half times as long for each.
    """

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: the stage's address, empty where none can be reached; every connection is gone then."""
        self._endpoint = endpoint.rstrip("/")

    @cached_property
    def _pool(self) -> HTTPConnectionPool:
        # Late, as few invocations post.
        from botocore.httpsession import get_cert_path  # noqa: PLC0415
        from urllib3 import Timeout, connection_from_url  # noqa: PLC0415

        verified = {"cert_reqs": "CERT_REQUIRED", "ca_certs": get_cert_path(True)}
        return connection_from_url(
            self._endpoint,
            maxsize=POSTERS,
            retries=False,
            timeout=Timeout(connect=1, read=POST_TIMEOUT_SECONDS),
            **verified if self._endpoint.startswith("https:") else {},
        )

    def post(self, connection_id: str, message: bytes) -> None:
        """Send one message. Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError."""
        self._call("POST", connection_id, message)

    def close(self, connection_id: str) -> None:
        """Close a connection. Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError."""
        self._call("DELETE", connection_id, b"")

    def _call(self, method: str, connection_id: str, content: bytes) -> None:
        from urllib3.exceptions import HTTPError, ReadTimeoutError  # noqa: PLC0415 (as in `_pool`)

        if not self._endpoint:
            raise ConnectionGoneError
        url = f"{self._endpoint}/@connections/{quote(connection_id, safe='')}"
        try:
            headers = aws_clients.signed_headers("execute-api", method, url, content)
            answer = self._pool.urlopen(method, urlsplit(url).path, content, headers, redirect=False)
        except ReadTimeoutError as error:
            raise PushUnavailableError(_SLOW_PAUSE) from error
        except (HTTPError, BotoCoreError) as error:
            raise PushUnavailableError(_THROTTLED_PAUSE) from error
        # 400: the id does not look like a connection's.
        if answer.status in {400, 404, 410}:
            raise ConnectionGoneError
        if answer.status == 429 or answer.status >= 500:
            raise PushUnavailableError(_THROTTLED_PAUSE)
        if answer.status >= 300:
            kind = answer.headers.get("x-amzn-ErrorType", "")
            raise MessageRefusedError(f"{answer.status} {kind}".rstrip())
