"""Private database servers of two stacks on one machine leave each other alone."""

from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import SSCursor

from infra.local.servers.databases import Server, start_mariadb

_ROWS = 300_000


@pytest.fixture
def first(tmp_path: Path) -> Iterator[Server]:
    """Yield a running server."""
    server = start_mariadb(tmp_path / "first")
    yield server
    server.stop()


def _connect(server: Server) -> "Connection[SSCursor]":
    port = int(server.url.rsplit(":", 1)[1].split("/")[0])
    return pymysql.connect(host="127.0.0.1", port=port, user="root", database="churn", cursorclass=SSCursor)


def test_a_second_server_leaves_the_temporary_tables_of_the_first_alone(first: Server, tmp_path: Path) -> None:
    with _connect(first) as connection, connection.cursor() as cursor:
        # Large enough to be on disk, and used only after the second server has started.
        cursor.execute("SET tmp_memory_table_size = 16384, max_heap_table_size = 16384")
        cursor.execute(
            "CREATE TEMPORARY TABLE held ENGINE=Aria AS "
            f"SELECT seq AS number, REPEAT('x', 200) AS text FROM seq_1_to_{_ROWS}"
        )
        second = start_mariadb(tmp_path / "second")
        try:
            cursor.execute("SELECT COUNT(*), SUM(number) FROM held")
            assert cursor.fetchall() == [(_ROWS, _ROWS * (_ROWS + 1) // 2)]
            cursor.execute("SELECT text, COUNT(*) FROM held GROUP BY number ORDER BY number DESC LIMIT 1")
            assert cursor.fetchall() == [("x" * 200, 1)]
            cursor.execute("DROP TEMPORARY TABLE held")
            with _connect(second) as other, other.cursor() as question:
                question.execute("SELECT COUNT(DISTINCT seq, REPEAT('y', 500)) FROM seq_1_to_50000")
                assert question.fetchall() == [(50_000,)]
        finally:
            second.stop()


def test_a_servers_temporary_files_are_below_its_own_folder(first: Server, tmp_path: Path) -> None:
    with _connect(first) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        ((folder,),) = cursor.fetchall()
    assert Path(folder).is_relative_to(tmp_path / "first")
