"""What the server itself answers before a request comes to one of the APIs: problem documents, as everything else."""

from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from churn.entrypoints.http.headers import SECURITY_HEADERS
from churn.entrypoints.http.problems import CONTENT_TYPE, ProblemError

# Of the request line and of each header: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
LINE_BYTES = 10_240
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
"""The methods that a REST API can have."""
_NO_REQUEST = f"This is no request of HTTP/1.1, or its first line or a header has more than {LINE_BYTES} bytes."


class EdgeRunner(web.AppRunner):
    """Serves an application; what is no request is answered by a problem document, and never logged."""

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app, access_log=None, shutdown_timeout=2.0, max_line_size=LINE_BYTES, max_field_size=LINE_BYTES
        )

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        handler = super().__call__()
        handler.__class__ = _RequestHandler
        return handler


class _RequestHandler(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer in the place of aiohttp, which quotes what it could not read, perhaps a token, also in the log."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            super().handle_error(request, status, exc, message)
        response = _problem(status, _NO_REQUEST if status < HTTPStatus.INTERNAL_SERVER_ERROR else "")
        response.force_close()
        return response


@web.middleware
async def as_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a method that no REST API has, such as TRACE; tell what the server refuses by itself as a problem.

    Every answer has the headers of security, of which a view may have set its own.
    """
    if request.method not in METHODS:
        return _problem(405, "There is no such method.", {"Allow": ", ".join(sorted(METHODS))})
    try:
        response = await handler(request)
    except web.HTTPClientError as refusal:
        return _problem(refusal.status, "")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def expectation(request: web.Request) -> web.StreamResponse | None:
    """Let a client that waits for it go on; refuse every other expectation."""
    if request.headers["Expect"].lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
    return _problem(417, "Only 100-continue can be expected.")


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    document: Any = ProblemError(status, detail or HTTPStatus(status).phrase).to_dict()
    return web.json_response(
        document, status=status, headers={**SECURITY_HEADERS, **(headers or {})}, content_type=CONTENT_TYPE
    )
