"""A first start where packages of npm cannot be had: all but the page runs, and its address says how to build it."""

import shutil
from pathlib import Path

import pytest

from infra.local.options import ROOT
from infra.local.servers.databases import free_port
from tests.contract.conftest import Stack, running_stack


@pytest.mark.slow
def test_without_npm_the_service_runs_and_the_page_says_how_to_build_it(
    tmp_path: Path, buckets: Path, stack: Stack
) -> None:
    # The session's stack is there, so that this one copies its first model.
    assert stack.ask("GET", "/health", role=None).status == 200
    project, state = tmp_path / "project", tmp_path / "state"
    left_out = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "static", "tests", "pictures")
    shutil.copytree(ROOT, project, ignore=left_out)
    state.mkdir()
    npm = {"npm_config_registry": f"http://127.0.0.1:{free_port()}", "npm_config_cache": str(tmp_path / "npm")}
    with running_stack(state, buckets, project, SAMPLE_CUSTOMERS="30", EVENT_RATE="0", **npm) as own:
        page = own.get("/", role=None)
        assert page.status == 404
        assert "<code>make build</code> builds the page" in page.body.decode()
        assert own.ask("GET", "/health", role=None).json["status"] == "healthy"
        assert own.get("/api/customers").json["total"] == 30
    assert "the dashboard could not be built, everything else runs" in (state / "test.log").read_text(encoding="utf-8")
    assert "ECONNREFUSED" in (state / "logs" / "dashboard.log").read_text(encoding="utf-8")
