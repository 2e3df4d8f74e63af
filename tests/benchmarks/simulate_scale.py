"""A day of 10 million customers and 20,000 events a second with a peak, reckoned from measured unit costs.

`python -m tests.benchmarks.simulate_scale` reads `scale_costs.json`, prints the limits, the lag and the cost of each
deployment in it, and draws docs/pictures/scale-lag.svg. Nothing is measured here: what a unit costs is, and its source
stands beside it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Self

from infra.local.options import ROOT

COSTS = Path(__file__).with_name("scale_costs.json")
_PICTURE = ROOT / "docs" / "pictures" / "scale-lag.svg"
_MINUTES = 24 * 60
_COLOURS = ("#a2191f", "#c2622d", "#2458a6", "#2a7f62")


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the template's parameters and the classes of the database give."""

    name: str
    partitions: int
    concurrency: int
    pollers: int
    batch: int
    database_processors: int
    database_price: float
    """US dollars an hour, standby included."""
    storage_gb: float

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Self:
        """Return the deployment that JSON describes."""
        return cls(**fields)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a deployment: the lag of each minute, in minutes; dollars, and what is stored."""

    lag: list[float]
    backlog: float
    dollars: dict[str, float]
    stored_gb: float


def rate(minute: int, costs: Mapping[str, float]) -> float:
    """Return the events a second at a minute of the day: a quiet night, a plateau, and a peak of an hour at eight."""
    hour = minute / 60
    if 20 <= hour < 21:
        return costs["events_a_second"] * costs["peak_times"]
    share = costs["night_share"]
    day = max(0.0, min(1.0, 1.6 * math.sin(math.pi * (hour - 5) / 18))) if 5 < hour < 23 else 0.0
    return costs["events_a_second"] * (share + (1 - share) * day)


def limits(deployment: Deployment, costs: Mapping[str, float]) -> dict[str, float]:
    """Return how many events a second each part carries."""
    seconds = _batch_seconds(deployment, costs)
    at_once = {
        "partitions": deployment.partitions,
        "scoring concurrency": deployment.concurrency,
        "pollers": deployment.pollers * costs["batches_a_poller"],
    }
    carried = {name: number * deployment.batch / seconds for name, number in at_once.items()}
    # The sweep and the readers take their share first.
    sweep = costs["customers"] * costs["due_share"] / 86_400 * costs["sweep_database_us"] / 1e6
    free = deployment.database_processors * costs["database_busy_share"] - sweep - costs["readers_processors"]
    carried["database processors"] = max(0.0, free) / (costs["event_database_us"] / 1e6)
    carried["the alerts' counter, a hot row"] = deployment.batch / (costs["alert_lock_ms"] / 1000)
    return carried


def simulate(deployment: Deployment, costs: Mapping[str, float]) -> Day:
    """Return a day: what comes and cannot be applied waits in Kafka."""
    most = min(limits(deployment, costs).values())
    waiting, lag, applied = 0.0, [], 0.0
    for minute in range(_MINUTES):
        waiting += 60 * rate(minute, costs)
        done = min(waiting, 60 * most)
        waiting, applied = waiting - done, applied + done
        lag.append(waiting / (60 * most))
    return Day(lag, waiting, _dollars(deployment, costs, applied), applied * costs["event_bytes"] / 1e9)


def _batch_seconds(deployment: Deployment, costs: Mapping[str, float]) -> float:
    """Return what a batch takes by the clock: its events one after another, and its statements' ways."""
    each = costs["event_own_us"] / costs["function_processors"] + costs["event_database_us"]
    return (deployment.batch * each / 1000 + costs["statements_a_batch"] * costs["round_trip_ms"]) / 1000


def _dollars(deployment: Deployment, costs: Mapping[str, float], applied: float) -> dict[str, float]:
    batches = applied / deployment.batch
    return {
        "functions": batches * _batch_seconds(deployment, costs) * costs["function_gb"] * costs["price_gb_second"]
        + batches * costs["price_invocation"],
        "pollers": 24 * deployment.pollers * costs["price_poller_hour"],
        "database": 24 * deployment.database_price,
        "Kafka": 24 * (costs["price_kafka_hour"] + deployment.partitions * costs["price_partition_hour"])
        + applied * costs["event_kafka_bytes"] / 1e9 * costs["price_kafka_gb"],
        "a day's events, kept for a month": applied * costs["event_bytes"] / 1e9 * costs["price_storage_gb_month"],
    }


