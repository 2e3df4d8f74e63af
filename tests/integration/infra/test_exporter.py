"""`make export`: the file is the list, as CSV and as Parquet, and there is none that is not whole."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.services.customer_filters import CustomerFilters
from churn.services.scoring import Scoring
from churn.services.segments import Segments
from churn.settings import Settings, settings
from infra.tools.exporter import command, parts
from infra.tools.exporter.command import export
from infra.tools.exporter.parts import ExportError, Service
from tests.support.events import event, order
from tests.support.forests import small_model
from tests.support.http import Answer, serving
from tests.support.models import RecencyModel
from tests.support.rest import load, server

_NUMBER = 123
# So that there are several parts.
_PARTS = {"limit": "40"}
_FUNCTIONS = ("customers", "alerts", "prediction")
_LISTS = {
    "customers": ("/api/customers", {"sort": "customer_id", "order": "asc"}),
    "alerts": ("/api/alerts", {"snoozed": "true"}),
    "predictions": ("/api/churn/predictions", {}),
}


@pytest.fixture
def shop(database: Database) -> Database:
    """Return a shop of more than two parts of customers, of whom some have names that a spreadsheet would run."""
    now = datetime.now(UTC).replace(microsecond=0)
    events: list[Any] = []
    for number in range(_NUMBER):
        customer_id = f"C-{number:04d}"
        name = {0: "=1+1", 1: "two\r\nlines", 2: "Zoë"}.get(number, f"Name{number}")
        events.append(event("customer_registered", customer_id, days_ago=300, name=name))
        if number % 3:
            events.append(order(customer_id, days_ago=number % 90, value=1.5 * number))
        if number % 3 == 2:
            events.append(event("payment_failed", customer_id, days_ago=0.01))
    Scoring(database, RecencyModel(), Settings.from_environment({})).apply(events, now=now)
    return database


@pytest.fixture
def handlers(
    monkeypatch: pytest.MonkeyPatch, mysql_url: str, shop: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Yield the functions that answer with lists."""
    assert shop
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    model = tmp_path_factory.mktemp("model") / "model.npz"
    model.write_bytes(small_model().to_bytes())
    monkeypatch.setenv("MODEL_PATH", str(model))
    monkeypatch.setenv("JWT_SECRET", "only-a-test-knows-this-secret-of-32-bytes")
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    yield {name: load(name).app for name in _FUNCTIONS}
    settings.cache_clear()


@pytest.fixture
def served(handlers: dict[str, Any]) -> Iterator[str]:
    """Yield the address of a service."""
    with serving(http := server(handlers)):
        yield f"http://127.0.0.1:{http.server_port}"


def _lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", newline=""), newline="")))


def _assert_same(cell: str, value: Any) -> None:
    """Assert that a cell and a value of Parquet are the same."""
    if isinstance(value, datetime):
        assert datetime.fromisoformat(cell) == value
    elif isinstance(value, float):
        # What days have passed is told as of the request.
        assert float(cell) == pytest.approx(value, abs=0.2)
    else:
        assert cell.removeprefix("'") == ("" if value is None else str(value))


@pytest.mark.parametrize("what", [*_LISTS])
def test_csv_and_parquet_hold_the_rows_of_the_route(served: str, tmp_path: Path, what: str) -> None:
    table, sheet = tmp_path / "all.parquet", tmp_path / "all.csv"
    written = export(sheet, served, "t", what=what, form="csv", query=_PARTS)
    assert export(table, served, "t", what=what, form="parquet", query=_PARTS) == written
    if what != "customers":
        # A customer tells how many days have passed.
        with Service(served, "t") as service:
            assert sheet.read_bytes() == b"".join(service.csv_parts(_LISTS[what][0], _LISTS[what][1] | _PARTS))
    lines, found = _lines(sheet), pyarrow.parquet.read_table(table).to_pylist()
    assert len(lines) == len(found) == written >= _NUMBER // 3
    for line, row in zip(lines, found, strict=True):
        assert [*line] == [*row]
        for name, cell in line.items():
            _assert_same(cell, row[name])


def test_a_file_in_parquet_has_types_and_texts_as_they_are(served: str, tmp_path: Path) -> None:
    path = tmp_path / "all.parquet"
    export(path, served, "t", what="customers", form="parquet", query={"search": "C-0000"})
    (row,) = pyarrow.parquet.read_table(path).to_pylist()
    assert row["name"] == "=1+1"
    assert row["days_since_last_order"] is None
    schema = pyarrow.parquet.read_schema(path)
    assert [str(schema.field(name).type) for name in ("customer_id", "churn_probability")] == ["string", "double"]
    export(path, served, "t", what="alerts", form="parquet", query=_PARTS)
    assert str(pyarrow.parquet.read_schema(path).field("created_at").type) == "timestamp[us, tz=UTC]"


