"""Built web pages: their documents and files, with the headers under which a browser keeps and runs them."""

import hashlib
import html
import json
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from churn.entrypoints.http.app import Call, File
from churn.entrypoints.http.problems import ProblemError
from churn.settings import Settings

_PAGE, _REFERENCE = "index.html", "docs.html"
_SOCKET = '<meta name="churn-socket" content=""'
_ISSUER = '<meta name="churn-issuer" content=""'
_CURRENCY = '<meta name="churn-currency" content=""'
# The name of a file holds a hash of its content, which therefore never changes.
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Kept:
    """A file with the tag of its content."""

    file: File
    tag: str


class WebPage:
    """What a build left in a folder: `index.html`, `docs.html` (the API reference), and under `assets` what they name.

    The folder is read anew when its document is another, so that a page that is built meanwhile is served.
    """

    def __init__(self, folder: Path, settings: Settings, otherwise: str) -> None:
        """Serve what is built in a folder, filled with the service's settings; `otherwise` while nothing is built."""
        self._folder = folder
        self._socket = settings.socket_endpoint.replace("http", "ws", 1)
        self._oidc = settings.oidc if settings.oidc.client_id else None
        self._currency = settings.currency
        self._otherwise = otherwise
        self._kept: dict[str, Kept] = {}
        self._built_at = 0

    def document(self, call: Call) -> File:
        """Return the page; at an address without the last slash, below which nothing is found, where it is."""
        if not call.at.endswith("/"):
            call.answer["status"] = 308
            call.headers["Location"] = f"{call.at.rsplit('/', 1)[-1]}/"
            return File("", "text/plain")
        return self._document(_PAGE, self.policy, call)

    def reference(self, call: Call) -> File:
        """Return the API reference; its viewer styles itself by attributes, and asks this API alone."""
        return self._document(_REFERENCE, _policy(style="'self' 'unsafe-inline'", image="'self' data:"), call)

    def _document(self, name: str, policy: str, call: Call) -> File:
        call.headers.update({"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"})
        kept = self._files().get(name)
        if kept is None:
            call.answer["status"] = 404
            return File(self._otherwise, "text/html")
        call.headers["Cache-Control"] = "no-cache"
        return unless_known(kept, call)

    def asset(self, name: str, call: Call) -> File:
        """Return a file beside the page. Raises ProblemError (404)."""
        kept = self._files().get(name)
        if kept is None or name in {_PAGE, _REFERENCE}:
            raise ProblemError(404, "There is no such file; the page has been built anew, so load it again.")
        call.headers["Cache-Control"] = _FOREVER
        return unless_known(kept, call)

    @property
    def policy(self) -> str:
        """What the page may load and ask: its own origin, the WebSocket API, and the issuer where people sign in."""
        oidc = self._oidc
        asked = [self._socket, *((oidc.issuer, oidc.token_origin) if oidc else ())]
        return _policy(connect=" ".join(dict.fromkeys(["'self'", *filter(None, map(_origin, asked))])))

    def _filled(self, document: str) -> str:
        """Return the document with what the page must know: nothing of it is a secret."""
        issuer = ""
        if self._oidc:
            said = {"issuer": self._oidc.issuer, "client": self._oidc.client_id, "audience": self._oidc.audience}
            issuer = html.escape(json.dumps(said))
        for place, content in ((_SOCKET, self._socket), (_ISSUER, issuer), (_CURRENCY, self._currency)):
            document = document.replace(place, f'{place[:-1]}{content}"')
        return document

    def _files(self) -> dict[str, Kept]:
        document = self._folder / _PAGE
        built_at = document.stat().st_mtime_ns if document.exists() else self._built_at
        if built_at != self._built_at:
            self._built_at = built_at
            text = self._filled(document.read_text(encoding="utf-8"))
            self._kept = {path.name: _kept_file(path) for path in (self._folder / "assets").iterdir()}
            self._kept[_PAGE] = kept(text, "text/html")
            reference = self._folder / _REFERENCE
            self._kept[_REFERENCE] = kept(reference.read_text(encoding="utf-8"), "text/html")
        return self._kept


def _origin(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _policy(*, style: str = "'self'", image: str = "'self'", connect: str = "'self'") -> str:
    sources = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": style,
        "img-src": image,
        "font-src": "'self'",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{directive} {source}" for directive, source in sources.items())


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
