"""`make help` fits a terminal and forgets no command."""

import re
from pathlib import Path

MAKEFILE = (Path(__file__).parents[3] / "Makefile").read_text(encoding="utf-8")
COMMANDS = dict(re.findall(r"^([a-z-]+):[^=\n]*## (.+)$", MAKEFILE, re.MULTILINE))


def test_every_line_of_the_help_fits_100_columns() -> None:
    assert not [name for name, text in COMMANDS.items() if len(f"  make {name:11}  {text}") > 100]


def test_every_command_is_explained() -> None:
    [phony] = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert set(phony.replace("\\", "").split()) == COMMANDS.keys()
