"""Rows of a server's answer, against what the driver itself reads."""

from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from pymysql.cursors import DictCursor

from churn.adapters.mysql.database_url import DatabaseUrl
from churn.adapters.mysql.row_reading import CONVERSIONS, RowConnection

_TYPES = """
SELECT 1 AS whole, -9223372036854775808 AS small, 0.1e0 AS number, 12.50 AS money, NULL AS unknown, '' AS nothing,
  'Zoë 🛒' AS text, REPEAT('ü', 200) AS longer, REPEAT('x', {length}) AS longest, X'00ff7f' AS bytes, b'101' AS bits,
  CAST('2026-11-26 21:00:00.123' AS DATETIME(3)) AS instant, DATE '2026-11-26' AS day, TIME '-01:02:03' AS span,
  JSON_OBJECT('a', 1) AS json, 2 AS whole, TRUE AS flag
FROM (SELECT 1 UNION ALL SELECT 2) AS two
"""


@pytest.fixture
def connections(mysql_url: str) -> Iterator[tuple[Any, Any]]:
    address = DatabaseUrl.parse(mysql_url)
    arguments: dict[str, Any] = {
        "host": address.host, "port": address.port, "user": address.user, "password": address.password,
        "database": address.database, "charset": "utf8mb4", "conv": CONVERSIONS, "cursorclass": DictCursor,
    }  # fmt: skip
    with RowConnection(**arguments) as own, pymysql.connect(**arguments) as drivers:
        yield own, drivers


# The length of a value is one byte, or in two or three more.
@pytest.mark.parametrize("length", [0, 250, 251, 65_535, 65_536])
def test_every_type_and_length_is_what_the_driver_reads(connections: tuple[Any, Any], length: int) -> None:
    read = []
    for connection in connections:
        with connection.cursor() as cursor:
            number = cursor.execute(_TYPES.format(length=length))
            read.append((number, cursor.description, cursor.rowcount, [*cursor]))
    own, drivers = read
    assert own == drivers
    assert [type(value) for row in own[3] for value in row.values()] == [
        type(value) for row in drivers[3] for value in row.values()
    ]
