"""Import of a shop's own history: ``python -m infra.tools.importer FILE [--kind orders|events|customers]``."""

import os
import signal
import sys
from types import FrameType

from infra import console


def _begin() -> None:
    """Say how it ends where somebody ends it before it has begun: what it needs takes a second to load."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end_at_once)


def _end_at_once(number: int, _frame: FrameType | None) -> None:
    sys.stderr.write(
        "import: interrupted before the file was read: nothing was stored; the same command begins again\n"
    )
    sys.stderr.flush()
    os._exit(128 + number)


def _main() -> int:
    from infra.tools.importer.command import main  # noqa: PLC0415
    from infra.tools.importer.storing import collect_seldom  # noqa: PLC0415

    collect_seldom()
    code = main()
    # All is said.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    _begin()
    console.run(_main)
