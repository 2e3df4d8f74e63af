"""The options that choose windows: what is asked for, else what the shop is set to."""

import argparse
from datetime import UTC, datetime

from churn.settings import Settings
from churn.training import Plan
from infra.tools.window_options import add_window_options, windows_of


def _plan(*arguments: str, **environment: str) -> Plan:
    parser = argparse.ArgumentParser()
    add_window_options(parser)
    return Plan(**windows_of(parser.parse_args(arguments), Settings.from_environment(environment)))


def test_what_is_not_asked_for_is_as_the_shop_is_set() -> None:
    found = _plan(INACTIVITY_DAYS="365", HORIZON_DAYS="60", EMBARGO_DAYS="3")
    assert found == Plan(horizon_days=60, lookback_days=365, embargo_days=3)


def test_what_is_asked_for_holds_also_where_it_is_zero_days_of_embargo() -> None:
    asked = ("--horizon", "30", "--lookback", "400", "--embargo", "0", "--test-at", "2026-03-01")
    found = _plan(*asked, "--fit-at", "2026-01-01", "--fit-at", "2026-01-20", INACTIVITY_DAYS="365")
    assert found == Plan(
        horizon_days=30,
        lookback_days=400,
        embargo_days=0,
        test_at=datetime(2026, 3, 1, tzinfo=UTC),
        fit_at=(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 20, tzinfo=UTC)),
    )
