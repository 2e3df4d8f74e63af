"""The benchmark of a shop with seasons: its orders follow them, and its figures are of decisions that could be made."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.seasonal_shop import START, Judged, decided, season, seasonal_histories


def test_customers_order_with_the_season() -> None:
    assert sum(season(day) for day in range(365)) / 365 == pytest.approx(1, abs=0.1)
    days = [(event.timestamp - START).days % 365 for _, events in seasonal_histories(1500, 3) for event in events[1:]]
    spring, summer = (sum(middle - 15 <= day < middle + 15 for day in days) for middle in (110, 222))
    assert spring > 3 * summer


def test_a_training_decides_by_windows_that_have_ended() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    gains = [-1.0] * 9 + [2.0] * 6
    windows = [Judged(at + timedelta(days=30 * place), 0.5, 0.5, gain) for place, gain in enumerate(gains)]
    # The newest three end 90, 180 and 270 days before: the first gain is known three windows later, and outweighs two.
    assert [*decided(windows, newest=1)] == [0.0, 0.0, 0.0, 2.0, 2.0, 2.0]
    assert [*decided(windows, newest=3)] == [0.0] * 6
    assert [*decided(windows)] == [0.0] * 6
    assert [*decided([*windows, *windows[-3:]], newest=3)][-3:] == [2.0] * 3
