"""A simulated shop whose customers order in spring and before Christmas, and what moving the level gains there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from churn.domain.events import Event
from churn.domain.timestamps import DAY, from_millis, to_millis
from churn.training.blend import EQUAL
from churn.training.plan import Plan
from churn.training.random_forest import Shape
from churn.training.snapshots import Histories, Snapshots, scan_histories, take_snapshots
from churn.training.weighing import level_of, parts_of_window

START = datetime(2021, 1, 1, tzinfo=UTC)
_DAYS = 4 * 365
_EVERY_DAYS, _HORIZON_DAYS = 30, 90
_LEARNED = 3
"""Windows that the parts of a judged one are fitted to, 90 days apart."""
_FIRST_JUDGED_DAY = 500


def season(day: float) -> float:
    """Return how often customers order on a day of the year, as a multiple of the yearly mean: 0.4 to 2.3."""
    of_year = day % 365
    peaks = (math.exp(-(((of_year - middle) / 25) ** 2) / 2) for middle in (110, 335))
    return 0.4 + 1.9 * max(peaks)


def seasonal_histories(customers: int, seed: int) -> list[tuple[str, list[Event]]]:
    """Return customers who come over the whole time, order with the season, and leave for good one day."""
    random = np.random.default_rng(seed)
    histories = []
    for number in range(customers):
        begun, rate = random.uniform(0, _DAYS - 30), random.gamma(1.8, 1 / 45)
        left = min(_DAYS, begun + random.exponential(300))
        # Thinning: a Poisson process at the highest rate, of which the season keeps its part.
        days = [begun, *np.sort(random.uniform(begun, left, random.poisson(2.3 * rate * (left - begun)))).tolist()]
        kept = [day for place, day in enumerate(days) if place == 0 or random.random() < season(day) / 2.3]
        customer_id = f"C-{number}"
        orders = [
            Event(f"{number}-{place}", "order_placed", customer_id, START + timedelta(days=day), {"order_value": 30.0})
            for place, day in enumerate(kept)
        ]
        histories.append((customer_id, orders))
    return histories


@dataclass(frozen=True, slots=True)
class Judged:
    """A window: who left, what BG/NBD expected, and the Brier score that moving the level gains."""

    at: datetime
    left: float
    expected: float
    gain: float


def judged_windows(histories: Histories, seed: int = 1) -> list[Judged]:
    """Judge a window from each 30th day on, by parts fitted to windows that ended before, as a training does."""
    plan, end = Plan(horizon_days=_HORIZON_DAYS, seed=seed), START + timedelta(days=_DAYS)
    extent = scan_histories(histories, end, lambda _: None)
    days = range(_HORIZON_DAYS, _DAYS - _HORIZON_DAYS, _EVERY_DAYS)
    cut_offs = [to_millis(START) + day * DAY for day in days]
    windows = take_snapshots(histories, cut_offs, extent, plan, lambda _: None)
    apart = _HORIZON_DAYS // _EVERY_DAYS
    return [
        _judge(windows[place - _LEARNED * apart : place + 1 : apart], plan)
        for place, day in enumerate(days)
        if day >= _FIRST_JUDGED_DAY
    ]


def _judge(windows: Sequence[Snapshots], plan: Plan) -> Judged:
    """Judge the last of some windows by the others."""
    *learned, window = windows
    parts = parts_of_window(learned, window, Shape(), plan)
    found = level_of([parts], [*EQUAL.values()])
    return Judged(
        from_millis(window.cut_off),
        float(window.churned.mean()),
        float(parts.said[:, -1].mean()),
        found["as_learned"] - found["moved"],
    )


def decided(windows: Sequence[Judged], newest: int | None = None) -> Iterator[float]:
    """Yield what each training gains that moves its window's level, and 0 where it does not.

    It moves it if the windows that ended before gain on average: all, as a training takes them, or the `newest` of
    those that lie 90 days apart.
    """
    apart = _HORIZON_DAYS // _EVERY_DAYS
    for place in range(_LEARNED * apart, len(windows)):
        ended = windows[: place - apart + 1]
        asked = ended if newest is None else ended[::-1][: newest * apart : apart]
        yield windows[place].gain if sum(one.gain for one in asked) > 0 else 0.0
