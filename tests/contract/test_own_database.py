"""A stack on a database of one's own, as a user who has the documented rights and no others."""

import re
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from churn.adapters.mysql import Database, Transaction
from infra.local.options import ROOT
from infra.local.servers.databases import start_mariadb
from tests.contract.conftest import Stack, running_stack
from tests.support import eventually


@pytest.mark.slow
def test_the_documented_rights_are_enough_for_the_whole_service(tmp_path: Path, buckets: Path, stack: Stack) -> None:
    # The session's stack is there, so that this one copies its first model.
    assert stack.ask("GET", "/health", role=None).status == 200
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    (statements,) = re.findall(r"```sql\n(CREATE DATABASE churn;.+?)```", text, re.DOTALL)
    server, state = start_mariadb(tmp_path / "mariadb"), tmp_path / "stack"
    state.mkdir()
    try:
        with closing(Database(server.url)) as owner:
            owner.run(lambda transaction: transaction.execute("DROP DATABASE churn"))
        with closing(Database(server.url.removesuffix("churn") + "mysql")) as owner:
            for statement in statements.replace("%", "%%").replace("…", "secret").split(";\n")[:3]:
                owner.run(partial(Transaction.execute, statement=statement))
        url = f"mysql://churn:secret@127.0.0.1:{urlsplit(server.url).port}/churn"
        with running_stack(state, buckets, SAMPLE_CUSTOMERS="30", EVENT_RATE="0", DATABASE_URL=url) as own:
            assert own.ask("GET", "/api/customers").json["total"] == 30
            event = {"event_id": "e-1", "event_type": "login", "customer_id": "NEW-1", "timestamp": 1_764_000_000}
            assert own.ask("POST", "/api/events", {**event, "data": {}}).status == 202
            eventually(lambda: own.ask("GET", "/api/customers/NEW-1").status == 200)
            assert own.ask("GET", "/health", role=None).json["status"] == "healthy"
    finally:
        server.stop()
