"""What `make sam-api` adds to SAM: functions are warm before it says ready, and its own tracebacks are not shown."""

import asyncio
import re
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

_PAUSE_SECONDS = 0.5
_ANSWER_SECONDS = 60
_TRACEBACK = "Traceback (most recent call last):"
_BETWEEN = re.compile(r"During handling of the above exception|The above exception was the direct cause")


class ColdFunctionError(RuntimeError):
    """A function does not answer in its container; the text names it."""


@dataclass(frozen=True, slots=True)
class WarmingRequest:
    """A request that reaches a function and changes nothing."""

    function: str
    method: str
    path: str


def warming_requests(template: Mapping[str, Any]) -> list[WarmingRequest]:
    """Return a request for each function behind the REST API: one that reads, or one without the body that it needs."""
    requests = []
    for name, resource in template["Resources"].items():
        events = (resource.get("Properties") or {}).get("Events") or {}
        routes = [event["Properties"] for event in events.values() if event["Type"] == "Api"]
        # A GET before others, without parameters before one with them.
        routes.sort(key=lambda route: (route["Method"].upper() != "GET", "{" in route["Path"], route["Path"]))
        if routes:
            path = re.sub(r"\{[^}]+\}", "warming", routes[0]["Path"])
            requests.append(WarmingRequest(name, routes[0]["Method"].upper(), path))
    return requests


async def warm(base_url: str, token: str, requests: list[WarmingRequest], seconds: float) -> None:
    """Send each request, one after another, until its function has answered. Raises ColdFunctionError.

    SAM makes a container at a function's first request, and answers 502 where that takes longer than the function may.
    """
    async with asyncio.timeout(None) as limit:
        for request in requests:
            limit.reschedule(asyncio.get_running_loop().time() + seconds)
            try:
                while not await asyncio.to_thread(_is_answered, base_url, token, request):
                    await asyncio.sleep(_PAUSE_SECONDS)
            except asyncio.CancelledError:
                if limit.expired():
                    raise ColdFunctionError(f"{request.function} has not answered within {seconds:.0f} s") from None
                raise


def _is_answered(base_url: str, token: str, request: WarmingRequest) -> bool:
    """Return whether the function itself answered, be it that the request is wrong.

    The token is an administrator's: where it is refused, the authorizer did not answer in time.
    """
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    sent = urllib.request.Request(base_url + request.path, headers=headers, method=request.method)  # noqa: S310
    try:
        with urllib.request.urlopen(sent, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (SAM's, on this machine)
            return bool(answer.status < 500)
    except urllib.error.HTTPError as error:
        with error:
            return error.code not in {401, 403, 500, 502, 504}
    except OSError:
        # SAM does not listen yet, or the container took too long.
        return False


async def without_tracebacks(lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of SAM's output, each traceback as the line of its exception alone.

    Tracebacks of functions are not touched: their runtime writes one as a single line.
    """
    within = after = False
    async for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text == _TRACEBACK:
            within, after = True, False
        elif within and (not text or text.startswith((" ", "\t"))):
            continue
        elif within:
            within, after = False, True
            yield f"SAM: {text}\n".encode()
        elif after and (not text or _BETWEEN.match(text)):
            continue
        else:
            after = False
            yield line
