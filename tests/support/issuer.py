"""An OIDC issuer whose keys a test holds, on a server of this machine."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "churn"
type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class TestIssuer:
    """Serves discovery and keys; `is_away`: answers 500. `asked` counts the requests for keys."""

    __test__ = False

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.is_away = False
        self.named: str | None = None
        self._private: dict[str, PrivateKey] = {}
        issuer = self

        class _Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, content = issuer._answer(self.path)
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Write no log of requests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End the server."""
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

    def _answer(self, path: str) -> tuple[int, dict[str, Any]]:
        if self.is_away:
            return 500, {}
        if path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.named or self.url, "jwks_uri": f"{self.url}/keys"}
        self.asked += 1
        return 200, {"keys": self.keys}
