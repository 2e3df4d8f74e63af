"""`make help` fits a terminal and forgets no command; names of files may hold what a shell reads otherwise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"^([a-z-]+):[^=\n]*## (.+)$", MAKEFILE, re.MULTILINE))


def test_every_line_of_the_help_fits_100_columns() -> None:
    assert not [name for name, text in COMMANDS.items() if len(f"  make {name:11}  {text}") > 100]


def test_every_command_is_explained() -> None:
    [phony] = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.replace("\\", "").split()) == COMMANDS.keys()


@pytest.mark.parametrize("command", ["import", "export", "dataset"])
def test_the_name_of_a_file_reaches_its_command_as_it_is(command: str) -> None:
    name = 'we ird\'$x`y` "z".csv'
    shows = f"{sys.executable} -c 'import sys; print(sys.argv[3])'"
    made = [
        "make",
        "--silent",
        "--old-file=made",
        command,
        "STAMP=made",
        f"PYTHON={shows}",
        f"FILE={name.replace('$', '$$')}",
    ]
    done = subprocess.run(made, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{name}\n"
