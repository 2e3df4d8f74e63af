"""What is added to SAM: a request that warms each function, and its output without tracebacks."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local.template.intrinsics import parse_yaml
from infra.tools import sam_local
from infra.tools.sam_api import ColdFunctionError, WarmingRequest, warm, warming_requests, without_tracebacks
from tests.support.http import serving

ROOT = Path(__file__).parents[3]


class Sam:
    """An HTTP server that answers as SAM does; `statuses` are what each path still answers, 200 after them."""

    def __init__(self) -> None:
        self.statuses: dict[str, list[int]] = {}
        self.seen: Counter[str] = Counter()
        sam = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                assert self.headers["Authorization"] == "Bearer token"
                sam.seen[f"{self.command} {self.path}"] += 1
                left = sam.statuses.get(self.path, [])
                self.send_response(left.pop(0) if left else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = answer  # noqa: N815 (the names that the server calls)

            def log_message(self, *_: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def sam() -> Iterator[Sam]:
    sam = Sam()
    with serving(sam.server):
        yield sam


def test_every_function_behind_the_api_is_warmed_by_a_request_that_changes_nothing() -> None:
    template = parse_yaml((ROOT / "template.yaml").read_text(encoding="utf-8"))
    requests = {request.function: (request.method, request.path) for request in warming_requests(template)}
    behind = {
        name
        for name, resource in template["Resources"].items()
        for event in ((resource.get("Properties") or {}).get("Events") or {}).values()
        if resource["Type"] == "AWS::Serverless::Function" and event["Type"] == "Api"
    }
    assert requests.keys() == behind
    assert requests["HealthFunction"] == ("GET", "/health")
    # Without a body both are refused.
    assert {request for request in requests.values() if request[0] != "GET"} <= {
        ("POST", "/api/churn/predict"),
        ("POST", "/api/events"),
    }


def test_a_function_is_asked_until_it_answers_by_itself(sam: Sam) -> None:
    sam.statuses = {"/slow": [502, 403, 504], "/wrong": [400]}
    requests = [WarmingRequest("Slow", "GET", "/slow"), WarmingRequest("Wrong", "POST", "/wrong")]
    asyncio.run(warm(sam.url, "token", requests, 30))
    assert sam.seen == {"GET /slow": 4, "POST /wrong": 1}


def test_a_function_that_never_answers_is_named(sam: Sam) -> None:
    sam.statuses = {"/broken": [502] * 100}
    with pytest.raises(ColdFunctionError, match="Broken has not answered"):
        asyncio.run(warm(sam.url, "token", [WarmingRequest("Broken", "GET", "/broken")], 1.2))


def shown(output: str) -> str:
    async def lines() -> AsyncIterator[bytes]:
        for line in output.split("\n")[:-1]:
            yield f"{line}\n".encode()

    async def through() -> bytes:
        return b"".join([line async for line in without_tracebacks(lines())])

    return asyncio.run(through()).decode()


def test_a_traceback_of_sam_is_the_line_of_its_exception() -> None:
    output = """\
Mounting CustomersFunction at http://127.0.0.1:3100/api/customers [GET]
Traceback (most recent call last):
  File "samcli/local/apigw/local_apigw_service.py", line 1, in _request_handler
    route_lambda_output = self._invoke()

KeyError: 'policyDocument'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "flask/app.py", line 2, in full_dispatch_request
    rv = self.dispatch_request()
         ^^^^^^^^^^^^^^^^^^^^^^^
samcli.local.apigw.exceptions.LambdaResponseParseException: no policy
127.0.0.1 - - "GET /api/customers HTTP/1.1" 502 -
"""
    assert shown(output) == (
        "Mounting CustomersFunction at http://127.0.0.1:3100/api/customers [GET]\n"
        "SAM: KeyError: 'policyDocument'\n"
        "SAM: samcli.local.apigw.exceptions.LambdaResponseParseException: no policy\n"
        '127.0.0.1 - - "GET /api/customers HTTP/1.1" 502 -\n'
    )


def test_what_a_function_logs_is_shown_as_it_is() -> None:
    line = "[ERROR] KeyError: 'x'\rTraceback (most recent call last):\r\u00a0\u00a0File \"app.py\", line 1\n"
    assert shown(line + '{"level": "INFO"}\n') == line + '{"level": "INFO"}\n'


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a stack that runs."""
    monkeypatch.setenv("CHURN_STATE_DIR", str(tmp_path))
    (tmp_path / "endpoints.json").write_text(json.dumps({"base_url": "http://127.0.0.1:3000", "token": "token"}))
    return tmp_path


def serve(sam: Sam, program: str, requests: list[WarmingRequest]) -> int:
    """Run a program in SAM's place until it ends, and warm its functions meanwhile."""

    async def run() -> int:
        running = asyncio.create_task(sam_local._until_stopped([sys.executable, "-c", program], dict(os.environ)))
        await sam_local._announce_when_warm(sam.url, requests, running)
        return await running

    return asyncio.run(run())


def test_it_says_ready_when_every_function_has_answered(
    sam: Sam, served: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    sam.statuses = {"/slow": [502]}
    program = """
import pathlib, sys, time
print('Traceback (most recent call last):\\n  File "sam.py"\\nOSError: refused', file=sys.stderr, flush=True)
while not pathlib.Path('FILE').exists():
    time.sleep(0.02)
sys.exit(7)
""".replace("FILE", str(served / "sam-endpoints.json"))
    assert serve(sam, program, [WarmingRequest("Slow", "GET", "/slow")]) == 7
    said, errors = capfdbinary.readouterr()
    assert said.decode() == f"ready: {sam.url}, 1 functions\n"
    assert errors == b"SAM: OSError: refused\n"
    assert sam.seen == {"GET /slow": 2}
    assert json.loads((served / "sam-endpoints.json").read_text())["base_url"] == sam.url


def test_it_is_never_ready_when_sam_ends_before(
    sam: Sam, served: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    sam.statuses = {"/broken": [502] * 100}
    assert serve(sam, "raise SystemExit(3)", [WarmingRequest("Broken", "GET", "/broken")]) == 3
    assert b"ready" not in capfdbinary.readouterr().out
    assert not (served / "sam-endpoints.json").exists()
