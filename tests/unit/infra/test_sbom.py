"""The bill of materials names every package that is deployed, with a hash and a licence."""

import json
import re
import tomllib
from typing import Any

import pytest

from infra.tools.sbom import NPM_LOCK, ROOT, bill, licence_of, npm_components, python_packages

# None of these asks a company that deploys the service to publish its own code.
_PERMISSIVE = {
    *("0BSD", "Apache License 2.0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "CC0-1.0", "ISC"),
    *("MIT", "MIT-0", "PSF-2.0", "Python-2.0", "Zlib"),
}


@pytest.fixture(scope="module")
def components() -> list[dict[str, Any]]:
    content = bill(python_packages(), json.loads(NPM_LOCK.read_text(encoding="utf-8")))
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.5")
    listed: list[dict[str, Any]] = content["components"]
    return listed


def test_every_direct_dependency_is_listed_and_no_tool(components: list[dict[str, Any]]) -> None:
    names = {component["name"].lower() for component in components}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    layers = ("model", "training", "identity", "tracing")
    direct = [*project["project"]["dependencies"], *(name for layer in layers for name in groups[layer])]
    assert {re.split(r"[\[<>=]", name)[0] for name in direct} <= names
    assert not names & {"pytest", "mypy", "moto", "hypothesis", "eslint", "vite", "typescript"}


def test_every_package_has_a_version_a_hash_and_a_licence(components: list[dict[str, Any]]) -> None:
    for component in components:
        assert component["version"], component["name"]
        assert component["hashes"], component["name"]
        assert component["licenses"][0]["license"]["name"], component["name"]
    assert len({component["bom-ref"] for component in components}) == len(components)


def test_no_licence_asks_for_the_source_of_what_uses_it(components: list[dict[str, Any]]) -> None:
    licences = {component["name"]: component["licenses"][0]["license"]["name"] for component in components}
    named = {name: set(re.split(" AND | OR ", licence)) for name, licence in licences.items()}
    assert {name: parts - _PERMISSIVE for name, parts in named.items() if not parts <= _PERMISSIVE} == {}


def test_packages_that_only_build_the_page_are_left_out() -> None:
    package = {"version": "1.0.0", "integrity": "sha256-AAEC", "license": "MIT"}
    lock = {"packages": {"": {}, "node_modules/@a/b": package, "node_modules/c": {**package, "dev": True}}}
    (component,) = npm_components(lock)
    assert (component["purl"], component["hashes"]) == (
        "pkg:npm/%40a/b@1.0.0",
        [{"alg": "SHA-256", "content": "000102"}],
    )


def test_a_package_that_is_not_there_is_told() -> None:
    with pytest.raises(LookupError, match="no-such-package is not installed"):
        licence_of("no-such-package")
