"""Instants as they are read from input."""

import pytest

from churn.domain.timestamps import iso, parse_timestamp


@pytest.mark.parametrize(
    "value",
    [
        1732356000,
        1732356000.0,
        1732356000000,
        "1732356000",
        "1732356000000",
        "2024-11-23T10:00:00Z",
        "2024-11-23T11:00:00+01:00",
        "2024-11-23T10:00:00",
        "2024-11-23 10:00:00",
    ],
)
def test_every_way_to_write_an_instant(value: object) -> None:
    assert iso(parse_timestamp(value)) == "2024-11-23T10:00:00Z"
