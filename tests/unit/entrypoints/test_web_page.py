"""The dashboard's function: the page and its files, with what a browser may keep and run."""

import html
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from churn.settings import settings
from tests.support.http import Answer
from tests.support.rest import ask, load

_DOCUMENT = (
    '<head><meta name="churn-socket" content="" /><meta name="churn-issuer" content="" />'
    '<meta name="churn-currency" content="" />'
    '<script src="./assets/main-1.js"></script></head>'
)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """Yield the function, whose page is built into `tmp_path`."""
    monkeypatch.setenv("REDIS_URL", "")
    monkeypatch.setenv("CURRENCY", "JPY")
    monkeypatch.setenv("SOCKET_ENDPOINT", "https://abc.execute-api.eu-central-1.amazonaws.com/dev")
    settings.cache_clear()
    module = load("dashboard")
    monkeypatch.setattr(module._page, "_folder", tmp_path)
    yield module
    settings.cache_clear()


def _build(folder: Path) -> None:
    (folder / "assets").mkdir()
    (folder / "assets" / "main-1.js").write_text("run()", encoding="utf-8")
    (folder / "assets" / "icon-1.svg").write_text("<svg/>", encoding="utf-8")
    (folder / "docs.html").write_text("<rapi-doc></rapi-doc>", encoding="utf-8")
    (folder / "index.html").write_text(_DOCUMENT, encoding="utf-8")


def _get(function: ModuleType, path: str, known: str = "") -> Answer:
    return ask(function.app, "GET", path, role=None, headers={"If-None-Match": known} if known else {})


def test_the_page_runs_what_is_its_own_and_asks_its_origin_and_the_sockets_alone(
    function: ModuleType, tmp_path: Path
) -> None:
    _build(tmp_path)
    page = _get(function, "/")
    assert page.status == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert 'content="wss://abc.execute-api.eu-central-1.amazonaws.com/dev"' in page.body.decode()
    assert '<meta name="churn-currency" content="JPY" />' in page.body.decode()
    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("connect-src") == "'self' wss://abc.execute-api.eu-central-1.amazonaws.com"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == "'none'"


@pytest.mark.parametrize("client", ["churn-dashboard", ""])
def test_the_page_knows_where_people_sign_in_and_may_ask_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str
) -> None:
    for name, value in {
        "REDIS_URL": "",
        "OIDC_ISSUER": "https://issuer.example.com/pool?a=1&b=2",
        "OIDC_AUDIENCE": 'an "audience" & more',
        "OIDC_CLIENT_ID": client,
        "OIDC_TOKEN_ORIGIN": "https://tokens.example.com",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    function = load("dashboard")
    settings.cache_clear()
    monkeypatch.setattr(function._page, "_folder", tmp_path)
    _build(tmp_path)
    page = _get(function, "/?code=a%20b&state=c&session_state=d")
    assert page.status == 200
    said = html.unescape(page.text.split('<meta name="churn-issuer" content="')[1].split('"')[0])
    asked = page.headers["Content-Security-Policy"].split("connect-src ")[1].split(";")[0].split(" ")
    if not client:
        # Without a client the page asks no issuer, and knows of none.
        assert (said, asked) == ("", ["'self'"])
        return
    told = {"issuer": "https://issuer.example.com/pool?a=1&b=2", "client": client, "audience": 'an "audience" & more'}
    assert json.loads(said) == told
    assert asked == ["'self'", "https://issuer.example.com", "https://tokens.example.com"]


def test_the_page_is_asked_for_again_and_its_files_are_kept_for_ever(function: ModuleType, tmp_path: Path) -> None:
    _build(tmp_path)
    page, script = _get(function, "/"), _get(function, "/assets/main-1.js")
    assert page.headers["Cache-Control"] == "no-cache"
    assert script.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert (script.headers["Content-Type"], script.body) == ("text/javascript; charset=utf-8", b"run()")
    assert _get(function, "/assets/icon-1.svg").headers["Content-Type"].startswith("image/svg+xml")
    for path, answer in (("/", page), ("/assets/main-1.js", script)):
        for known in (answer.headers["ETag"], f'"other", W/{answer.headers["ETag"]}'):
            again = _get(function, path, known)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert _get(function, "/", '"other"').status == 200


def test_the_reference_has_a_policy_of_its_own_that_runs_and_asks_nothing_from_elsewhere(
    function: ModuleType, tmp_path: Path
) -> None:
    assert _get(function, "/docs").status == 404
    _build(tmp_path)
    reference = _get(function, "/docs")
    assert (reference.status, reference.body) == (200, b"<rapi-doc></rapi-doc>")
    policy = dict(part.split(" ", 1) for part in reference.headers["Content-Security-Policy"].split("; "))
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["style-src"] == "'self' 'unsafe-inline'"
    assert not {word for sources in policy.values() for word in sources.split()} - {
        "'self'", "'none'", "'unsafe-inline'", "data:",
    }  # fmt: skip
    assert _get(function, "/docs", reference.headers["ETag"]).status == 304


def test_what_is_no_file_of_the_page_is_not_found(function: ModuleType, tmp_path: Path) -> None:
    _build(tmp_path)
    (tmp_path / "made-of").write_text("secret", encoding="utf-8")
    for name in ("main-2.js", "index.html", "docs.html", "made-of", "..%2Fmade-of", "%2Fetc%2Fpasswd"):
        assert _get(function, f"/assets/{name}").status == 404, name


def test_without_a_build_the_page_says_how_to_build_it_and_is_there_once_it_is(
    function: ModuleType, tmp_path: Path
) -> None:
    before = _get(function, "/")
    assert before.status == 404
    assert "make build" in before.body.decode()
    assert before.headers["Cache-Control"] == "no-store"
    _build(tmp_path)
    assert _get(function, "/").status == 200


def test_an_address_without_the_last_slash_leads_to_the_one_with_it(function: ModuleType, tmp_path: Path) -> None:
    _build(tmp_path)

    def of_stage(event: dict[str, object], context: object) -> dict[str, object]:
        request = event["requestContext"]
        assert isinstance(request, dict)
        answer: dict[str, object] = function.app({**event, "requestContext": {**request, "path": "/dev"}}, context)
        return answer

    moved = ask(of_stage, "GET", "/", role=None)
    assert (moved.status, moved.headers["Location"]) == (308, "dev/")
