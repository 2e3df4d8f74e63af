"""Scoring on a database that is made for it and thrown away, for benchmarks."""

import os
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


def seconds_of_servers() -> float:
    """Return what the servers that this process has started have used of processors."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    used = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13] for pid in own]
    return sum(int(ticks) for one in used for ticks in one) / os.sysconf("SC_CLK_TCK")
