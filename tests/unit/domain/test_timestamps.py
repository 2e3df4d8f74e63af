"""Instants as they are read from input, and as milliseconds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churn.domain.timestamps import from_millis, iso, parse_timestamp, to_millis


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


@given(st.integers(-2_000_000_000_000, 250_000_000_000_000))
@example(-1)
@example(4_102_444_799_999)
@example(4_102_444_800_000)
def test_milliseconds_are_instants_to_the_microsecond(millis: int) -> None:
    instant = from_millis(millis)
    assert instant == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=millis)
    assert (instant.tzinfo, to_millis(instant)) == (UTC, millis)
