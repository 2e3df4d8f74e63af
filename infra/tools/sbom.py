"""The software bill of materials of what is deployed, as CycloneDX 1.5: each package with version, hashes and licence.

Python packages come from `uv.lock`, as the layers carry them; those of the dashboard from its `package-lock.json`.
"""

import argparse
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

from infra import console

ROOT = Path(__file__).parents[2]
NPM_LOCK = ROOT / "functions" / "dashboard" / "web" / "package-lock.json"
_GROUPS = ("model", "training", "identity", "tracing")
# What these name as their licence is none that could be judged: a line of copyright, "Dual License". SciPy's wheel also
# holds the runtime libraries of GCC, under the exception that lets anything be linked with them.
_LICENCES = {"python-dateutil": "Apache-2.0 OR BSD-3-Clause", "scipy": "BSD-3-Clause"}
_ALGORITHMS = {"sha512": "SHA-512", "sha384": "SHA-384", "sha256": "SHA-256"}


def bill(exported: dict[str, Any], npm_lock: dict[str, Any]) -> dict[str, Any]:
    """Return uv's bill of the Python packages with their licences, and with the packages of the dashboard."""
    components = [
        {**component, "licenses": [{"license": {"name": licence_of(component["name"])}}]}
        for component in exported["components"]
    ]
    return {**exported, "components": [*components, *npm_components(npm_lock)]}


def licence_of(package: str) -> str:
    """Return the licence that an installed package names. Raises LookupError."""
    try:
        told = metadata(package)
    except PackageNotFoundError:
        raise LookupError(f"{package} is not installed, so its licence is not known: run 'make up' first") from None
    if package in _LICENCES:
        return _LICENCES[package]
    classified = [name.rpartition(" :: ")[2] for name in told.get_all("Classifier") or [] if name[:7] == "License"]
    licence = told.get("License-Expression") or (told.get("License") or "").split("\n")[0] or ", ".join(classified)
    if not licence:
        raise LookupError(f"{package} names no licence")
    return licence


def npm_components(npm_lock: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the components of the packages that the page is built of; what only builds it is left out."""
    for path, package in sorted(npm_lock["packages"].items()):
        name = path.rpartition("node_modules/")[2]
        if not name or package.get("dev"):
            continue
        algorithm, _, digest = package["integrity"].partition("-")
        purl = f"pkg:npm/{name.replace('@', '%40')}@{package['version']}"
        yield {
            "type": "library",
            "bom-ref": f"{purl}#{path}",
            "name": name,
            "version": package["version"],
            "purl": purl,
            "hashes": [{"alg": _ALGORITHMS[algorithm], "content": base64.b64decode(digest).hex()}],
            "licenses": [{"license": {"name": package["license"]}}],
        }


def python_packages() -> dict[str, Any]:
    """Return uv's bill of what the layers carry. Raises CalledProcessError."""
    # As `layers/churn/Makefile` builds the layer: what the framework's command line needs stays out.
    exported = _export("--prune", "chalice")
    exported["components"] += [one for one in _export()["components"] if one["name"] == "chalice"]
    # Where a package is fetched from is the machine's own business, which may use a mirror.
    for component in exported["components"]:
        files = component.pop("externalReferences", [])
        component["hashes"] = [one for file in files for one in file.get("hashes", [])]
    return exported


def _export(*arguments: str) -> dict[str, Any]:
    groups = [argument for group in _GROUPS for argument in ("--group", group)]
    # As in the Makefile, which puts uv there on a machine that has none.
    uv = shutil.which("uv") or str(ROOT / ".local" / "tools" / "bin" / "uv")
    command = [uv, "export", "--quiet", "--frozen", "--no-default-groups", *groups, "--format", "cyclonedx1.5"]
    export = subprocess.run([*command, *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    exported: dict[str, Any] = json.loads(export.stdout)
    return exported


def main() -> int:
    """Write the bill to a file; return 1 if it cannot be made."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.sbom", description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    try:
        content = bill(python_packages(), json.loads(NPM_LOCK.read_text(encoding="utf-8")))
    except (LookupError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{len(content['components'])} packages are listed in {options.file}")
    return 0


if __name__ == "__main__":
    console.run(main)
