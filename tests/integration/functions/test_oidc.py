"""Who comes in by an OIDC issuer: its tokens, verified with its keys, and what of them is refused."""

import base64
import hmac
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import jwt
import oidc_provider_mock
import pytest

from churn.adapters import issuer_keys
from churn.adapters.issuer_keys import ASK_AGAIN_SECONDS, KEPT_SECONDS, IssuerKeys, IssuerUnavailableError
from churn.domain.roles import ROLES
from churn.entrypoints.http.oidc import Issuer
from churn.entrypoints.http.tokens import InvalidTokenError, issue
from churn.settings import Settings, settings
from tests.support.clock import FakeClock
from tests.support.issuer import AUDIENCE, TestIssuer
from tests.support.rest import Context, load

# The authorizer has metrics where it starts cold alone.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")
_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live"
_SECRET = "only-a-test-knows-this-secret-of-32-bytes"


@pytest.fixture
def server() -> Iterator[TestIssuer]:
    server = TestIssuer()
    yield server
    server.close()


def _issuer(
    server: TestIssuer, clock: FakeClock[float] | None = None, variables: Mapping[str, str] = MappingProxyType({})
) -> Issuer:
    environment = {"OIDC_ISSUER": server.url, "OIDC_AUDIENCE": AUDIENCE, **variables}
    oidc = Settings.from_environment(environment).oidc
    return Issuer(oidc, IssuerKeys(oidc.issuer, clock or FakeClock(0.0)))


@pytest.mark.parametrize(("kind", "algorithm"), [("RSA", "RS256"), ("EC", "ES256")])
def test_a_token_of_the_issuer_says_who_may_what_until_when(server: TestIssuer, kind: str, algorithm: str) -> None:
    server.add_key("one", kind)
    claims = _issuer(server).claims(server.token("one", algorithm, roles=["read", "act", "guest"]))
    assert claims is not None
    assert (claims.subject, claims.role) == ("anna", "act")
    assert claims.expires_at == pytest.approx(time.time() + 60, abs=2)


@pytest.mark.parametrize(
    ("variables", "said", "role"),
    [
        ({"OIDC_ROLE_CLAIM": "cognito:groups", "OIDC_ROLES": "team=act"}, {"cognito:groups": ["team"]}, "act"),
        ({"OIDC_ROLE_CLAIM": "permissions", "OIDC_ROLES": "read:churn=read"}, {"permissions": ["read:churn"]}, "read"),
        ({"OIDC_ROLE_CLAIM": "realm_access/roles"}, {"realm_access": {"roles": ["admin", "read"]}}, "admin"),
        ({"OIDC_ROLE_CLAIM": "scope", "OIDC_ROLES": "churn.write=write"}, {"scope": "openid churn.write"}, "write"),
        ({"OIDC_ROLE_CLAIM": "https://shop/roles"}, {"https://shop/roles": ["predict"]}, "predict"),
    ],
)
def test_each_issuers_own_claim_gives_a_role(
    server: TestIssuer, variables: dict[str, str], said: dict[str, Any], role: str
) -> None:
    server.add_key("one")
    claims = _issuer(server, variables=variables).claims(server.token("one", **said))
    assert claims is not None
    assert claims.role == role


@pytest.mark.parametrize(
    "said",
    [
        {"exp": int(time.time()) - 1},
        {"exp": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "key:warehouse"},
        {"aud": "another"},
        {"aud": ["another"]},
        {"aud": None},
        {"aud": None, "client_id": "another"},
        {"nbf": int(time.time()) + 3600},
        {"iat": int(time.time()) + 3600},
        {"roles": []},
        {"roles": None},
        {"roles": ["owner"]},
        {"roles": {"admin": True}},
        {"roles": [["admin"]]},
    ],
)
def test_a_token_that_says_less_than_all_is_refused(server: TestIssuer, said: dict[str, Any]) -> None:
    server.add_key("one")
    with pytest.raises(InvalidTokenError):
        _issuer(server).claims(server.token("one", **said))


def test_an_access_token_of_cognito_names_its_client(server: TestIssuer) -> None:
    server.add_key("one")
    claims = _issuer(server).claims(server.token("one", aud=None, client_id=AUDIENCE))
    assert claims is not None


