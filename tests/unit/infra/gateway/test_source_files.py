"""The watch over the functions' source files: one walk for all functions that share a folder."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local.gateway import source_files
from infra.local.gateway.source_files import SourceWatch, modified


class _Function:
    """A function of these folders, which tells when it is renewed."""

    def __init__(self, *folders: Path) -> None:
        self.folders: Sequence[Path] = folders
        self.renewed = asyncio.Event()

    async def renew(self) -> None:
        self.renewed.set()


def test_a_change_renews_all_functions_that_share_the_folder_and_no_other(tmp_path: Path) -> None:
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    for folder in (first, second, shared):
        folder.mkdir()
        (folder / "app.py").write_text("1")
    functions = _Function(first, shared), _Function(second, shared), _Function(second)

    async def run() -> list[bool]:
        watch = asyncio.create_task(SourceWatch(functions, seconds=0.01).run())
        try:
            os.utime(shared / "app.py", ns=(1, 1))
            await asyncio.wait_for(asyncio.gather(*(one.renewed.wait() for one in functions[:2])), 60)
        finally:
            watch.cancel()
        return [one.renewed.is_set() for one in functions]

    assert asyncio.run(run()) == [True, True, False]


def test_a_folder_is_walked_once_for_all_who_share_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[Path] = []

    def counted(folder: Path) -> dict[str, int]:
        walked.append(folder)
        return {}

    monkeypatch.setattr(source_files, "modified", counted)
    SourceWatch([_Function(tmp_path), _Function(tmp_path)])
    assert walked == [tmp_path]


def test_only_changes_of_sources_are_changes(tmp_path: Path) -> None:
    source, other = tmp_path / "app.py", tmp_path / "notes.txt"
    source.write_text("1")
    other.write_text("1")
    before = modified(tmp_path)
    os.utime(other, ns=(1, 1))
    assert modified(tmp_path) == before
    os.utime(source, ns=(1, 1))
    assert modified(tmp_path) == {str(source): 1}


def test_what_a_build_has_installed_is_no_source(tmp_path: Path) -> None:
    for folder in ("node_modules", "__pycache__", ".cache", "churn"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "package.json").write_text("{}")
    assert [*modified(tmp_path)] == [str(tmp_path / "churn" / "package.json")]
