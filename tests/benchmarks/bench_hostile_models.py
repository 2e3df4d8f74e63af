"""Models made to break what loads them, in the project and, with `BEFORE=`, in a checkout of an earlier one.

Each is loaded, and asked for predictions, in a process of its own, with 10 seconds of a processor and 1 GB to spare.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

from infra.local.options import ROOT
from tests.benchmarks.frame import Bench, Row, one
from tests.support.hostile_models import kinds, mutated

_MUTATED = 500
_BEFORE = os.environ.get("BEFORE")
_FOREST = "import sys; from tests.support.forests import small_model; sys.stdout.buffer.write(small_model().to_bytes())"
_ENDS = {
    "raises": "raise another error than the refusal",
    "endless": "hang, or take memory without end",
    "fails": "load, and fail every request",
}


def measure(_: Bench) -> Iterator[Row]:
    """Yield how many artifacts ended in each way that is none of refused and served."""
    now = _ends(ROOT)
    before = _ends(Path(_BEFORE)) if _BEFORE else None
    for group, ends in now.items():
        for end, words in _ENDS.items():
            peer = None if before is None else one(before[group][end])
            against = "" if peer is None else "before"
            yield Row(f"{group} that {words}", f"of {ends.total()}", one(ends[end]), against, peer, at_most=0)


def _ends(project: Path) -> dict[str, Counter[str]]:
    """Return how often each end came, by the group of artifacts, which are made of the project's own forest."""
    variables = {**os.environ, "PYTHONPATH": f"{project}{os.pathsep}{project / 'layers' / 'churn'}"}
    forest = subprocess.run([sys.executable, "-c", _FOREST], cwd=project, env=variables, stdout=-1, check=True).stdout
    chance = Random(16)
    groups = {
        "kinds of artifacts": [content for _, content in kinds(forest)],
        "forests with bytes changed": [mutated(forest, chance) for _ in range(_MUTATED)],
    }
    ends = {}
    for group, artifacts in groups.items():
        with tempfile.TemporaryDirectory() as folder:
            for number, content in enumerate(artifacts):
                (Path(folder) / f"{number:03d}.npz").write_bytes(content)
            command = [sys.executable, str(Path(__file__).with_name("load_models.py")), folder]
            told = subprocess.run(command, cwd=project, env=variables, stdout=-1, check=True).stdout
        ends[group] = Counter(json.loads(told))
    return ends
