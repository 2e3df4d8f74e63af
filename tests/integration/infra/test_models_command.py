"""`make models`, `make promote` and `make rollback`, on moto's S3."""

from __future__ import annotations

from pathlib import Path

import pytest

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.services.training_runs import release
from infra.tools.models import main
from tests.support.events import NOW
from tests.support.registry import BUCKET, model


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "MODEL_BUCKET": BUCKET,
        "CHURN_STATE_DIR": str(tmp_path),
        "POWERTOOLS_LOG_LEVEL": "WARNING",
    }.items():
        monkeypatch.setenv(name, value)


def test_versions_are_listed_promoted_and_rolled_back(
    registry: S3ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    first = model(1)
    worse = model(2, compared_with=first, passed=False)
    release(registry, first, by="training", now=NOW)
    release(registry, worse, by="training", now=NOW)
    assert main(["promote", worse.version]) == 1
    assert "its AUC is lower" in capsys.readouterr().err
    assert main(["promote", worse.version, "--force", "the shop changed"]) == 0
    assert registry.promotion_state().version == worse.version
    assert main(["rollback", "--reason", "too many alerts"]) == 0
    assert registry.promotion_state().version == first.version
    capsys.readouterr()

    assert main(["list"]) == 0
    _, newest, oldest, *_, back, forced, begun = capsys.readouterr().out.splitlines()
    assert newest.split()[0] == worse.version
    assert f"not passed against {first.version}" in newest
    assert oldest.split()[:2] == [first.version, "serves"]
    assert back.endswith(f"(command line), back from {worse.version}: too many alerts")
    assert forced.endswith("(command line), forced: the shop changed")
    assert begun.startswith(f"2026-11-23T12:00:00  {first.version}  training")


@pytest.mark.usefixtures("registry")
def test_what_cannot_be_done_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", "no-such-version"]) == 1
    assert main(["rollback"]) == 1
    shown = capsys.readouterr().err
    assert "there is no such version" in shown
    assert "No version has served before" in shown
