"""What the rooms of the package may import, beyond what the import contract can say."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PACKAGE = _ROOT / "layers" / "churn" / "churn"
# Parts of the standard library that reach outside the process, or wait.
_IO = {
    "asyncio", "concurrent", "ctypes", "email", "ftplib", "http", "io", "multiprocessing", "os", "pathlib", "queue",
    "select", "selectors", "shutil", "signal", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess",
    "tempfile", "threading", "time", "urllib", "webbrowser", "xmlrpc",
}  # fmt: skip
_PURE = set(sys.stdlib_module_names) - _IO
_ALLOWED = {
    "domain": set(),
    # An artifact is an archive in memory.
    "ml": {"numpy", "io"},
    "training": {"numpy", "sklearn", "scipy", "threadpoolctl"},
}


def _imports(file: Path, *, everywhere: bool) -> Iterator[str]:
    """Yield the modules that a file imports: at module level (not for types alone), or everywhere."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


# The compiled loops are a file beside their module, which is loaded as code is.
_LOADERS = {"ml/kernel.py: ctypes", "ml/kernel.py: pathlib"}


@pytest.mark.parametrize("room", _ALLOWED)
def test_pure_rooms_import_the_standard_library_without_io(room: str) -> None:
    foreign = {
        f"{file.relative_to(_PACKAGE)}: {module}"
        for file in (_PACKAGE / room).rglob("*.py")
        for module in _imports(file, everywhere=True)
        if module.partition(".")[0] not in _PURE | _ALLOWED[room] | {"churn"}
    }
    assert foreign - _LOADERS == set()


def test_no_service_and_no_function_loads_training_at_its_start() -> None:
    files = [*(_PACKAGE / "services").rglob("*.py"), *(_ROOT / "functions").glob("*/app.py")]
    early = {
        str(file.relative_to(_ROOT))
        for file in files
        for module in _imports(file, everywhere=False)
        if module.startswith(("churn.training", "sklearn", "scipy", "pandas"))
    }
    assert early == set()


def test_functions_use_no_driver_themselves() -> None:
    drivers = {"boto3", "botocore", "kafka", "pymysql", "redis", "numpy"}
    used = {
        f"{file.parent.name}: {module}"
        for file in (_ROOT / "functions").glob("*/app.py")
        for module in _imports(file, everywhere=True)
        if module.partition(".")[0] in drivers
    }
    assert used == set()
