"""Lists as files over HTTP: the parts are the list, with the same filters."""

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from infra.tools.exporter.command import export
from infra.tools.exporter.parts import ExportError
from tests.contract.conftest import Stack
from tests.contract.test_rest import answered, assert_described
from tests.support import eventually


def _file(stack: Stack, name: str, path: str) -> tuple[list[dict[str, str]], int]:
    """Return the lines of a file, and of how many parts it is."""
    text, parts = "", 0
    while path:
        answer = stack.ask("GET", path)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.csv"'
        text += assert_described(f"export_{name}", answer)
        link = answer.headers.get("Link")
        path, parts = "" if link is None else re.fullmatch(r'<(.+)>; rel="next"', link)[1], parts + 1  # type: ignore[index]
    return list(csv.DictReader(io.StringIO(text, newline=""))), parts


def _list(stack: Stack, name: str, path: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = answered(stack, f"list_{name}", f"{path}{cursor}")
        listed += page[name]
        if page["next_cursor"] is None:
            return listed
        cursor = f"&cursor={page['next_cursor']}"


def test_the_parts_of_a_file_are_the_list(stack: Stack) -> None:
    query = "sort=value_at_risk&status=new,active,at_risk&min_total_orders=2&has_open_alert=false"
    lines, parts = _file(stack, "customers", f"/api/customers.csv?limit=40&{query}")
    listed = _list(stack, "customers", f"/api/customers?limit=500&{query}")
    ids = [line["customer_id"] for line in lines]
    assert parts > len(lines) // 40
    assert len(set(ids)) == len(ids) > 0
    # The stream goes on meanwhile: a few may have moved.
    assert len(set(ids) ^ {customer["customer_id"] for customer in listed}) <= 20
    by_id = {customer["customer_id"]: customer for customer in listed}
    same = sum(line["value_at_risk"] == str(by_id.get(line["customer_id"], {}).get("value_at_risk")) for line in lines)
    assert same > 0.9 * len(lines)


@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("alerts", "/api/alerts", "snoozed=true&created_to={}"),
        ("predictions", "/api/churn/predictions", "risk_level=low&date_to={}"),
    ],
)
def test_the_parts_of_a_file_of_what_is_there_already_are_the_list(
    stack: Stack, name: str, path: str, query: str
) -> None:
    stack.publish(
        "payment_failed", f"EXPORT-{name}", datetime.now(UTC), order_id="1", failure_reason="x", retry_count=3
    )
    (newest,) = eventually(lambda: answered(stack, f"list_{name}", f"{path}?limit=1")[name])
    chosen = query.format(newest["created_at"])
    lines, parts = _file(stack, name, f"{path}.csv?limit=200&{chosen}")
    listed = _list(stack, name, f"{path}?limit=500&{chosen}")
    assert parts == max(1, -(-len(lines) // 200))
    assert [line["id"] for line in lines] == [str(one["id"]) for one in listed]
    assert [line["customer_id"] for line in lines] == [one["customer_id"] for one in listed]
    assert len(lines) > 0


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_command_writes_all_customers_of_a_service(stack: Stack, tmp_path: Path, form: str) -> None:
    path, before = tmp_path / "all", answered(stack, "list_customers", "/api/customers?limit=1")["total"]
    query = {"limit": "200"}
    number = export(path, stack.base_url, stack.token("read"), what="customers", form=form, query=query)
    after = answered(stack, "list_customers", "/api/customers?limit=1")["total"]
    assert before <= number <= after
    if form == "parquet":
        ids = pyarrow.parquet.read_table(path, columns=["customer_id"])["customer_id"].to_pylist()
    else:
        ids = [line["customer_id"] for line in csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))]
    assert len(set(ids)) == len(ids) == number
    assert ids == sorted(ids)


def test_the_command_tells_what_the_service_refuses(stack: Stack, tmp_path: Path) -> None:
    path, wrong = tmp_path / "x", {"min_total_orders": "-1"}
    with pytest.raises(ExportError, match=r"answers 400: .*min_total_orders"):
        export(path, stack.base_url, stack.token("read"), what="customers", form="csv", query=wrong)
    with pytest.raises(ExportError, match=r"answers 40[13]"):
        export(path, stack.base_url, "no-token", what="customers", form="csv", query={})
    assert [*tmp_path.iterdir()] == []