def _by_hmac(claims: dict[str, Any], secret: bytes) -> str:
    """Return a token of HS256 under what the public key says, which careless verifiers take."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "kid": "one", "typ": "JWT"}, claims)]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).rstrip(b"=")
    return (signed + b"." + signature).decode()


def test_the_key_decides_the_algorithm_and_no_token(server: TestIssuer) -> None:
    server.add_key("one")
    server.add_key("two", "EC")
    issuer, claims = _issuer(server), jwt.decode(server.token("one"), options={"verify_signature": False})
    forged = [
        _by_hmac(claims, json.dumps(server.keys[0]).encode()),
        _by_hmac(claims, base64.urlsafe_b64decode(server.keys[0]["n"] + "==")),
        jwt.encode(claims, "", "none", headers={"kid": "one"}),
        server.token("one", header={"kid": "two"}),
        server.token("two", "ES256", header={"kid": "one"}),
        server.token("one", "PS256"),
        server.token("one", "RS512"),
        server.token("one")[:-6] + "AAAAAA",
    ]
    for token in forged:
        with pytest.raises(InvalidTokenError):
            issuer.claims(token)


@pytest.mark.parametrize("jwk", [{"use": "enc"}, {"alg": "RS512"}, {"kty": "oct", "k": "c2VjcmV0"}, {"n": "!"}])
def test_a_key_that_is_not_there_to_sign_so_opens_nothing(server: TestIssuer, jwk: dict[str, Any]) -> None:
    server.add_key("one", **jwk)
    with pytest.raises(InvalidTokenError, match="no such key"):
        _issuer(server).claims(server.token("one"))


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
def test_a_short_key_opens_nothing(server: TestIssuer) -> None:
    server.add_key("one", bits=1024)
    with pytest.raises(InvalidTokenError, match="no such key"):
        _issuer(server).claims(server.token("one"))


def test_a_new_key_is_taken_up_and_one_that_was_withdrawn_is_not_taken_any_more(server: TestIssuer) -> None:
    clock = FakeClock(0.0)
    issuer = _issuer(server, clock)
    server.add_key("one")
    assert issuer.claims(server.token("one"))
    server.add_key("two")
    del server.keys[0]
    clock.now += ASK_AGAIN_SECONDS + 1
    assert issuer.claims(server.token("two"))
    with pytest.raises(InvalidTokenError, match="no such key"):
        issuer.claims(server.token("one"))


def test_ids_of_keys_that_tokens_make_up_do_not_wear_the_issuer_out(server: TestIssuer) -> None:
    server.add_key("one")
    issuer = _issuer(server)
    for number in range(20):
        with pytest.raises(InvalidTokenError):
            issuer.claims(server.token("one", header={"kid": f"made up {number}"}))
    assert issuer.claims(server.token("one"))
    assert server.asked == 1


def test_while_the_issuer_is_away_its_known_keys_stay_in_use(server: TestIssuer) -> None:
    clock = FakeClock(0.0)
    issuer = _issuer(server, clock)
    server.add_key("one")
    assert issuer.claims(server.token("one"))
    server.is_away = True
    clock.now += KEPT_SECONDS + 1
    assert issuer.claims(server.token("one"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not HTTP\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n" + b"[" * 200_000,
        b"HTTP/1.0 200 OK\r\n\r\n\xff",
        b'HTTP/1.0 200 OK\r\n\r\n{"issuer": "ISSUER", "jwks_uri": "ISSUER/jwks", "keys": {"a": 1}}',
        b'HTTP/1.0 200 OK\r\n\r\n{"issuer": "ISSUER", "jwks_uri": "ISSUER/jwks", "keys": []}',
    ],
    ids=[
        "a byte now and then",
        "no status line",
        "a broken chunk",
        "nested too deeply",
        "no text",
        "no list of keys",
        "no keys",
    ],
)
def test_whatever_the_issuer_sends_its_known_keys_stay_in_use(
    server: TestIssuer, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    monkeypatch.setattr(issuer_keys, "_WHOLE_SECONDS", 1.0)
    clock = FakeClock(0.0)
    issuer = _issuer(server, clock)
    server.add_key("one")
    assert issuer.claims(server.token("one"))
    server.raw = raw.replace(b"ISSUER", server.url.encode())
    clock.now += KEPT_SECONDS + 1
    assert issuer.claims(server.token("one"))
    with pytest.raises(InvalidTokenError, match="no such key"):
        issuer.claims(server.token("one", header={"kid": "two"}))


@pytest.mark.parametrize("odd", [None, "text", 7, {"kty": ["RSA"]}, {"kty": "RSA"}, {"kty": "EC", "crv": {}}])
def test_an_entry_that_is_no_key_spoils_no_other(server: TestIssuer, odd: Any) -> None:
    server.keys.append(odd)
    server.add_key("one")
    server.add_key("two", kid={"a": 1})
    assert _issuer(server).claims(server.token("one"))


@pytest.mark.parametrize("fault", ["away", "another name"])
def test_an_issuer_that_cannot_be_asked_is_not_a_bad_token(server: TestIssuer, fault: str) -> None:
    clock = FakeClock(0.0)
    issuer = _issuer(server, clock)
    server.add_key("one")
    server.is_away, server.named = fault == "away", "https://evil.example" if fault != "away" else None
    with pytest.raises(IssuerUnavailableError):
        issuer.claims(server.token("one"))
    server.is_away, server.named = False, None
    clock.now += ASK_AGAIN_SECONDS + 1
    assert issuer.claims(server.token("one"))


def test_keys_are_fetched_by_https_alone_except_on_this_machine() -> None:
    with pytest.raises(IssuerUnavailableError):
        IssuerKeys("http://issuer.example.com").get("one")


def test_who_is_no_issuers_is_not_judged_by_it(server: TestIssuer) -> None:
    issuer = _issuer(server)
    assert issuer.claims(issue(_SECRET, "ann", "admin", 60)) is None
    assert issuer.claims("nonsense") is None
    assert server.asked == 0


def _admit(token: str, monkeypatch: pytest.MonkeyPatch, **variables: str) -> dict[str, Any]:
    for name, value in {"JWT_SECRET": _SECRET, **variables}.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    try:
        event = {"methodArn": f"{_ARN}/GET/api/customers", "headers": {"Authorization": f"Bearer {token}"}}
        answer: dict[str, Any] = load("authorizer").handler({**event, "requestContext": {}}, Context())
    finally:
        settings.cache_clear()
    return answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Leave the answer as it is: the code stands in its address."""


