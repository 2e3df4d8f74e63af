"""The look at the functions' source files: one walk for all functions that share a folder."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from infra.local.gateway.source_files import CHECK_SECONDS, SourceFiles


def test_a_folder_is_walked_once_for_all_who_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text("1")
    walked: list[Path] = []
    walk = os.walk

    def counted(folder: Path) -> Iterator[Any]:
        walked.append(folder)
        return walk(folder)

    monkeypatch.setattr(os, "walk", counted)
    files = SourceFiles(clock=lambda: 7.0)
    with ThreadPoolExecutor(3) as threads:
        looks = [*threads.map(files.modified, [tmp_path] * 3)]
    assert walked == [tmp_path]
    assert [[*look] for look in looks] == [[str(tmp_path / "app.py")]] * 3


def test_a_change_is_seen_by_the_next_look(tmp_path: Path) -> None:
    now = 0.0
    files = SourceFiles(clock=lambda: now)
    source, other = tmp_path / "app.py", tmp_path / "notes.txt"
    source.write_text("1")
    other.write_text("1")
    before = files.modified(tmp_path)
    os.utime(other, ns=(1, 1))
    now += CHECK_SECONDS
    assert files.modified(tmp_path) == before
    os.utime(source, ns=(1, 1))
    assert files.modified(tmp_path) == before
    now += CHECK_SECONDS
    assert files.modified(tmp_path) == {str(source): 1}


def test_what_a_build_has_installed_is_no_source(tmp_path: Path) -> None:
    for folder in ("node_modules", "__pycache__", ".cache", "churn"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "package.json").write_text("{}")
    assert [*SourceFiles().modified(tmp_path)] == [str(tmp_path / "churn" / "package.json")]
