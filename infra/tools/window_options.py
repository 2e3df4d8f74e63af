"""The options that choose a training's windows, of every command that takes them."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import Any

from churn.settings import Settings


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """Let a command line choose the windows."""
    parser.add_argument("--horizon", type=int, metavar="DAYS", help="days without an order that count as churn")
    parser.add_argument("--lookback", type=int, metavar="DAYS", help="use customers who ordered in the last DAYS days")
    parser.add_argument("--test-at", type=_day, metavar="DATE", help="start of the window to test on")
    parser.add_argument("--fit-at", type=_day, metavar="DATE", action="append", help="a cut-off to fit at; repeatable")
    parser.add_argument("--embargo", type=int, metavar="DAYS", help="days left out before the window to test on")


def windows_of(options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Return the part of a `Plan` that chooses the windows: what was asked for, else what the shop is set to."""
    return {
        "horizon_days": options.horizon or settings.horizon_days,
        "lookback_days": options.lookback or settings.inactivity_days,
        "test_at": options.test_at,
        "fit_at": tuple(options.fit_at or ()),
        "embargo_days": settings.embargo_days if options.embargo is None else options.embargo,
    }


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
