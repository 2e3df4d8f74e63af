"""A built web page: its document and files, with the headers under which a browser keeps and runs them."""

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from churn.entrypoints.http.app import Call, File
from churn.entrypoints.http.problems import ProblemError

_DOCUMENT = "index.html"
_SOCKET = '<meta name="churn-socket" content=""'
# The name of a file holds a hash of its content, which therefore never changes.
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file with the tag of its content."""

    file: File
    tag: str


class WebPage:
    """What a build left in a folder: `index.html`, and under `assets` what it names.

    The folder is read anew when its document is another, so that a page that is built meanwhile is served.
    """

    def __init__(self, folder: Path, socket_endpoint: str, otherwise: str) -> None:
        """`socket_endpoint`: the HTTP address of the WebSocket API. `otherwise`: the document while none is built."""
        self._folder = folder
        self._socket = socket_endpoint.replace("http", "ws", 1)
        self._otherwise = otherwise
        self._kept: dict[str, Kept] = {}
        self._built_at = 0

    def document(self, call: Call) -> File:
        """Return the page; at an address without the last slash, below which nothing is found, where it is."""
        if not call.at.endswith("/"):
            call.answer["status"] = 308
            call.headers["Location"] = f"{call.at.rsplit('/', 1)[-1]}/"
            return File("", "text/plain")
        call.headers.update({"Content-Security-Policy": self.policy, "Referrer-Policy": "no-referrer"})
        kept = self._files().get(_DOCUMENT)
        if kept is None:
            call.answer["status"] = 404
            return File(self._otherwise, "text/html")
        call.headers["Cache-Control"] = "no-cache"
        return unless_known(kept, call)

    def asset(self, name: str, call: Call) -> File:
        """Return a file beside the page. Raises ProblemError (404)."""
        kept = self._files().get(name)
        if kept is None or name == _DOCUMENT:
            raise ProblemError(404, "There is no such file; the page has been built anew, so load it again.")
        call.headers["Cache-Control"] = _FOREVER
        return unless_known(kept, call)

    @property
    def policy(self) -> str:
        """What the page may load and ask: its own origin, and the WebSocket API."""
        address = urlsplit(self._socket)
        own = dict.fromkeys(("script-src", "style-src", "img-src", "font-src"), "'self'")
        connect = f"'self' {address.scheme}://{address.netloc}" if address.netloc else "'self'"
        rest = {"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'"}
        sources = {"default-src": "'none'", **own, "connect-src": connect, **rest}
        return "; ".join(f"{directive} {source}" for directive, source in sources.items())

    def _files(self) -> dict[str, Kept]:
        document = self._folder / _DOCUMENT
        built_at = document.stat().st_mtime_ns if document.exists() else self._built_at
        if built_at != self._built_at:
            self._built_at = built_at
            text = document.read_text(encoding="utf-8").replace(_SOCKET, f'{_SOCKET[:-1]}{self._socket}"')
            self._kept = {path.name: _kept_file(path) for path in (self._folder / "assets").iterdir()}
            self._kept[_DOCUMENT] = kept(text, "text/html")
        return self._kept


def _kept_file(path: Path) -> Kept:
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
    return kept(path.read_text(encoding="utf-8"), kind)


def kept(text: str, kind: str) -> Kept:
    """Return a text of some type, with its tag."""
    return Kept(File(text, kind), f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"')


def unless_known(entry: Kept, call: Call) -> File:
    """Return a file, without its content for a client that has it."""
    call.headers["ETag"] = entry.tag
    if entry.tag not in call.known_tags:
        return entry.file
    call.answer["status"] = 304
    return File("", entry.file.content_type)
