"""The dashboard's bundle: built from `functions/dashboard/web` into the folder that the function serves.

`python -m infra.tools.dashboard` builds it if what it is made of has changed since.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from infra import console
from infra.local.options import ROOT
from infra.tools.node import NodeError, run

FUNCTION = ROOT / "functions" / "dashboard"
WEB = FUNCTION / "web"
BUNDLE = FUNCTION / "static"
_MADE_OF = "made-of"
_OUTSIDE = (ROOT / "docs" / "openapi.json", ROOT / "infra" / "browser" / "churn-socket.js")
# Made by the build or by npm.
_NO_SOURCES = {"node_modules", "dist", ".lock", "schema.d.ts"}


def is_current() -> bool:
    """Return whether the bundle is there, and made of the sources as they are now."""
    made_of = BUNDLE / _MADE_OF
    return made_of.exists() and made_of.read_text(encoding="ascii") == _digest()


def build() -> None:
    """Build the bundle. Raises NodeError, and leaves the bundle of before, if that fails."""
    made_of = _digest()
    run(WEB, "build")
    built = WEB / "dist"
    (built / _MADE_OF).write_text(made_of, encoding="ascii")
    shutil.rmtree(BUNDLE, ignore_errors=True)
    built.rename(BUNDLE)


def _digest() -> str:
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sources() -> Iterator[Path]:
    yield from _OUTSIDE
    for folder, folders, files in WEB.walk():
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES)
        yield from (folder / name for name in sorted(files) if name not in _NO_SOURCES)


def main() -> int:
    """Run the command line."""
    try:
        if not is_current():
            build()
    except NodeError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    console.run(main)
