"""The port for posting to open WebSockets and closing them, and its adapter for API Gateway's ``@connections``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from churn.adapters import aws_clients
from churn.domain.errors import ChurnError, NotFoundError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

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

    A post is tried once: one that timed out may have arrived, and another try is for the caller to decide.
    """

    def __init__(self, endpoint: str) -> None:
        """`endpoint`: the stage's address, empty where none can be reached; every connection is gone then."""
        self._client: ApiGatewayManagementApiClient | None = None
        if endpoint:
            self._client = aws_clients.client(
                "apigatewaymanagementapi",
                endpoint_url=endpoint,
                connect_timeout=1,
                read_timeout=POST_TIMEOUT_SECONDS,
                attempts=1,
                connections=POSTERS,
            )

    def post(self, connection_id: str, message: bytes) -> None:
        """Send one message. Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError."""
        self._call(lambda client: client.post_to_connection(ConnectionId=connection_id, Data=message))

    def close(self, connection_id: str) -> None:
        """Close a connection. Raises ConnectionGoneError, MessageRefusedError, PushUnavailableError."""
        self._call(lambda client: client.delete_connection(ConnectionId=connection_id))

    def _call(self, call: Callable[[ApiGatewayManagementApiClient], object]) -> None:
        if self._client is None:
            raise ConnectionGoneError
        try:
            call(self._client)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            # 400: the id does not look like a connection's.
            if status in {400, 404, 410}:
                raise ConnectionGoneError from error
            if status == 429:
                raise PushUnavailableError(_THROTTLED_PAUSE) from error
            if status < 500:
                raise MessageRefusedError(str(error)) from error
            raise PushUnavailableError(_THROTTLED_PAUSE) from error
        except ReadTimeoutError as error:
            raise PushUnavailableError(_SLOW_PAUSE) from error
        except BotoCoreError as error:
            raise PushUnavailableError(_THROTTLED_PAUSE) from error
