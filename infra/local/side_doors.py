"""The doors of the local stack that are for programs alone: Lambda's API, the emulated AWS services, `@connections`.

They listen on the loopback address. Yet a page in a browser on this machine can send requests there, also under a
name of its own that leads to this address. A browser tells that: by the name, the page's origin, or whence it fetches.
What else runs on this machine does not know the key, which each start makes anew. AWS's clients send it as the id of
their access key, others as the password of HTTP's basic authentication.
"""

import base64
import hmac
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from aiohttp import web

from churn.entrypoints.http.headers import SECURITY_HEADERS

_OWN_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]", "host.docker.internal"})
_OF_BROWSERS = ("Origin", "Sec-Fetch-Site")
_FOREIGN = (403, "This address is for programs on this machine.\n")
_UNKNOWN = (401, "This address wants the key of this start: door_key in endpoints.json.\n")
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/")

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_foreign(headers: Mapping[str, str]) -> bool:
    """Return whether a request was sent to another name than this machine's, or by a page in a browser."""
    host = headers.get("Host", "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    is_own = name in _OWN_NAMES or name.endswith(".localhost")
    return not is_own or any(header in headers for header in _OF_BROWSERS)


def basic(key: str) -> str:
    """Return the header `Authorization` of a client that is none of AWS's."""
    return "Basic " + base64.b64encode(f"local:{key}".encode()).decode()


def with_key(url: str, key: str) -> str:
    """Return an address in which clients find the key, as curl and Prometheus do."""
    return url.replace("://", f"://local:{key}@", 1)


def aws_credentials(key: str) -> dict[str, str]:
    """Return the variables from which AWS's clients take the key; what they sign with is not looked at."""
    return {"AWS_ACCESS_KEY_ID": key or "none", "AWS_SECRET_ACCESS_KEY": "local"}


def knows(authorization: str, key: str) -> bool:
    """Return whether the header `Authorization` of a request has the key."""
    signed = _SIGNED.match(authorization)
    given, expected = (signed[1], key) if signed else (authorization, basic(key))
    return bool(key) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _refusal(headers: Mapping[str, str], key: str) -> tuple[int, str] | None:
    if is_foreign(headers):
        return _FOREIGN
    return None if knows(headers.get("Authorization", ""), key) else _UNKNOWN


def refused(request: web.Request, key: str) -> web.Response | None:
    """Return the refusal of what a page in a browser may have sent or who has no key; None for what may go on."""
    refusal = _refusal(request.headers, key)
    return None if refusal is None else web.Response(status=refusal[0], text=refusal[1], headers=SECURITY_HEADERS)


def keyed(key: str) -> Any:
    """Return a middleware for an application that is only for programs with the key."""

    @web.middleware
    async def programs_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = refused(request, key) or await handler(request)
        response.headers.update(SECURITY_HEADERS)
        return response

    return programs_alone


@web.middleware
async def no_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what a page in a browser may have sent."""
    if is_foreign(request.headers):
        return web.Response(status=_FOREIGN[0], text=_FOREIGN[1])
    return await handler(request)


def guarded(application: Application, key: str) -> Application:
    """Return a WSGI application that is only for programs with the key."""

    def guard(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        names = ("Host", "Authorization", *_OF_BROWSERS)
        sent = {name: environ.get("HTTP_" + name.upper().replace("-", "_")) for name in names}
        refusal = _refusal({name: value for name, value in sent.items() if value is not None}, key)

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, *SECURITY_HEADERS.items()], *more)

        if refusal is not None:
            reason = {403: "Forbidden", 401: "Unauthorized"}[refusal[0]]
            start(f"{refusal[0]} {reason}", [("Content-Type", "text/plain")])
            return [refusal[1].encode()]
        return application(environ, start)

    return guard
