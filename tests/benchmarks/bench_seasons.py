"""What moving a blend's level to that of its purchase process gains in a simulated shop with two seasons a year.

Brier scores, times 1,000: a gain is above 0. `CUSTOMERS=2000` simulates so many customers over four years.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from tests.benchmarks.frame import Bench, Row, Spread, one
from tests.support.seasonal_shop import decided, judged_windows, seasonal_histories

_CUSTOMERS = int(os.environ.get("CUSTOMERS", "2000"))


def measure(_: Bench) -> Iterator[Row]:
    """Yield the gains by window, and of two ways to decide whether to move the level."""
    windows = judged_windows(seasonal_histories(_CUSTOMERS, seed=1))
    for window in windows:
        said = f"seasons, from {window.at:%Y-%m-%d}: {window.left:.1%} left, BG/NBD says {window.expected:.1%}"
        yield Row(said, "‰ of Brier score", one(1000 * window.gain))
    yield from _told("level moved always", [window.gain for window in windows])
    yield from _told("level moved as the newest three windows say", [*decided(windows, newest=3)])
    yield from _told("level moved as all windows before say", [*decided(windows)])


def _told(how: str, gains: Sequence[float]) -> Iterator[Row]:
    moved = sum(gain != 0 for gain in gains)
    lost = sum(gain < 0 for gain in gains)
    yield Row(f"{how}: {moved} of {len(gains)} moved, {lost} lost; mean gain", "‰", one(1000 * sum(gains) / len(gains)))
    yield Row(f"{how}: worst and best", "‰", Spread(0.0, 1000 * min(gains), 1000 * max(gains)))
