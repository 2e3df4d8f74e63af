"""Tokens of an OIDC issuer: verified with its keys, and read as one of the roles here."""

from collections.abc import Mapping
from typing import Any

import jwt

from churn.adapters.issuer_keys import IssuerKeys
from churn.domain.roles import strongest
from churn.entrypoints.http.tokens import Claims, InvalidTokenError, check_begin, check_subject, end_of, refusal_of
from churn.settings import OidcSettings

_HOLDER_OF_KEY = "key:"


class Issuer:
    """What is taken from one issuer."""

    def __init__(self, settings: OidcSettings, keys: IssuerKeys | None = None) -> None:
        self._settings = settings
        self._keys = keys or IssuerKeys(settings.issuer)

    def claims(self, token: str) -> Claims | None:
        """Return what a token says; None if it does not call itself one of this issuer.

        Raises InvalidTokenError, IssuerUnavailableError.
        """
        try:
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
            key_id = jwt.get_unverified_header(token).get("kid")
        except (jwt.InvalidTokenError, UnicodeError):
            return None
        return self._verified(token, key_id) if named == self._settings.issuer else None

    def _verified(self, token: str, key_id: str | None) -> Claims:
        key = self._keys.get(key_id)
        if key is None:
            raise InvalidTokenError("the issuer has no such key")
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                issuer=self._settings.issuer,
                options={"require": ["exp", "sub"], "verify_aud": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.InvalidTokenError, UnicodeError) as error:
            raise refusal_of(error) from error
        check_begin(claims)
        self._check_audience(claims)
        check_subject(claims["sub"])
        if claims["sub"].startswith(_HOLDER_OF_KEY):
            raise InvalidTokenError("the subject is that of an API key")
        role = self._role(claims)
        if role is None:
            raise InvalidTokenError("the token gives no role")
        return Claims(claims["sub"], role, end_of(claims["exp"]))

    def _check_audience(self, claims: Mapping[str, Any]) -> None:
        # Access tokens of Cognito name their client in place of an audience.
        audience = claims.get("aud", claims.get("client_id"))
        if self._settings.audience not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidTokenError("the token is for another audience")

    def _role(self, claims: Mapping[str, Any]) -> str | None:
        # A name may be an address, with slashes of its own.
        path = self._settings.role_claim
        value: Any = claims
        for name in [path] if path in claims else path.split("/"):
            value = value.get(name) if isinstance(value, dict) else None
        # Scopes are one text with blanks between them.
        given = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
        return strongest(self._settings.roles[name] for name in map(str, given) if name in self._settings.roles)