def test_filters_and_nobody(served: str, tmp_path: Path) -> None:
    path = tmp_path / "some.csv"
    assert export(path, served, "t", what="customers", form="csv", query={"min_total_orders": "1", **_PARTS}) == 82
    assert export(path, served, "t", what="customers", form="csv", query={"search": "nobody"}) == 0
    assert _lines(path) == []
    assert export(path, served, "t", what="customers", form="parquet", query={"search": "nobody"}) == 0


def test_a_segment_by_its_name(served: str, shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segments = Segments(shop, Cache(""), Settings.from_environment({}))
    segments.add("Once & for all", CustomerFilters(max_total_orders=1, min_total_orders=1), "ann", datetime.now(UTC))
    path = tmp_path / "once.csv"
    assert _run(monkeypatch, str(path), "--segment", "Once & for all", URL=served, TOKEN="t") == 0
    assert {line["customer_id"] for line in _lines(path)} == {f"C-{n:04d}" for n in range(_NUMBER) if n % 3}


def test_a_service_that_is_busy_is_asked_again(
    handlers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(parts, "sleep", waited.append)
    refusals = [(429, {"Retry-After": "17"}), (503, {}), (502, {})]

    def busy(answer: Answer) -> Answer:
        if not refusals:
            return answer
        status, headers = refusals.pop(0)
        return replace(answer, status=status, headers=headers, body=b'{"detail": "busy"}')

    with serving(http := server(handlers, busy)):
        url = f"http://127.0.0.1:{http.server_port}"
        assert export(tmp_path / "all.csv", url, "t", what="customers", form="csv", query=_PARTS) == _NUMBER
    assert waited == [17, 2, 4]


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("status", [403, 503])
def test_what_fails_midway_leaves_the_file_of_before(
    handlers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, status: int
) -> None:
    monkeypatch.setattr(parts, "sleep", lambda _: None)
    path = tmp_path / "all"
    path.write_text("before")
    answered: list[Answer] = []

    def fails(answer: Answer) -> Answer:
        answered.append(answer)
        body = json.dumps({"detail": "Not for you."}).encode()
        return answer if len(answered) < 3 else replace(answer, status=status, headers={}, body=body)

    with serving(http := server(handlers, fails)), pytest.raises(ExportError, match=f"{status}: Not for you"):
        export(path, f"http://127.0.0.1:{http.server_port}", "t", what="customers", form=form, query=_PARTS)
    assert len(answered) == (3 if status == 403 else 8)
    assert [one.name for one in tmp_path.iterdir()] == ["all"]
    assert path.read_text() == "before"


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> int:
    monkeypatch.setattr("sys.argv", ["export", *arguments])
    for name in ("URL", "TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return command.main()


def test_the_command_takes_the_form_from_the_name_and_the_service_from_the_environment(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "current.parquet"
    assert _run(monkeypatch, str(path), "--query", "search=C-000", URL=served + "/", TOKEN="t") == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{path}: 10 customers"
    assert pyarrow.parquet.read_table(path).num_rows == 10


@pytest.mark.parametrize("query", ["sort=value_at_risk", "status=current&limit=5", "cursor=x"])
def test_what_belongs_to_a_page_is_refused_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], query: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        _run(monkeypatch, str(tmp_path / "all.csv"), "--query", query, URL="http://127.0.0.1:9", TOKEN="t")
    assert refused.value.code == 2
    assert "QUERY takes filters" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"URL": "http://127.0.0.1:9"}, "which token?"),
        ({"URL": "127.0.0.1", "TOKEN": "t"}, "is not the address of a service"),
        ({}, "no local stack runs"),
    ],
)
def test_what_is_missing_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    environment: dict[str, str],
    sentence: str,
) -> None:
    monkeypatch.setenv("CHURN_STATE_DIR", str(tmp_path / "none"))
    assert _run(monkeypatch, str(tmp_path / "x.csv"), **environment) == 1
    assert sentence in capsys.readouterr().err


def test_a_segment_has_customers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit):
        _run(monkeypatch, "x.csv", "--what", "alerts", "--segment", "5", URL="http://x", TOKEN="t")
