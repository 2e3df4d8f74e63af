"""The version stands in pyproject.toml; whatever repeats it is held equal."""

import json
import re
import tomllib
from pathlib import Path

from churn.settings import Settings

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION = PROJECT["version"]


def test_the_service_and_its_api_name_the_projects_version() -> None:
    assert Settings.from_environment({}).service_version == VERSION
    assert json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))["info"]["version"] == VERSION


def test_the_lock_file_names_the_projects_version() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert [package["version"] for package in packages if package["name"] == PROJECT["name"]] == [VERSION]


def test_the_newest_release_of_the_changelog_is_the_projects_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == VERSION
