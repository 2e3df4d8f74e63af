"""Every route with what its description allows, and with what it does not: each answer is one that it describes.

Requests are drawn by schemathesis. What answers tell goes into later requests outside of what Hypothesis draws, so that
each run draws the same requests, whatever the service answers.
"""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import given, seed
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.tools.openapi.document import document
from tests.contract.conftest import Stack
from tests.contract.fuzz.links import Links
from tests.support.fuzzing import cases, drawing

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
_EXAMPLES_OF_A_ROUND = 5
# A machine that is busy with other things may need more than the two seconds that a request may wait for the database.
_TRIES = 5


def _described() -> dict[str, Any]:
    """Return the description without its security: what is drawn holds no tokens."""
    described: dict[str, Any] = json.loads(json.dumps(document()))
    del described["security"], described["components"]["securitySchemes"]
    for operations in described["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return described


@dataclass
class Fuzzer:
    """Sends what is drawn, and keeps what is wrong with the answers, once for each operation and kind."""

    stack: Stack
    links: Links
    chance: random.Random = field(default_factory=lambda: random.Random(16))
    sent: int = 0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)
    findings: dict[tuple[str, str, int], str] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    def send(self, operation: str, case: Case[Any]) -> None:
        """Send a request where an earlier answer leads, or where it was drawn to go."""
        self.links.follow(operation, case)
        response = self._answer(case)
        self.sent += 1
        self.statuses[operation, response.status_code] += 1
        try:
            case.validate_response(response, checks=_CHECKS)
            self._hold_problem(case, response)
        except FailureGroup as group:
            for failure in group.exceptions:
                self._find(operation, case, response, failure)
        except (Failure, AssertionError) as failure:
            self._find(operation, case, response, failure)
        if response.status_code < 300:
            self.links.keep(operation, case, response)

    def _answer(self, case: Case[Any]) -> Response:
        headers = self._credentials()
        for _ in range(_TRIES):
            response = case.call(base_url=self.stack.base_url, session=self.session, headers=headers, timeout=120)
            if response.status_code != 503:
                break
            time.sleep(float(response.headers.get("retry-after", ["1"])[0]))
        return response

    def _credentials(self) -> dict[str, str]:
        drawn = self.chance.random()
        if drawn < 0.03:
            return {}
        if drawn < 0.06:
            return {"Authorization": "Bearer of nothing"}
        role = "admin" if drawn < 0.95 else self.chance.choice(["read", "predict", "act", "write"])
        return {"Authorization": f"Bearer {self.stack.token(role)}"}

    @staticmethod
    def _hold_problem(case: Case[Any], response: Response) -> None:
        """Hold that an error is a problem document that says what is wrong."""
        if response.status_code >= 400 and case.method != "HEAD":
            assert response.headers["content-type"][0].split(";")[0] == "application/problem+json"
            told = response.json()
            assert (told["status"], told["code"]) == (response.status_code, response.status_code)
            assert told["detail"] == told["error"] != ""

    def _find(self, operation: str, case: Case[Any], response: Response, failure: Exception) -> None:
        key = (operation, type(failure).__name__, response.status_code)
        self.findings.setdefault(key, f"{key}\n{str(failure)[:600]}\n{case.as_curl_command()[:600]}")


def _draw(fuzzer: Fuzzer, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, number: int) -> None:
    """Send the examples of one round. Raises Unsatisfiable where the description forbids nothing that can be sent."""

    @seed(number)
    @drawing(_EXAMPLES_OF_A_ROUND)
    @given(case=operation.as_strategy(generation_mode=mode))
    def examples(case: Case[Any]) -> None:
        fuzzer.send(operation.definition.raw["operationId"], case)

    examples()


def _list(fuzzer: Fuzzer, operations: list[Any]) -> None:
    """Ask for what there is, so that requests lead to it."""
    for one in operations:
        name = one.definition.raw["operationId"]
        if name in fuzzer.links.sources and one.method == "get" and "{" not in one.path:
            fuzzer.send(name, one.Case(query={}, headers={}))


def _rounds(fuzzer: Fuzzer) -> Iterator[int]:
    """Yield the numbers of the rounds until enough was sent."""
    number = 0
    while fuzzer.sent < cases("requests"):
        yield number
        number += 1


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_answer_is_one_that_is_described(fuzzed: Stack) -> None:
    described = _described()
    fuzzer = Fuzzer(fuzzed, Links(described, random.Random(10)))
    operations = [
        found.ok() for found in schemathesis.openapi.from_dict(described).get_all_operations() if isinstance(found, Ok)
    ]
    # What leads to others comes first.
    operations.sort(key=lambda one: one.definition.raw["operationId"] not in fuzzer.links.sources)
    asked = [(one, mode) for one in operations for mode in _MODES]
    for number in _rounds(fuzzer):
        _list(fuzzer, operations)
        for one in list(asked):
            try:
                _draw(fuzzer, *one, number)
            except Unsatisfiable:
                asked.remove(one)
    assert not fuzzer.findings, "\n\n".join(fuzzer.findings.values())
    assert {operation for operation, _ in fuzzer.statuses} == {one.definition.raw["operationId"] for one in operations}
    # Links lead to what is there: real alerts are resolved, and real customers erased.
    for reached in (("resolve_alert", 200), ("get_customer", 200), ("erase_customer", 202), ("get_model", 200)):
        assert fuzzer.statuses[reached], reached
