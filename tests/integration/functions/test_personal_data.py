"""No log line carries a customer's name, e-mail, phone or id, whatever happens."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, DataRefusedError
from churn.observability import logger
from churn.settings import settings
from infra.local.servers.databases import free_port
from tests.support.events import NOW
from tests.support.forests import small_model
from tests.support.registry import BUCKET
from tests.support.rest import Context, ask, load

_ID, _NAME, _EMAIL, _PHONE = "KUNDE-4711", "Zoë Qvist", "zoe.qvist@example.org", "+45 12 34 56 78"
_MARKS = (_ID, _NAME, "Qvist", _EMAIL, _PHONE, base64.b64encode(_ID.encode()).decode()[:10])


class _Logs:
    """All that is written: the lines of the logger, and what is printed."""

    def __init__(self, printed: pytest.CaptureFixture[str]) -> None:
        self._printed = printed
        self._lines = io.StringIO()
        self.handler = logging.StreamHandler(self._lines)
        self.handler.setFormatter(logger.handlers[0].formatter)

    def text(self) -> str:
        return self._lines.getvalue() + "".join(self._printed.readouterr())


@pytest.fixture
def logs(capfd: pytest.CaptureFixture[str]) -> Iterator[_Logs]:
    logs = _Logs(capfd)
    logger.addHandler(logs.handler)
    yield logs
    logger.handlers.remove(logs.handler)


class _Invocation(Context):
    __slots__ = ()

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any, mysql_url: str) -> Iterator[None]:
    """Let functions start with a database, a model and a bucket; nobody listens where sockets are posted to."""
    model = tmp_path / "model.npz"
    model.write_bytes(small_model().to_bytes())
    variables = {
        "DATABASE_URL": mysql_url,
        "ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes",
        "JWT_SECRET": "only-a-test-knows-this-secret-of-32-bytes",
        "MODEL_PATH": str(model),
        "FAILED_BATCHES": BUCKET,
        "SOCKET_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    for name in ("REDIS_URL", "MODEL_BUCKET"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    yield
    settings.cache_clear()


def _record(offset: int, **fields: Any) -> dict[str, Any]:
    event = {"event_id": f"e-{offset}", "customer_id": _ID, "timestamp": NOW.timestamp() + offset} | fields
    value = base64.b64encode(json.dumps(event).encode()).decode()
    key = base64.b64encode(_ID.encode()).decode()
    return {"topic": "user-events", "partition": 0, "offset": offset, "key": key, "value": value}


def _batch(*records: dict[str, Any]) -> dict[str, Any]:
    return {"eventSource": "aws:kafka", "records": {"user-events-0": list(records)}}


def _records() -> list[dict[str, Any]]:
    profile = {"name": _NAME, "email": _EMAIL, "phone": _PHONE}
    return [
        _record(1, event_type="customer_registered", data=profile),
        _record(2, event_type="order_placed", data={"order_id": _ID, "order_value": 20}),
        _record(3, event_type="payment_failed"),
        # Each is wrong in another way, and says so in a dead letter.
        _record(4, event_type="profile_updated", data=profile | {"email": [_EMAIL]}),
        _record(5, event_type="order_placed", data={"order_value": _EMAIL, "discount_used": _NAME}),
        _record(6, event_type="login", timestamp=_PHONE),
        _record(7, event_type="login", customer_id=_ID * 20),
        # Another content under the id of an earlier event.
        _record(1, event_type="profile_updated", data=profile),
    ]


def _ask_everything(functions: dict[str, ModuleType]) -> None:
    customers, prediction, alerts = (functions[name].app for name in ("customers", "prediction", "alerts"))
    for path in (_ID, f"{_ID}/events", f"{_ID}-missing", f"{_EMAIL}/events"):
        ask(customers, "GET", f"/api/customers/{path}")
    for query in (f"search={_NAME}", f"search={_EMAIL}&limit=-1", f"cursor={_ID}", f"{_ID}={_NAME}"):
        ask(customers, "GET", f"/api/customers?{query}")
    for body in ({"customer_id": _ID}, {"customer_id": _ID, "total_orders": _NAME}, {_EMAIL: _NAME}, [_ID]):
        ask(prediction, "POST", "/api/churn/predict", body)
    (alert, *_) = ask(alerts, "GET", "/api/alerts").json["alerts"]
    ask(alerts, "POST", f"/api/alerts/{alert['id']}/resolve", {"resolution_notes": f"called {_NAME}, {_PHONE}"})
    ask(alerts, "POST", f"/api/alerts/{_ID}/resolve", {"resolution_notes": _NAME})


@pytest.mark.filterwarnings("ignore:No application metrics")
@pytest.mark.usefixtures("s3", "environment", "database")
def test_the_functions_log_nobodys_data(logs: _Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    invocation = _Invocation()
    scoring, rescoring, retention = (load(name) for name in ("scoring", "rescoring", "retention"))
    answer = scoring.handler(_batch(*_records()), invocation)
    assert answer == {"batchItemFailures": []}
    scoring.handler({"redrive": None}, invocation)
    _ask_everything({name: load(name) for name in ("customers", "prediction", "alerts")})
    rescoring.handler({}, invocation)
    load("evaluation").handler({}, invocation)
    scoring.handler(_batch(_record(9, event_type="customer_deleted")), invocation)
    scoring.handler(_batch(*_records()), invocation)
    done = retention.handler({}, invocation)
    assert done["pruned"].keys() >= {"predictions", "alerts", "dead_letters", "hours"}

    monkeypatch.setenv("DATABASE_URL", "mysql://root@127.0.0.1:9/churn")
    settings.cache_clear()
    _ask_once = load("customers").app
    assert ask(_ask_once, "GET", f"/api/customers/{_ID}").status == 503
    failed = load("scoring").handler(_batch(*_records()), invocation)
    assert len(failed["batchItemFailures"]) == len({record["offset"] for record in _records()}) + 1

    logged = logs.text()
    assert logged.count('"level"') > 15
    assert [mark for mark in _MARKS if mark in logged or json.dumps(mark)[1:-1] in logged] == []


def test_an_exception_is_logged_without_the_values_that_it_quotes(database: Database, logs: _Logs) -> None:
    statement = "INSERT INTO customers (customer_id, created_at, updated_at) VALUES (%s, %s, %s)"
    for _ in range(2):
        try:
            database.run(lambda transaction: transaction.execute(statement, (_ID, NOW, NOW)))
        except DataRefusedError:
            logger.exception("refused")
    for text in (f"no such customer: {_ID}", 4711):
        try:
            {}[text]  # type: ignore[index]
        except KeyError as error:
            try:
                raise ValueError(f"{_NAME} is no number") from error
            except ValueError:
                logger.exception("failed")
    logged = logs.text()
    assert "DataRefusedError: Duplicate entry '…'" in logged
    assert "IntegrityError (1062)" in logged
    assert '"exception_name":"ValueError"' in logged
    assert "which led to" in logged
    assert "KeyError" in logged
    assert [mark for mark in (*_MARKS, "4711") if mark in logged or json.dumps(mark)[1:-1] in logged] == []