def _sign_in(url: str, subject: str) -> str:
    """Sign in as a person does, by authorization code; return the ID token."""
    query = {"client_id": AUDIENCE, "redirect_uri": "https://shop.example/", "response_type": "code", "scope": "openid"}
    form = urllib.parse.urlencode({"sub": subject}).encode()
    with pytest.raises(urllib.error.HTTPError) as redirect:
        urllib.request.build_opener(_NoRedirect).open(f"{url}/oauth2/authorize?{urllib.parse.urlencode(query)}", form)
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(redirect.value.headers["Location"]).query)["code"][0]
    redirect.value.close()
    asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": query["redirect_uri"]}
    asked |= {"client_id": AUDIENCE, "client_secret": "any"}
    with urllib.request.urlopen(f"{url}/oauth2/token", urllib.parse.urlencode(asked).encode()) as answer:  # noqa: S310
        token: str = json.load(answer)["id_token"]
    return token


def test_from_signing_in_at_a_provider_to_the_routes_of_the_role(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [
        oidc_provider_mock.User(sub="anna", claims={"groups": ["churn-team"]}),
        oidc_provider_mock.User(sub="ben", claims={"groups": ["accounting"]}),
    ]
    with oidc_provider_mock.run_server_in_thread(user_claims=people) as provider:
        url = f"http://localhost:{provider.server_port}"
        variables = {"OIDC_ISSUER": url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_ROLE_CLAIM": "groups"}
        variables["OIDC_ROLES"] = "churn-team=act"
        answer = _admit(_sign_in(url, "anna"), monkeypatch, **variables)
        opened = answer["policyDocument"]["Statement"][0]["Resource"]
        assert (answer["context"]["sub"], answer["context"]["role"]) == ("anna", "act")
        assert f"{_ARN}/PATCH/api/alerts/*" in opened
        # What the policy does not name API Gateway answers with 403.
        assert f"{_ARN}/POST/api/models/train" not in opened
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            _admit(_sign_in(url, "ben"), monkeypatch, **variables)


@pytest.mark.parametrize("role", ROLES)
def test_own_tokens_are_taken_beside_the_issuers_or_not(
    server: TestIssuer, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    own, variables = issue(_SECRET, "ann", role, 60), {"OIDC_ISSUER": server.url, "OIDC_AUDIENCE": AUDIENCE}
    assert _admit(own, monkeypatch, **variables)["context"]["role"] == role
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        _admit(own, monkeypatch, OWN_TOKENS="off", **variables)
    server.add_key("one")
    theirs = server.token("one", roles=[role])
    assert _admit(theirs, monkeypatch, OWN_TOKENS="off", **variables)["context"]["role"] == role
