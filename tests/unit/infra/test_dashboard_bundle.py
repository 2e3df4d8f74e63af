"""When the dashboard's bundle is built anew, and that a build that fails leaves the one of before."""

from pathlib import Path

import pytest

from infra.tools import dashboard
from infra.tools.node import NodeError


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a folder of sources; a build of it copies `main.ts`."""
    web = tmp_path / "web"
    (web / "src").mkdir(parents=True)
    (web / "src" / "main.ts").write_text("1", encoding="utf-8")
    (tmp_path / "openapi.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(dashboard, "ROOT", tmp_path)
    monkeypatch.setattr(dashboard, "WEB", web)
    monkeypatch.setattr(dashboard, "BUNDLE", tmp_path / "static")
    monkeypatch.setattr(dashboard, "_OUTSIDE", (tmp_path / "openapi.json",))
    monkeypatch.setattr(dashboard, "run", _build)
    return web


def _build(folder: Path, script: str) -> str:
    source = (folder / "src" / "main.ts").read_text(encoding="utf-8")
    if source == "broken":
        raise NodeError(f"{script} failed")
    (folder / "dist").mkdir()
    (folder / "dist" / "index.html").write_text(source, encoding="utf-8")
    return ""


@pytest.mark.parametrize("changed", ["web/src/main.ts", "openapi.json", "web/src/new.ts"])
def test_the_bundle_is_out_of_date_once_a_source_has_changed(web: Path, changed: str) -> None:
    assert not dashboard.is_current()
    dashboard.build()
    assert dashboard.is_current()
    (web.parent / changed).write_text("2", encoding="utf-8")
    assert not dashboard.is_current()


def test_what_npm_and_the_build_leave_is_no_source(web: Path) -> None:
    dashboard.build()
    (web / "node_modules").mkdir()
    (web / "node_modules" / "package.js").write_text("", encoding="utf-8")
    (web / "src" / "schema.d.ts").write_text("", encoding="utf-8")
    assert dashboard.is_current()


def test_a_build_that_fails_leaves_the_bundle_of_before(web: Path) -> None:
    dashboard.build()
    (web / "src" / "main.ts").write_text("broken", encoding="utf-8")
    with pytest.raises(NodeError):
        dashboard.build()
    assert (dashboard.BUNDLE / "index.html").read_text(encoding="utf-8") == "1"
    assert not dashboard.is_current()
