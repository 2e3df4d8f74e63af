"""What the doors for programs take for a page in a browser, and who may read logs."""

import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from infra.local.private_files import open_private
from infra.local.side_doors import basic, guarded, is_foreign, knows

_KEY = "only-programs-know-this"
_SIGNED = f"AWS4-HMAC-SHA256 Credential={_KEY}/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    "host", ["127.0.0.1:3002", "127.0.0.1", "localhost:80", "[::1]:9", "host.docker.internal:3002"]
)
def test_programs_on_this_machine_and_its_containers_come_in(host: str) -> None:
    assert not is_foreign({"Host": host})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": ""},
        {"Host": "attacker.example:3002"},
        {"Host": "127.0.0.1.attacker.example"},
        {"Host": "attackerlocalhost"},
        {"Host": "127.0.0.1:3002", "Origin": "https://attacker.example"},
        {"Host": "127.0.0.1:3002", "Origin": "null"},
        {"Host": "127.0.0.1:3002", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_under_its_own_name_or_from_elsewhere_does_not(headers: dict[str, str]) -> None:
    assert is_foreign(headers)


@pytest.mark.parametrize(
    ("environ", "status", "asked"),
    [
        ({"HTTP_HOST": "127.0.0.1:5000", "HTTP_AUTHORIZATION": _SIGNED}, "200 OK", 1),
        ({"HTTP_HOST": "127.0.0.1:5000", "HTTP_AUTHORIZATION": basic(_KEY)}, "200 OK", 1),
        ({"HTTP_HOST": "127.0.0.1:5000"}, "401 Unauthorized", 0),
        ({"HTTP_HOST": "attacker.example", "HTTP_AUTHORIZATION": _SIGNED}, "403 Forbidden", 0),
        ({"HTTP_HOST": "attacker.example"}, "403 Forbidden", 0),
        ({"HTTP_HOST": "127.0.0.1:5000", "HTTP_ORIGIN": "null"}, "403 Forbidden", 0),
        ({"HTTP_HOST": "127.0.0.1:5000", "HTTP_SEC_FETCH_SITE": "none"}, "403 Forbidden", 0),
    ],
)
def test_the_emulated_services_are_not_asked_by_a_page(environ: dict[str, str], status: str, asked: int) -> None:
    calls: list[object] = []
    answers: list[str] = []

    def application(_: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        calls.append(start_response("200 OK", []))
        return [b""]

    guarded(application, _KEY)(dict(environ), lambda answer, _: answers.append(answer))
    assert (answers, len(calls)) == ([status], asked)


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        _KEY,
        "Basic",
        basic(""),
        basic(_KEY + "x"),
        _SIGNED.replace(_KEY, "local"),
        _SIGNED.replace(_KEY, "é"),
        "\ud800",
    ],
)
def test_who_does_not_know_the_key_does_not_come_in(authorization: str) -> None:
    assert not knows(authorization, _KEY)


def test_without_a_key_the_doors_are_closed() -> None:
    assert not knows(basic(""), "")
    assert not knows("AWS4-HMAC-SHA256 Credential=none/2026", "")


def test_a_log_is_its_owners_also_if_it_was_everybodys_before(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n", encoding="ascii")
    log.chmod(0o644)
    with open_private(log) as out:
        out.write(b"after\n")
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert log.read_text(encoding="ascii") == "before\nafter\n"
    with open_private(log, anew=True) as out:
        out.write(b"anew\n")
    assert log.read_text(encoding="ascii") == "anew\n"
