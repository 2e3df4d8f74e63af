"""A list of the service, part by part over REST: of the local stack as of a deployment."""

import gzip
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import sleep
from typing import Any, Self
from urllib.parse import urlencode, urlsplit

_LINK = re.compile(r'<([^>]+)>; rel="next"')
_ATTEMPTS = 6
_TIMEOUT = 60
_MOST_SECONDS = 120


class ExportError(RuntimeError):
    """The service refuses, or stays away; the text says what to do."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Service:
    """The REST API of a service, by its address and a token. A context manager, whose exit closes the connection."""

    def __init__(self, url: str, token: str) -> None:
        """Take the address and a token. Raises ExportError if the address is none."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ExportError(f"{url} is not the address of a service, such as https://….amazonaws.com/dev")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT)
        self._base = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def csv_parts(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """Yield the parts of a list's file: they follow one another. Raises ExportError."""
        target: str | None = _target(f"{path}.csv", query)
        while target is not None:
            answer = self._get(target)
            yield answer.body
            link = _LINK.fullmatch(answer.headers.get("link", ""))
            target = None if link is None else link[1]

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list. Raises ExportError."""
        cursor: dict[str, str] = {}
        while True:
            page: dict[str, Any] = json.loads(self._get(_target(path, {"limit": "500", **query, **cursor})).body)
            yield page
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _get(self, target: str) -> _Answer:
        """Return an answer that is none of an error; one that may be another soon is asked for again."""
        problem = ""
        for attempt in range(_ATTEMPTS):
            try:
                answer = self._once(target)
            except (OSError, http.client.HTTPException) as error:
                # A server closes a connection that it has kept for long enough.
                self._connection.close()
                problem, wait = f"the service does not answer: {error}", 2.0**attempt - 1
            else:
                if answer.status == 200:
                    return answer
                problem = f"the service answers {answer.status}: {_detail(answer.body)}"
                if answer.status not in {429, 500, 502, 503, 504}:
                    raise ExportError(problem)
                told = answer.headers.get("retry-after", "")
                wait = float(told) if told.isdigit() else 2.0**attempt
            if attempt + 1 < _ATTEMPTS:
                sleep(min(wait, _MOST_SECONDS))
        raise ExportError(problem)

    def _once(self, target: str) -> _Answer:
        self._connection.request("GET", self._base + target, headers=self._headers)
        response = self._connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return _Answer(response.status, headers, body)


def _target(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _detail(body: bytes) -> str:
    """Return the sentence of a problem document, or the beginning of what is none."""
    try:
        document = json.loads(body)
        return str(document.get("detail") or document.get("message") or document)
    except (ValueError, AttributeError):
        return body[:200].decode(errors="replace")
