"""Two local stacks on one machine: started at once, each in a folder of its own, neither disturbs the other."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from churn.adapters.mysql import Database
from tests.contract.conftest import Stack, running_stack

# Large enough for a temporary table on disk.
_SORTED = (
    "SELECT COUNT(*) AS number FROM (SELECT DISTINCT REPEAT(MD5(a.seq), 20) AS text FROM seq_1_to_120000 AS a "
    "ORDER BY text) AS sorted"
)


@pytest.mark.slow
def test_two_stacks_start_at_once_and_both_answer(tmp_path: Path, buckets: Path, stack: Stack) -> None:
    # The session's stack is there, so that both copy its first model instead of training one.
    assert stack.ask("GET", "/health", role=None).status == 200
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as running, ThreadPoolExecutor(len(folders)) as threads:
        contexts = [running_stack(folder, buckets, SAMPLE_CUSTOMERS="20", EVENT_RATE="0") for folder in folders]
        stacks = list(threads.map(running.enter_context, contexts))
        databases = [running.enter_context(closing(Database(started.database_url))) for started in stacks]
        queries = [threads.submit(_count, database) for database in databases]
        assert [query.result() for query in queries] == [120_000] * len(folders)
        for started in stacks:
            page = started.ask("GET", "/api/customers?sort=total_spent")
            assert (page.status, page.json["total"]) == (200, 20)
        assert len({started.base_url for started in stacks}) == len(folders)
        for started, folder in zip(stacks, folders, strict=True):
            assert all(place.is_relative_to(folder) for place in _temporary_folders(started)), folder


def _count(database: Database) -> int:
    row = database.run(lambda transaction: transaction.row(_SORTED))
    return 0 if row is None else int(row["number"])


def _temporary_folders(stack: Stack) -> list[Path]:
    """Return where the stack's programs and functions have their temporary files."""
    functions = stack.status()["functions"].values()
    # Redis writes its title over its variables, and has no temporary files.
    pids = [pid for name, pid in stack.pids().items() if name not in ("supervisor", "cache")]
    pids += [pid for function in functions for pid in function["pids"]]
    assert len(pids) > len(stack.pids())
    variables = [Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0") for pid in pids]
    return [Path(dict(line.partition("=")[::2] for line in lines)["TMPDIR"]) for lines in variables]
