"""`python -m infra.tools.train`: the check of a model file, and what the command line refuses."""

from pathlib import Path

import numpy as np
import pytest

from churn.ml.bg_nbd import PurchaseModel
from churn.ml.loading import read_model
from infra.tools.train import main


@pytest.fixture
def model() -> PurchaseModel:
    """Return a model that can be served."""
    draws = np.array([[0.5, 50.0, 0.8, 2.5]])
    return PurchaseModel.from_draws(
        draws, np.array([1.0, 30.0, 90.0]), {"trained_at": "2026-05-01T00:00:00Z", "horizon_days": 90}
    )


def test_a_model_that_can_be_served_passes_the_check(
    model: PurchaseModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.npz"
    file.write_bytes(model.to_bytes())
    assert main(["--check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file} holds {model.version}\n"


def test_a_model_that_cannot_be_served_fails_the_check_with_its_reason(
    model: PurchaseModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.npz"
    file.write_bytes(model.to_bytes()[:-100])
    assert main(["--check", str(file)]) == 1
    assert f"{file} holds no model that this code can serve: the bytes are no model" in capsys.readouterr().err
    assert main(["--check", str(tmp_path / "missing.npz")]) == 1


def test_what_is_usual_for_shops_can_be_written_without_any_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.npz"
    assert main(["--prior", "--out", str(file)]) == 0
    assert read_model(file.read_bytes()).metadata["source"] == "prior"
    assert "as it is usual for shops" in capsys.readouterr().out


def test_a_quick_run_writes_no_model_card(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--quick", "--card"])
    assert "--card needs a full training run" in capsys.readouterr().err
