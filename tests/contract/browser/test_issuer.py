"""People sign in to the dashboard at an OIDC issuer: authorization code with PKCE, from the page to a 403."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.contract.browser.conftest import Windows, watched
from tests.contract.conftest import Stack, running_stack
from tests.support.issuer import AUDIENCE, TestIssuer

_PLACE = "#/customers?status=lapsed"
_CLIENT = "churn-dashboard"


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    issuer = TestIssuer()
    issuer.add_key("one")
    # `accounting` is no role here.
    issuer.people = {"anna": ["read"], "warehouse": ["write"], "ben": ["accounting"]}
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def own(issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory, buckets: Path) -> Iterator[Stack]:
    """Return an empty shop whose people sign in at that issuer."""
    oidc = {"OIDC_ISSUER": issuer.url, "OIDC_AUDIENCE": AUDIENCE, "OIDC_CLIENT_ID": _CLIENT}
    folder = tmp_path_factory.mktemp("issuer")
    with running_stack(folder, buckets, SAMPLE_CUSTOMERS="0", EVENT_RATE="0", **oidc) as started:
        yield started


@pytest.fixture
def opened(issuer: TestIssuer, browser: Browser, own: Stack) -> Iterator[Windows]:
    issuer.spoil = {}
    with watched(own, browser) as windows:
        yield windows


def _sign_in(page: Page, own: Stack, issuer: TestIssuer, name: str) -> None:
    """Go to a place of the page, from there to the issuer, and back."""
    page.goto(f"{own.base_url}/{_PLACE}")
    page.get_by_role("button", name=f"Sign in at {urlsplit(issuer.url).netloc}").click()
    expect(page.get_by_role("heading", name="Who are you?")).to_be_visible()
    page.get_by_role("link", name=name).click()


def test_from_signing_in_to_the_place_of_before_and_to_a_403(opened: Windows, own: Stack, issuer: TestIssuer) -> None:
    # A loaded machine may be found unwell.
    opened.expected = ("503",)
    page = opened.blank()
    requests: list[Request] = []

    def heard(request: Request) -> None:
        requests.append(request)

    page.on("request", heard)
    _sign_in(page, own, issuer, "anna")
    expect(page.get_by_role("button", name="Without: Lapsed")).to_be_visible()
    # Nothing of the code stays in the address, and the reader is where they were.
    assert page.url == f"{own.base_url}/{_PLACE}"
    assert page.evaluate("[localStorage.length, Object.values({ ...sessionStorage }).join()]")[1].count("eyJ") == 0
    (asked,) = [request for request in requests if "/authorize?" in request.url]
    assert "code_challenge_method=S256" in asked.url
    assert "client_secret" not in asked.url
    session = next(request for request in requests if request.url.endswith("/api/session"))
    token = session.all_headers()["authorization"].removeprefix("Bearer ")
    # The token is that of the issuer, and its role may look, and no more.
    told = own.ask("GET", "/api/session", token=token)
    assert (told.status, told.json["subject"], told.json["role"]) == (200, "anna", "read")
    assert own.ask("POST", "/api/models/train", {}, token=token).status == 403
    # In memory alone: after a reload somebody must sign in.
    page.reload()
    expect(page.get_by_role("button", name="Sign in at")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "said", "status"),
    [
        ("warehouse", "your role may not look at the dashboard", 403),
        ("ben", "have no role in this service", 401),
        ("nobody", "The issuer has refused: Nobody.", None),
    ],
)
def test_who_may_not_look_is_told_so(
    opened: Windows, own: Stack, issuer: TestIssuer, name: str, said: str, status: int | None
) -> None:
    opened.expected = (str(status),) if status else ()
    page = opened.blank()
    _sign_in(page, own, issuer, name)
    expect(page.get_by_role("status")).to_contain_text(said)
    assert page.url == f"{own.base_url}/{_PLACE}"
    expect(page.get_by_role("button", name="Sign in at")).to_be_visible()


@pytest.mark.parametrize("spoilt", [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://another.example"}])
def test_an_answer_that_is_not_of_this_sign_in_is_not_taken(
    opened: Windows, own: Stack, issuer: TestIssuer, spoilt: dict[str, str]
) -> None:
    issuer.spoil = spoilt
    page = opened.blank()
    _sign_in(page, own, issuer, "anna")
    expect(page.get_by_role("status")).to_contain_text("is not of this sign-in")


@pytest.mark.parametrize("query", ["code=stolen&state=guessed", "error=access_denied&state=guessed"])
def test_who_did_not_begin_here_is_not_signed_in(opened: Windows, own: Stack, query: str) -> None:
    page = opened.blank()
    page.goto(f"{own.base_url}/?{query}")
    expect(page.get_by_role("status")).to_contain_text("was not begun in this tab")
    assert page.url == f"{own.base_url}/"


def test_an_issuer_that_is_away_is_told(opened: Windows, own: Stack, issuer: TestIssuer) -> None:
    opened.expected = ("500",)
    page = opened.blank()
    page.goto(f"{own.base_url}/")
    issuer.is_away = True
    try:
        page.get_by_role("button", name="Sign in at").click()
        expect(page.get_by_role("alert")).to_contain_text("does not say how to sign in")
    finally:
        issuer.is_away = False
