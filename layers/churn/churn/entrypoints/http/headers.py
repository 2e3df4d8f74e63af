"""The headers of every answer: what browsers may do with it, and which pages of other origins may read it (CORS)."""

from collections.abc import Iterable, Mapping

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer has, unless its view allows more."""

ANY_ORIGIN = "*"
_READABLE = (
    "ETag, Link, Location, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, X-Request-Id"
)
_ACCEPTED = "Authorization, Content-Type, If-Match"
_PREFLIGHT_SECONDS = 600


def sent(event: Mapping[str, object]) -> dict[str, str]:
    """Return the headers of a request by their names in lower case."""
    headers = event.get("headers")
    return {name.lower(): value for name, value in headers.items()} if isinstance(headers, dict) else {}


def cors_headers(allowed: frozenset[str], origin: str | None) -> dict[str, str]:
    """Return what lets a page of that origin read an answer; nothing that does for one that is not allowed.

    Tokens come in a header and never in a cookie: no answer allows credentials.
    """
    if not allowed:
        return {}
    if ANY_ORIGIN in allowed:
        return {"Access-Control-Allow-Origin": ANY_ORIGIN, "Access-Control-Expose-Headers": _READABLE}
    # What is kept for one origin is not for another.
    varies = {"Vary": "Origin"}
    if origin not in allowed:
        return varies
    return varies | {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _READABLE}


def preflight_headers(allowed: frozenset[str], origin: str | None, methods: Iterable[str]) -> dict[str, str]:
    """Return the headers that answer `OPTIONS`: which methods the path has, and whether such a page may use them."""
    names = ", ".join(sorted({*methods, "OPTIONS"}))
    headers = {"Allow": names, **cors_headers(allowed, origin)}
    if "Access-Control-Allow-Origin" not in headers:
        return headers
    del headers["Access-Control-Expose-Headers"]
    return headers | {
        "Access-Control-Allow-Headers": _ACCEPTED,
        "Access-Control-Allow-Methods": names,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
