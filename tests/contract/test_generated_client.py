"""A Python client that is generated from the API's description, against the running stack."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.contract.conftest import Stack

_PACKAGE = "generated_churn_client"


class Client:
    """The generated package with a client of a role, or without a token."""

    def __init__(self, stack: Stack, role: str | None) -> None:
        self._url = stack.base_url
        self._token = None if role is None else stack.token(role)

    def call(self, operation: str, *path: str, **arguments: Any) -> Any:
        """Return the parsed answer of an operation, named by its tag and name."""
        package = importlib.import_module(_PACKAGE)
        module = importlib.import_module(f"{_PACKAGE}.api.{operation}")
        client = package.Client(base_url=self._url)
        if self._token is not None:
            client = package.AuthenticatedClient(base_url=self._url, token=self._token)
        with client as opened:
            return module.sync(*path, client=opened, **arguments)


def models(name: str) -> Any:
    """Return a model of the generated package."""
    return getattr(importlib.import_module(f"{_PACKAGE}.models"), name)


@pytest.fixture(scope="module")
def description(stack: Stack) -> dict[str, Any]:
    """Return the description that the service gives to anybody."""
    answer = httpx.get(f"{stack.base_url}/openapi.json")
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json()
    return described


@pytest.fixture(scope="module")
def generated(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Yield the package that is generated from what the service answers."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("openapi-python-client")), "generate", "--fail-on-warning"]
    command += ["--url", f"{stack.base_url}/openapi.json", "--config", str(folder / "config.yml")]
    command += ["--meta", "none", "--output-path", str(folder / _PACKAGE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(_PACKAGE)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == _PACKAGE]:
            del sys.modules[name]


def test_the_description_holds_below_the_address_that_it_was_asked_for_at(
    stack: Stack, description: dict[str, Any]
) -> None:
    server = httpx.URL(f"{stack.base_url}/openapi.json").join(description["servers"][0]["url"])
    assert httpx.get(f"{str(server).rstrip('/')}/health").status_code == 200


@pytest.mark.usefixtures("generated")
def test_a_generated_client_reads_predicts_and_works_on_alerts(stack: Stack) -> None:
    reader, predictor, actor = (Client(stack, role) for role in ("read", "predict", "act"))

    assert Client(stack, None).call("health.health").status == "healthy"
    page = reader.call("customers.list_customers", limit=3, sort=models("ListCustomersSort").VALUE_AT_RISK)
    assert len(page.customers) == 3
    first = page.customers[0].customer_id
    assert reader.call("customers.get_customer", first).customer_id == first
    assert reader.call("stats.dashboard_stats").total_customers > 0
    assert {segment.is_built_in for segment in reader.call("customers.list_segments").segments} >= {True}

    body = models("PredictionRequest")(customer_id=first, days_since_last_order=200.0)
    answer = predictor.call("prediction.predict", body=body)
    assert 0 <= answer.churn_probability <= 1
    assert answer.what_if.changes[0].feature == "days_since_last_order"

    alerts = reader.call("alerts.list_alerts", limit=1).alerts
    if alerts:
        note = models("AlertWork")(note="from a generated client")
        worked = actor.call("alerts.work_on_alert", str(alerts[0].id), body=note)
        assert worked.last_action.note == "from a generated client"


@pytest.mark.usefixtures("generated")
def test_a_generated_client_understands_refusals(stack: Stack) -> None:
    reader = Client(stack, "read")
    missing = reader.call("customers.get_customer", "nobody-has-this-id")
    assert (missing.status, missing.title) == (404, "Not Found")
    wrong = reader.call("customers.list_customers", limit=9999)
    assert [error.field for error in wrong.errors] == ["limit"]
    body = models("PredictionRequest")(days_since_last_order=10.0)
    assert reader.call("prediction.predict", body=body).status == 403
