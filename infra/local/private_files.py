"""Files that only whoever runs the local stack may read: its logs, its keys and where it listens."""

import os
from pathlib import Path
from typing import BinaryIO


def make_private(folder: Path) -> None:
    """Make a folder that nobody else may look into, also if it was there before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


def open_private(path: Path, *, anew: bool = False) -> BinaryIO:
    """Open a file to append to it, or to write it `anew`; nobody else may read it, also if it was there before."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if anew else os.O_APPEND)
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return os.fdopen(descriptor, "wb")


def write_private(path: Path, text: str) -> None:
    """Replace a file, which only its owner may read, in one step, so that nobody reads half of it."""
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
