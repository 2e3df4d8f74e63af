"""The doors of the local stack that are for programs alone: Lambda's API, the emulated AWS services, `@connections`.

They listen on the loopback address. Yet a page in a browser on this machine can send requests there, also under a
name of its own that leads to this address. A browser tells that: by the name, the page's origin, or whence it fetches.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]", "host.docker.internal"})
_OF_BROWSERS = ("Origin", "Sec-Fetch-Site")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a request was sent to another name than this machine's, or by a page in a browser."""
    host = headers.get("Host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    is_own = name in _OWN_NAMES or name.endswith(".localhost")
    return not is_own or any(header in headers for header in _OF_BROWSERS)


@web.middleware
async def programs_alone(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Refuse what a page in a browser may have sent."""
    return _refusal() if is_foreign(request.headers) else await handler(request)


def refused(request: web.Request) -> web.Response | None:
    """Return the refusal of what a page in a browser may have sent; None for what may go on."""
    return _refusal() if is_foreign(request.headers) else None


def guarded(application: Application) -> Application:
    """Return a WSGI application that refuses what a page in a browser may have sent."""

    def guard(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        sent = {name: environ.get("HTTP_" + name.upper().replace("-", "_")) for name in ("Host", *_OF_BROWSERS)}
        if is_foreign({name: value for name, value in sent.items() if value is not None}):
            start_response("403 Forbidden", [("Content-Type", "text/plain")])
            return [b"This address is for programs on this machine.\n"]
        return application(environ, start_response)

    return guard


def _refusal() -> web.Response:
    return web.Response(status=403, text="This address is for programs on this machine.\n")
