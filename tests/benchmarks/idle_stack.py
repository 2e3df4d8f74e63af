"""What an idle local stack takes of a core: all of its processes, for `SECONDS` (60) in which nobody asks it anything.

The stack of `CHURN_STATE_DIR` runs already: `make up EVENT_RATE=0`.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

from infra.local.options import state_folder

SECONDS = float(os.environ.get("SECONDS", "60"))


def main() -> None:
    """Print each process's part, and that of all."""
    state = state_folder(os.environ)
    if not (state / "ready").exists():
        print("no local stack runs: make up EVENT_RATE=0")
        return
    supervisor = int((state / "lock").read_text(encoding="ascii"))
    before = processor_seconds(supervisor)
    time.sleep(SECONDS)
    used = Counter(processor_seconds(supervisor))
    used.subtract(before)
    for process, seconds in used.most_common():
        if seconds > 0:
            print(f"{100 * seconds / SECONDS:6.2f} %  {process}")
    print(f"{100 * used.total() / SECONDS:6.2f} %  of a core")


def processor_seconds(process: int) -> dict[str, float]:
    """Return the seconds of the processor that a process and its descendants have had, by their commands."""
    try:
        tasks = [*Path(f"/proc/{process}/task").iterdir()]
        nanoseconds = sum(int((task / "schedstat").read_text(encoding="ascii").split()[0]) for task in tasks)
        children = [int(child) for task in tasks for child in (task / "children").read_text("ascii").split()]
        command = Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
        function = Path(f"/proc/{process}/cwd").readlink().name
    except OSError:
        return {}
    seconds = {f"{process} {function}: {command[-60:]}": nanoseconds / 1e9}
    for child in children:
        seconds |= processor_seconds(child)
    return seconds


if __name__ == "__main__":
    main()
