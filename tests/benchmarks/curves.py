"""How costs grow with the shop: small plots (SVG) with both axes in powers of ten, eight curves in each."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from html import escape
from itertools import batched
from pathlib import Path

from tests.benchmarks.frame import Row

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _LINE = 640, 300, 60, 40, 12, 16
_COLOURS = ("#2458a6", "#c2622d", "#2a7f62", "#8a3ffc", "#b28600", "#a2191f", "#007d79", "#5b6675")
_AXIS = "#5b6675"


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Draw what was measured of several sizes of a shop; return the files."""
    found: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for row in rows:
        if row.size is not None:
            found[row.unit, row.what].append((row.size, row.taken.median))
    drawn = []
    for unit in sorted({unit for unit, _ in found}):
        curves = {what: sorted(points) for (of, what), points in found.items() if of == unit and len(points) > 1}
        name = "".join(letter if letter.isalnum() else "" for letter in unit)
        for number, part in enumerate(batched(curves.items(), len(_COLOURS), strict=False), start=1):
            path = folder / f"growth-{name}-{number}.svg"
            path.write_text(plot(dict(part), "customers", unit), encoding="utf-8")
            drawn.append(path)
    return drawn


def plot(curves: dict[str, list[tuple[int, float]]], across: str, unit: str) -> str:
    """Return a plot of curves of points (SVG), with a legend below."""
    points = [point for curve in curves.values() for point in curve]
    low_x, high_x = _powers([x for x, _ in points])
    low_y, high_y = _powers([y for _, y in points])

    def at(x: float, y: float) -> str:
        right = _LEFT + (_WIDTH - _LEFT - _RIGHT) * (math.log10(x) - low_x) / (high_x - low_x)
        down = _TOP + (_HEIGHT - 60) * (1 - (math.log10(max(y, 10.0**low_y)) - low_y) / (high_y - low_y))
        return f"{right:.1f},{down:.1f}"

    marks = []
    for power in range(low_y, high_y + 1):
        begin, end = at(10**low_x, 10**power), at(10**high_x, 10**power)
        marks.append(f'<polyline points="{begin} {end}" stroke="#d5dbe3"/>')
        marks.append(_text(_LEFT - 6, float(begin.split(",")[1]) + 4, f"{10.0**power:,g}", "end"))
    for power in range(low_x, high_x + 1):
        x = float(at(10**power, 10**low_y).split(",")[0])
        marks.append(_text(x, _HEIGHT - 30, f"{10**power:,}", "middle"))
    marks.append(_text(_WIDTH / 2, _HEIGHT - 12, f"{across}; {unit}, both in powers of ten", "middle"))
    for number, (what, curve) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        places = [at(x, y) for x, y in curve]
        marks.append(f'<polyline points="{" ".join(places)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        marks += (
            f'<circle cx="{place.split(",")[0]}" cy="{place.split(",")[1]}" r="3" fill="{colour}"/>' for place in places
        )
        y = _HEIGHT + 8 + _LINE * number
        marks.append(f'<rect x="{_LEFT}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        marks.append(_text(_LEFT + 16, y, f"{what}: {', '.join(f'{value:.3g}' for _, value in curve)}", "start"))
    height = _HEIGHT + _LINE * len(curves) + 14
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" '
        f'font-size="12"><rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>{"".join(marks)}</svg>\n'
    )


def _powers(values: Sequence[float]) -> tuple[int, int]:
    """Return the powers of ten between which values lie."""
    logarithms = [math.log10(value) for value in values if value > 0] or [0.0]
    low, high = math.floor(min(logarithms)), math.ceil(max(logarithms))
    return low, max(high, low + 1)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_AXIS}">{escape(text)}</text>'
