"""The README's examples work as printed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.servers.child_process import die_with_parent
from tests.contract.conftest import ROOT, Stack
from tests.support import eventually

README = (ROOT / "README.md").read_text(encoding="utf-8")


def examples(language: str) -> list[str]:
    """Return the fenced blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def checkout(stack: Stack, tmp_path: Path) -> Path:
    """Return a folder in which the README's paths lead to the running stack."""
    assert stack.endpoints is not None
    (tmp_path / ".local").symlink_to(stack.endpoints.parent)
    return tmp_path


def printed(text: str) -> Iterator[Any]:
    """Return the JSON documents of an output, one after the other."""
    decoder = json.JSONDecoder()
    place = 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        document, place = decoder.raw_decode(text, place)
        yield document


def run(checkout: Path, script: str) -> list[Any]:
    """Return what a shell script prints, as JSON; the script must end well."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=checkout,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = list(printed(done.stdout))
    assert [answer for answer in answers if "error" in answer] == []
    return answers


def _assert_segments(stack: Stack, answers: list[Any]) -> None:
    known, made, members = answers
    # The examples may run again.
    assert stack.ask("DELETE", f"/api/segments/{made['id']}").status == 204
    assert sum(segment["is_built_in"] for segment in known["segments"]) == 4
    assert all(customer["total_orders"] >= 5 for customer in members["customers"])


def _assert_key(stack: Stack, made: dict[str, Any]) -> None:
    assert (made["name"], made["role"]) == ("warehouse", "write")
    # The examples may run again.
    assert stack.ask("DELETE", f"/api/keys/{made['id']}").status == 204


def test_the_examples_work_as_printed(stack: Stack, checkout: Path) -> None:
    addresses, reads, cohorts, chosen, segments, predictions, alerts, keys = examples("bash")
    listener, publisher = examples("python")
    (checkout / "listen.py").write_text(listener)
    (checkout / "publish.py").write_text(publisher)

    first = run(checkout, addresses)
    assert len(first) == addresses.count("curl ")
    assert first[0]["status"] == "healthy"
    assert first[1]["customers"]
    answers = run(checkout, addresses + reads)[len(first) :]
    assert len(answers) == reads.count("curl ")
    assert answers[0]["customer_id"] == "CUST-001"
    assert len(run(checkout, addresses + cohorts)[-1]["cohorts"]) == 6
    (listed,) = run(checkout, addresses + chosen)[len(first) :]
    values = [customer["value_at_risk"] for customer in listed["customers"]]
    assert values == sorted(values, reverse=True)
    assert min(customer["total_orders"] for customer in listed["customers"]) >= 3

    _assert_segments(stack, run(checkout, addresses + segments)[len(first) :])
    stored, *what_ifs, from_features = run(checkout, addresses + predictions)[len(first) :]
    assert max(answer["churn_probability"] for answer in what_ifs) <= stored["churn_probability"]
    assert from_features["risk_level"] in {"low", "medium", "high", "critical"}

    log = checkout / "listen.log"
    with log.open("wb") as output:
        listening = subprocess.Popen(
            die_with_parent([sys.executable, "listen.py"]), cwd=checkout, stdout=output, stderr=output
        )
    try:
        eventually(lambda: '"subscribed"' in log.read_text())
        published = subprocess.run(
            [sys.executable, "publish.py"], cwd=checkout, capture_output=True, text=True, timeout=60, check=False
        )
        assert published.returncode == 0, published.stderr
        eventually(lambda: "payment_failure" in log.read_text())
    finally:
        listening.terminate()
        listening.wait(10)

    acknowledged, resolved = run(checkout, addresses + alerts)[len(first) :]
    assert all((acknowledged["acknowledged_at"], resolved["resolved_at"]))
    _assert_key(stack, run(checkout, addresses + keys)[-1])


def test_every_file_that_is_named_exists() -> None:
    named = re.findall(r"`((?:docs|infra|layers|functions|tests)/[\w./-]+|template\.yaml|uv\.lock)`", README)
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_link_between_the_documents_leads_to_a_file() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in documents
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ]
    assert broken == []
