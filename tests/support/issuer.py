"""An OIDC issuer whose keys a test holds, on a server of this machine, where people sign in by code and PKCE."""

import base64
import contextlib
import hashlib
import html
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "churn"
_ENDPOINTS = {"authorization": "authorize", "token": "token"}
type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TestIssuer:
    """Serves discovery and keys; `is_away`: answers 500. `asked` counts the requests for keys.

    `raw`: sends these bytes in place of an answer; without their end, one of them now and then until it is closed.
    `people`: who may sign in at it, with the roles that their tokens name. `spoil` exchanges claims of ID tokens.
    """

    __test__ = False

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.is_away = False
        self.raw: bytes | None = None
        self.is_closed = threading.Event()
        self.named: str | None = None
        self.people: dict[str, list[str]] = {}
        self.spoil: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._private: dict[str, PrivateKey] = {}
        issuer = self

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if issuer.raw is not None:
                    return issuer._spill(self.wfile)
                if parts.path == "/authorize":
                    return self._authorize(_single(parts.query))
                status, content = issuer._answer(parts.path)
                return self._send(status, json.dumps(content), "application/json")

            def do_POST(self) -> None:
                form = _single(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, content = issuer._redeem(form, self.headers.get("Authorization"))
                self._send(status, json.dumps(content), "application/json")

            def _authorize(self, query: dict[str, str]) -> None:
                links = "".join(
                    f'<p><a href="{html.escape(issuer._back(query, name))}">{name}</a></p>' for name in issuer.people
                )
                refusal = {"error": "access_denied", "error_description": "Nobody.", "state": query["state"]}
                links += f'<p><a href="{html.escape(_with(query["redirect_uri"], refusal))}">nobody</a></p>'
                self._send(200, f"<!doctype html><title>Issuer</title><h1>Who are you?</h1>{links}", "text/html")

            def _send(self, status: int, text: str, kind: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                # A page asks for discovery and tokens.
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Write no log of requests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End the server."""
        self.is_closed.set()
        self._server.shutdown()
        self._server.server_close()

    def add_key(self, key_id: str, kind: str = "RSA", *, bits: int = 2048, **jwk: Any) -> None:
        """Make a key, of which the public part is served with what `jwk` says of it."""
        if kind == "RSA":
            by_rsa = rsa.generate_private_key(65537, bits)
            self._private[key_id] = by_rsa
            public = RSAAlgorithm.to_jwk(by_rsa.public_key(), as_dict=True)
        else:
            by_curve = ec.generate_private_key(ec.SECP256R1())
            self._private[key_id] = by_curve
            public = ECAlgorithm.to_jwk(by_curve.public_key(), as_dict=True)
        self.keys.append({**public, "kid": key_id, **jwk})

    def token(
        self, key_id: str, algorithm: str = "RS256", *, header: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a token that is signed with a key; a claim of None is left out."""
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "anna",
            "exp": int(time.time()) + 60,
            "roles": ["read"],
            **claims,
        }
        content = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(content, self._private[key_id], algorithm, headers={"kid": key_id, **(header or {})})

    def _spill(self, out: BufferedIOBase) -> None:
        out.write(self.raw or b"")
        if not self.raw:
            # A header that has no end.
            with contextlib.suppress(OSError):
                out.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
                while not self.is_closed.wait(0.2):
                    out.write(b"x")

    def _answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if self.is_away:
            return 500, {}
        if path == "/.well-known/openid-configuration":
            endpoints = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in _ENDPOINTS.items()}
            return 200, {"issuer": self.named or self.url, "jwks_uri": f"{self.url}/keys", **endpoints}
        self.asked += 1
        return 200, {"keys": self.keys}

    def _back(self, query: dict[str, str], name: str) -> str:
        """Return the address to which a person goes back with a code, which holds what was asked."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = {**query, "sub": name}
        return _with(query["redirect_uri"], {"code": code, "state": query["state"]})

    def _redeem(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Return the tokens for a code, once, to whom knows what its challenge was made of."""
        asked = self._codes.pop(form.get("code", ""), {})
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = (
            form.get("grant_type") == "authorization_code"
            and asked.get("response_type") == "code"
            and (asked.get("code_challenge"), asked.get("code_challenge_method")) == (challenge, "S256")
            and len(form["code_verifier"]) >= 43
            and all(form.get(name) == asked.get(name) for name in ("client_id", "redirect_uri"))
            and "client_secret" not in form
            and authorization is None
        )
        if not is_right:
            return 400, {"error": "invalid_grant", "error_description": "the code does not hold"}
        key_id = self.keys[0]["kid"]
        said = {"sub": asked["sub"], "aud": asked["client_id"], "nonce": asked["nonce"], **self.spoil}
        access = self.token(key_id, sub=asked["sub"], roles=self.people[asked["sub"]], exp=int(time.time()) + 3600)
        return 200, {"access_token": access, "id_token": self.token(key_id, **said), "token_type": "Bearer"}


def _single(query: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def _with(address: str, query: dict[str, str]) -> str:
    return f"{address}?{urlencode(query)}"