def lag_plot(days: Mapping[str, Day], arrivals: Callable[[int], float]) -> str:
    """Return the lag of several deployments over a day (SVG), with what comes below it."""
    width, height, left = 640, 300, 80
    most = max(1.0, *(max(day.lag) for day in days.values()))
    top = max(arrivals(minute) for minute in range(_MINUTES))
    across = [left + (width - left - 20) * minute / _MINUTES for minute in range(_MINUTES)]

    def line(values: list[float], highest: float, colour: str, extra: str = "") -> str:
        places = (
            f"{x:.1f},{height - 40 - (height - 70) * value / highest:.1f}"
            for x, value in [*zip(across, values, strict=True)][::5]
        )
        return f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2" {extra}/>'

    marks = [line([arrivals(minute) for minute in range(_MINUTES)], top, "#9aa5b1", 'stroke-dasharray="4 3"')]
    legend = [("#9aa5b1", f"events a second, {top:,.0f} at most (dashed)")]
    for colour, (name, day) in zip(_COLOURS, days.items(), strict=False):
        marks.append(line(day.lag, most, colour))
        legend.append((colour, f"{name}: {max(day.lag):,.0f} minutes of lag at most"))
    for hour in range(0, 25, 4):
        x = left + (width - left - 20) * hour / 24
        marks.append(f'<text x="{x:.0f}" y="{height - 22}" text-anchor="middle">{hour}:00</text>')
    for part in (0.0, 0.5, 1.0):
        y = height - 40 - (height - 70) * part
        marks.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{part * most:,.0f} min</text>')
        marks.append(f'<path d="M{left} {y:.0f}H{width - 20}" stroke="#d5dbe3"/>')
    for number, (colour, text) in enumerate(legend):
        y = height + 16 * number
        marks.append(f'<rect x="{left}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        marks.append(f'<text x="{left + 16}" y="{y}">{escape(text)}</text>')
    whole = height + 16 * len(legend)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {whole}" font-family="sans-serif" '
        f'font-size="12"><rect width="{width}" height="{whole}" fill="#ffffff"/>{"".join(marks)}</svg>\n'
    )


def read_costs() -> tuple[dict[str, float], list[Deployment]]:
    """Return the unit costs by name, and the deployments."""
    written = json.loads(COSTS.read_text(encoding="utf-8"))
    costs = {name: float(cost["value"]) for name, cost in written["costs"].items()}
    return costs, [Deployment.of(fields) for fields in written["deployments"]]


def main() -> None:
    """Print what each deployment carries, its lag and its cost; draw the lag."""
    costs, deployments = read_costs()
    days = {}
    for deployment in deployments:
        carried, day = limits(deployment, costs), simulate(deployment, costs)
        days[deployment.name] = day
        first = min(carried, key=lambda name: carried[name])
        print(f"\n{deployment.name}: {first} first, at {carried[first]:,.0f} events a second")
        for name, number in sorted(carried.items(), key=lambda item: item[1]):
            print(f"  {name:<32} {number:12,.0f} events a second")
        full = deployment.storage_gb / day.stored_gb if day.stored_gb else math.inf
        print(f"  lag at most {max(day.lag):,.1f} minutes; {day.backlog:,.0f} events wait at midnight")
        print(f"  {day.stored_gb:,.0f} GB a day; {deployment.storage_gb:,.0f} GB are full after {full:,.1f} days")
        told = ", ".join(f"{name} {dollars:,.0f}" for name, dollars in day.dollars.items())
        print(f"  {sum(day.dollars.values()):,.0f} US dollars a day: {told}")
    _PICTURE.write_text(lag_plot(days, lambda minute: rate(minute, costs)), encoding="utf-8")


if __name__ == "__main__":
    main()
