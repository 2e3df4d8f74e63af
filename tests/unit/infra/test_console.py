"""Commands at the end of a pipe."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.options import PYTHON_PATH

_ROOT = Path(__file__).parents[3]


def _piped_to_nobody(*command: str) -> subprocess.CompletedProcess[bytes]:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        return subprocess.run(
            [sys.executable, "-m", *command],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": PYTHON_PATH, "JWT_SECRET": "s" * 32},
            cwd=_ROOT,
            check=False,
        )
    finally:
        os.close(writing)


# argparse passes over what it could not print, unless it was kept in a buffer until the end.
@pytest.mark.parametrize(
    ("command", "codes"),
    [("infra.tools.issue_token", {141}), ("infra.tools.models --help", {0, 141}), ("infra.local --help", {0, 141})],
)
def test_a_closed_pipe_ends_a_command_in_silence(command: str, codes: set[int]) -> None:
    ended = _piped_to_nobody(*command.split())
    assert ended.stderr == b""
    assert ended.returncode in codes


def test_another_broken_pipe_is_an_error_as_before() -> None:
    raising = "from infra import console\ndef main():\n    raise BrokenPipeError('a server')\nconsole.run(main)"
    ended = subprocess.run([sys.executable, "-c", raising], capture_output=True, cwd=_ROOT, check=False)
    assert ended.returncode == 1
    assert b"a server" in ended.stderr


def test_every_command_of_the_makefile_ends_so() -> None:
    named = set(re.findall(r"-m (infra[\w.]*)", (_ROOT / "Makefile").read_text(encoding="utf-8")))
    assert len(named) > 8
    for name in named:
        path = _ROOT / name.replace(".", "/")
        source = (path / "__main__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")
        assert re.search(r"\n    console\.run\(_?main(, sys\.argv\[1:\])?\)\n\Z", source), name
