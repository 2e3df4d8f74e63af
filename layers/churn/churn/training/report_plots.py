"""Small plots (SVG) and tables of a report's page: no script, as wide as a telephone, larger where there is room."""

from collections.abc import Iterable, Sequence
from html import escape

INK, OTHER, FAINT = "#2458a6", "#c2622d", "#c4ccd6"
_AXIS = "#5b6675"
_WIDTH = 320
_ROW = 34
_LABEL, _LONG = 195, 34
_SIDE, _EDGE = 280, 42
_BARS, _GAP = 90, 10

Interval = Sequence[float | None] | None


def dots(title: str, says: str, rows: Sequence[tuple[str, float | None, Interval, str]]) -> str:
    """Return a plot of one figure: a row each with its label, its value, its interval if it has one, and its colour."""
    ends = [value for _, value, _, _ in rows if value is not None]
    ends += [end for _, _, span, _ in rows for end in span or () if end is not None]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    marks = []
    for number, (label, value, span, colour) in enumerate(rows):
        y = _ROW * number + 13
        narrow = f'textLength="{_LABEL}" lengthAdjust="spacingAndGlyphs" ' if len(label) > _LONG else ""
        marks.append(f'<text x="0" y="{y}" {narrow}class="label">{escape(label)}</text>')
        marks.append(f'<text x="{_WIDTH}" y="{y}" text-anchor="end">{_written(value, span)}</text>')
        marks.append(_line(6, _WIDTH - 6, y + 10, FAINT, 1))
        if value is None:
            continue
        if span is not None and span[0] is not None and span[1] is not None:
            marks.append(_line(_along(span[0], low, high), _along(span[1], low, high), y + 10, colour, 3))
        marks.append(f'<circle cx="{_along(value, low, high):.1f}" cy="{y + 10}" r="5" fill="{colour}"/>')
    return figure(title, says, "".join(marks), _WIDTH, _ROW * len(rows))


def bars(title: str, says: str, rows: Sequence[tuple[str, str, Sequence[tuple[float, str]]]]) -> str:
    """Return a plot of bars: a row each with its label, what stands at its end, and bars of a length and a colour."""
    most = max((length for _, _, parts in rows for length, _ in parts), default=0) or 1
    marks, y = [], 0
    for label, end, parts in rows:
        marks.append(f'<text x="0" y="{y + 13}">{escape(label)}</text>')
        marks.append(f'<text x="{_WIDTH}" y="{y + 13}" text-anchor="end">{escape(end)}</text>')
        for place, (length, colour) in enumerate(parts):
            top, width = y + 18 + 8 * place, _WIDTH * max(length, 0) / most
            marks.append(f'<rect x="0" y="{top}" width="{width:.1f}" height="7" fill="{colour}"/>')
        y += 18 + 8 * len(parts) + 8
    return figure(title, says, "".join(marks), _WIDTH, y)


def signed_bars(title: str, says: str, rows: Sequence[tuple[str, float]]) -> str:
    """Return a plot of upright bars above and below 0, in their order, with the first and the last label beneath."""
    most = max((abs(value) for _, value in rows), default=0) or 1
    width = (_WIDTH - _GAP) / max(1, len(rows))
    middle = _BARS / 2
    marks = [_line(0, _WIDTH, middle, _AXIS, 1)]
    for number, (label, value) in enumerate(rows):
        height = abs(value) / most * (middle - 14)
        x, top = number * width, middle - height if value > 0 else middle
        colour = OTHER if value > 0 else INK
        marks.append(f'<rect x="{x:.1f}" y="{top:.1f}" width="{width - 4:.1f}" height="{height:.1f}" fill="{colour}"/>')
        above = top - 3 if value > 0 else top + height + 11
        at = f'x="{x + width / 2 - 2:.1f}" text-anchor="middle" class="small"'
        marks.append(f'<text {at} y="{above:.1f}">{value:+.1f}</text>')
        marks.append(f'<text {at} y="{_BARS + 10}">{escape(label)}</text>')
    return figure(title, says, "".join(marks), _WIDTH, _BARS + 14)


def chart(title: str, across: str, up: str, content: str, labels: Sequence[str] = ("0", "100%", "100%")) -> str:
    """Return a square plot of 0 to 1 in both directions; `labels` stand at the origin and at both ends."""
    axes = (
        f'<path d="M{_EDGE} {_EDGE / 2} V{_SIDE - _EDGE} H{_SIDE - _EDGE / 2}" fill="none" stroke="{_AXIS}"/>'
        f'<text x="{_EDGE - 12}" y="{_SIDE - _EDGE + 14}">{labels[0]}</text>'
        f'<text x="{_SIDE - _EDGE / 2}" y="{_SIDE - _EDGE + 14}" text-anchor="end">{labels[1]}</text>'
        f'<text x="{_EDGE - 4}" y="{_EDGE / 2 + 4}" text-anchor="end">{labels[2]}</text>'
        f'<text x="{_SIDE / 2}" y="{_SIDE - 10}" text-anchor="middle">{escape(across)}</text>'
        f'<text x="12" y="{_SIDE / 2}" text-anchor="middle" transform="rotate(-90 12 {_SIDE / 2})">{escape(up)}</text>'
    )
    return figure(title, "", axes + content, _SIDE, _SIDE)


def path(points: Iterable[tuple[float, float]], colour: str, *, with_dots: bool = False) -> str:
    """Return a line through points of a `chart`."""
    places = [_place(x, y) for x, y in points]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    drawn = f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
    circles = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places)
    return drawn + (circles if with_dots else "")


def figure(title: str, says: str, content: str, width: int, height: int) -> str:
    """Return a plot that shrinks with the page, under its title and what it says."""
    sentence = f"<small>{escape(says)}</small>" if says else ""
    return (
        f"<figure><figcaption>{escape(title)}{sentence}</figcaption>"
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{content}</svg></figure>'
    )


def plots(*drawn: str) -> str:
    """Return plots beside each other where there is room, else below each other."""
    return f'<div class="plots">{"".join(drawn)}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that scrolls by itself where it is wider than the page; all cells but the first are numbers."""

    def line(cells: Sequence[str], tag: str) -> str:
        others = "".join(f'<{tag} class="number">{cell}</{tag}>' for cell in cells[1:])
        return f"<tr><{tag}>{cells[0]}</{tag}>{others}</tr>"

    return f'<div class="wide"><table>{line(head, "th")}{"".join(line(row, "td") for row in rows)}</table></div>'


def folded(summary: str, content: str) -> str:
    """Return content that opens below a line."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def _written(value: float | None, span: Interval) -> str:
    if value is None:
        return "not known"
    if span is None or None in span:
        return f"{value:.3f}"
    return f'{value:.3f} <tspan class="small">{span[0]:.3f} to {span[1]:.3f}</tspan>'


def _along(value: float, low: float, high: float) -> float:
    return 8 + (_WIDTH - 16) * (value - low) / ((high - low) or 1)


def _line(left: float, right: float, y: float, colour: str, width: int) -> str:
    return (
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="{width}"/>'
    )


def _place(x: float, y: float) -> tuple[float, float]:
    inner = _SIDE - 1.5 * _EDGE
    return _EDGE + x * inner, _SIDE - _EDGE - y * inner
