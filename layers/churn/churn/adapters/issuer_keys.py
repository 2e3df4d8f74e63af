"""The public keys of an OIDC issuer, found by discovery and kept.

https://openid.net/specs/openid-connect-discovery-1_0.html, https://www.rfc-editor.org/rfc/rfc7517
"""

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

from churn.domain.errors import UnavailableError
from churn.observability import logger

KEPT_SECONDS = 900.0
ASK_AGAIN_SECONDS = 30.0
"""How long the issuer is left alone after it was asked, whatever ids of keys tokens name and whether it answered."""
_TIMEOUT_SECONDS = 2.0
_WHOLE_SECONDS = 5.0
_MOST_BYTES = 1024 * 1024
_LEAST_RSA_BITS = 2048
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class IssuerUnavailableError(UnavailableError):
    """The issuer does not answer as an OIDC issuer, and none of its keys are known."""

    dependency = "issuer of tokens"


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key and the one algorithm that it is used with, which the key decides and no token."""

    key: Any
    algorithm: str


class IssuerKeys:
    """The keys of an issuer by their ids. They are asked for anew each quarter of an hour, and when a new id comes.

    While the issuer does not answer, the keys that are known stay in use.
    """

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: dict[str | None, IssuerKey] | None = None
        self._asked_at = float("-inf")
        self._asking: threading.Thread | None = None

    def get(self, key_id: str | None) -> IssuerKey | None:
        """Return the key with an id (None: the only one there is); None if the issuer has none.

        Raises IssuerUnavailableError.
        """
        age = self._clock() - self._asked_at
        if age > KEPT_SECONDS or (age > ASK_AGAIN_SECONDS and key_id not in (self._keys or {})):
            self._ask()
        if self._keys is None:
            raise IssuerUnavailableError(self._issuer)
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def _ask(self) -> None:
        """Ask for the keys, and wait for them for so long at most: an issuer may send a byte a second."""
        self._asked_at = self._clock()
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._renew, name="issuer-keys", daemon=True)
            self._asking.start()
        self._asking.join(_WHOLE_SECONDS)
        if self._asking.is_alive():
            logger.error("the issuer's keys cannot be read", extra={"reason": f"not sent in {_WHOLE_SECONDS} seconds"})

    def _renew(self) -> None:
        try:
            document = _fetch(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self._issuer:
                raise ValueError("the discovery document is of another issuer")
            keys = _fetch(str(document["jwks_uri"]))["keys"]
            if not isinstance(keys, list):
                raise ValueError("the answer has no list of keys")
            usable = _usable(keys)
            if self._keys and not usable:
                raise ValueError("no key of the answer signs tokens")
            self._keys = usable
        except Exception as error:  # noqa: BLE001 (whatever an issuer sends, the keys that are known stay in use)
            logger.error("the issuer's keys cannot be read", extra={"reason": f"{type(error).__name__}: {error}"})


def _fetch(url: str) -> dict[str, Any]:
    """Return a JSON object. Raises OSError, ValueError."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError("an issuer is asked by https alone")
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the scheme was checked)
        content = json.loads(answer.read(_MOST_BYTES))
    if not isinstance(content, dict):
        raise ValueError("the answer is no JSON object")
    return content


def _usable(keys: list[Any]) -> dict[str | None, IssuerKey]:
    """Return the keys that may sign tokens, by their ids; others are passed over."""
    usable: dict[str | None, IssuerKey] = {}
    for jwk in keys:
        try:
            key = _key_of(jwk)
        except (jwt.PyJWTError, ValueError, LookupError, TypeError, AttributeError) as error:
            logger.warning("a key of the issuer cannot be read", extra={"reason": f"{type(error).__name__}: {error}"})
            continue
        if key is not None:
            usable[jwk.get("kid")] = key
    return usable


def _key_of(jwk: dict[str, Any]) -> IssuerKey | None:
    """Return a key; None for one that signs nothing, is too short, or has no name that a token could tell."""
    algorithm = _algorithm(jwk)
    if algorithm is None or not isinstance(jwk.get("kid"), str | None):
        return None
    key = jwt.PyJWK(jwk, algorithm).key
    return IssuerKey(key, algorithm) if algorithm == "ES256" or key.key_size >= _LEAST_RSA_BITS else None


def _algorithm(jwk: dict[str, Any]) -> str | None:
    """Return what a key signs with; None for a key that signs nothing, or with what is not taken."""
    own = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}.get((jwk.get("kty"), jwk.get("crv")))  # type: ignore[arg-type]
    is_to_sign = jwk.get("use", "sig") == "sig" and jwk.get("alg", own) == own
    return own if is_to_sign else None
