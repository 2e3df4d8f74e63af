"""Compile the forest's loops (`layers/churn/churn/ml/kernel.c`) for this machine, or for a function's.

The compiler is Zig's, which comes as a package and builds for any machine on any other. `--machine x86_64` or
`aarch64` names another machine, `--folder` another place. Nothing is done where the library is newer than its sources.
"""

import argparse
import platform
import subprocess
import sys
from pathlib import Path

from churn.ml.kernel import library_name
from infra import console

_SOURCES = Path(__file__).parents[2] / "layers/churn/churn/ml"
# Lambda's x86_64 has AVX2; its arm64 is Graviton2 or later.
_PROCESSORS = {"x86_64": "x86_64_v3", "aarch64": "neoverse_n1"}


def main() -> int:
    """Return the exit status: 1 if the library cannot be compiled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machine", choices=sorted(_PROCESSORS))
    parser.add_argument("--folder", type=Path, default=_SOURCES)
    arguments = parser.parse_args()
    try:
        compile_kernel(arguments.folder, arguments.machine)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"the forest's loops cannot be compiled: {error}", file=sys.stderr)
        return 1
    return 0


def compile_kernel(folder: Path, machine: str | None = None) -> Path:
    """Compile the library into a folder, for a machine of Lambda's or for this one, and return its path.

    Raises CalledProcessError, OSError.
    """
    library = folder / library_name(machine or platform.machine())
    sources = [*_SOURCES.glob("kernel*.[ch]")]
    if library.exists() and library.stat().st_mtime >= max(source.stat().st_mtime for source in sources):
        return library
    target = []
    if machine is not None or platform.system() == "Linux":
        machine = machine or platform.machine()
        processor = _PROCESSORS.get(machine, "baseline")
        # Amazon Linux 2023 has glibc 2.34; an older one runs on newer machines, too.
        target = ["-target", f"{machine}-linux-gnu.2.28", f"-mcpu={processor}"]
    new = library.with_suffix(".new")
    command = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O3", "-s", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*command, *target, "-o", str(new), str(_SOURCES / "kernel.c")], check=True)
    # In one step: a function may load it at this moment.
    new.replace(library)
    return library


if __name__ == "__main__":
    console.run(main)
