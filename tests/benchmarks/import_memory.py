"""Memory of an import by the lines that it has read, as a picture: how much one long file takes.

``LINES=10000000 python -m tests.benchmarks.import_memory docs/pictures/import-memory.svg``. The whole file is
read, sorted and made events of, as with ``--dry-run``; the memory is that of the process, every hundredth of the way,
and its most is told, which is that of the sort in between.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from infra.tools.importer.history import Options
from infra.tools.importer.parser import read_history
from infra.tools.importer.storing import collect_seldom
from tests.benchmarks.bench_import import write_orders

_LINES = int(os.environ.get("LINES", "1000000"))
_LIMIT = 500
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 640, 300, 60, 40
_COLOURS = {"read": "#2563eb", "made events": "#d97706"}


def main() -> None:
    """Read a generated file, print the memory, and write the picture."""
    collect_seldom()
    curves: dict[str, list[tuple[int, int]]] = {name: [] for name in _COLOURS}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orders.csv"
        write_orders(file, _LINES)
        began, used = time.perf_counter(), time.process_time()

        def read(lines: int, _: float | None) -> None:
            # Both readings go over all lines.
            _note(curves["read"], lines // 2)

        with read_history(file, Options(), now=datetime.now(UTC), progress=read) as history:
            for number, _ in enumerate(history.events(), 1):
                _note(curves["made events"], number)
    took, used = time.perf_counter() - began, time.process_time() - used
    seen = max(memory for curve in curves.values() for _, memory in curve)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{_LINES:,} lines: {seen} MB on the way, {most} at most; {took:.0f} s, {used:.0f} s of the processor")
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(_picture(curves), encoding="utf-8")


def _note(curve: list[tuple[int, int]], lines: int) -> None:
    step = max(_LINES // 100, 1)
    if lines // step > (curve[-1][0] // step if curve else 0):
        curve.append((lines, _megabytes()))


def _megabytes() -> int:
    """Return the memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def _picture(curves: dict[str, list[tuple[int, int]]]) -> str:
    def x(lines: float) -> float:
        return _LEFT + lines / _LINES * (_WIDTH - _LEFT - 20)

    def y(memory: float) -> float:
        return _HEIGHT - _BOTTOM - memory / (_LIMIT + 50) * (_HEIGHT - _BOTTOM - 20)

    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
    parts = [
        f'{opening} font-family="sans-serif" font-size="12">',
        f"<title>Memory of an import of {_LINES:,} lines</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
    ]
    for memory in range(0, _LIMIT + 1, 100):
        colour = "#dc2626" if memory == _LIMIT else "#d4d4d8"
        parts.append(f'<path d="M{x(0):.0f} {y(memory):.1f}H{x(_LINES):.0f}" stroke="{colour}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(memory) + 4:.1f}" text-anchor="end">{memory} MB</text>')
    for share in range(6):
        lines, anchor = _LINES * share // 5, "end" if share == 5 else "middle"
        label = f'<text x="{x(lines):.0f}" y="{_HEIGHT - 16}" text-anchor="{anchor}">{lines / 1e6:g} million</text>'
        parts.append(label)
    for number, (name, curve) in enumerate(curves.items()):
        points = " ".join(f"{x(lines):.1f},{y(memory):.1f}" for lines, memory in curve)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2"/>')
        at = _LEFT + 20 + number * 160
        parts.append(f'<text x="{at}" y="14" fill="{_COLOURS[name]}">lines {name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
