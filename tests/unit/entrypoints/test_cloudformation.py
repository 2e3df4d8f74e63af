"""What CloudFormation is told when a function is a custom resource."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from churn.entrypoints.cloudformation import answer


class _CloudFormation(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Receiver)
        self.told: list[dict[str, Any]] = []
        self.statuses = [200]

    @property
    def event(self) -> dict[str, Any]:
        return {
            "RequestType": "Create",
            "ResponseURL": f"http://127.0.0.1:{self.server_port}/answer?signed=1",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Migration",
        }


class _Receiver(BaseHTTPRequestHandler):
    server: _CloudFormation

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        statuses = self.server.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status == 200:
            assert not self.headers["Content-Type"]
            self.server.told.append(json.loads(body))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing is written down."""


@pytest.fixture
def cloud_formation() -> Iterator[_CloudFormation]:
    with _CloudFormation() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_success_is_told_with_a_name_that_stays(cloud_formation: _CloudFormation) -> None:
    assert answer(cloud_formation.event, "log", lambda: {"applied": ["0001"]}) == {"applied": ["0001"]}
    again = cloud_formation.event | {"RequestType": "Update", "PhysicalResourceId": "Migration"}
    answer(again, "log", dict)
    assert [(told["Status"], told["PhysicalResourceId"]) for told in cloud_formation.told] == [
        ("SUCCESS", "Migration"),
        ("SUCCESS", "Migration"),
    ]
    assert cloud_formation.told[0].items() >= {"StackId": "stack", "RequestId": "request"}.items()


def test_failure_is_told_with_its_reason_and_raised(cloud_formation: _CloudFormation) -> None:
    def fail() -> dict[str, Any]:
        raise RuntimeError("no such column" + "." * 5000)

    with pytest.raises(RuntimeError, match="no such column"):
        answer(cloud_formation.event, "stream-7", fail)
    [told] = cloud_formation.told
    assert told["Status"] == "FAILED"
    assert told["Reason"].startswith("RuntimeError: no such column")
    assert told["Data"] == {"LogStream": "stream-7"}
    # CloudFormation takes 4,096 bytes at most.
    assert len(json.dumps(told)) < 4096


def test_an_answer_that_is_not_taken_is_given_again(cloud_formation: _CloudFormation) -> None:
    cloud_formation.statuses = [503, 200]
    answer(cloud_formation.event, "log", dict)
    assert len(cloud_formation.told) == 1


def test_an_answer_that_nobody_takes_is_an_error(cloud_formation: _CloudFormation) -> None:
    cloud_formation.statuses = [403]
    with pytest.raises(OSError, match="403"):
        answer(cloud_formation.event, "log", dict)
