"""Scoring on a database that is made for it and thrown away, for benchmarks."""

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.local.options import ROOT
from infra.local.servers.databases import start_mariadb


@contextmanager
def scoring_on_a_database_of_its_own(
    model: Any, *, statement_timeout: float = 120
) -> Iterator[tuple[Database, Scoring]]:
    """Yield an empty database, and scoring by a model on it; the server ends with the block."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_mariadb(Path(folder))
        try:
            with closing(Database(server.url, statement_timeout=statement_timeout)) as database:
                migrate(database, read_migrations(ROOT / "infra" / "migrations"))
                yield database, Scoring(database, model, Settings.from_environment({"ERASURE_KEY": "k" * 32}))
        finally:
            server.stop()
