"""The HTTP client of the tests, and servers that live as long as a test."""

import base64
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import HTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def by_sam(self) -> bool:
        """Whether `sam local` made up the answer by itself.

        It takes no notice of the template's gateway responses, and has an answer of its own where API Gateway has
        another: 502 for an authorizer that raises and for a body that is not text, 403 for a route that is not there.
        """
        return self.headers.get("Server", "").startswith("Werkzeug") and self.json.keys() == {"message"}


def send(
    url: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 90,
) -> Answer:
    """Send a request, and return the answer, also one that is an error; `url` may have a name and a password."""
    parts = urlsplit(url)
    account, _, host = parts.netloc.rpartition("@")
    known = {"Authorization": f"Basic {base64.b64encode(account.encode()).decode()}"} if account else {}
    request = urllib.request.Request(  # noqa: S310
        parts._replace(netloc=host).geturl(), body, {**known, **(headers or {})}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310
            return Answer(response.status, dict(response.headers), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Serve in a thread, and end both."""
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
