"""The notebook of the documentation: its cells run, and reach the report's figures from the file alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from churn.training import Plan
from infra.tools.dataset import dataset
from tests.training.test_pipeline import NOW, histories_of, shop
from tests.training.test_report_html import trained

_NOTEBOOK = Path(__file__).parents[2] / "docs" / "dataset.ipynb"


def _run(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the notebook's code cells in their order, on a file of snapshots; return what they have defined."""
    monkeypatch.setenv("SNAPSHOTS", str(file))
    monkeypatch.setenv("HORIZON_DAYS", "90")
    defined: dict[str, Any] = {}
    for cell in json.loads(_NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), defined)  # noqa: S102 (our own notebook)
    return defined


def test_the_notebook_reaches_the_figures_of_the_report_within_their_intervals(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, report = tmp_path / "snapshots.parquet", trained().report
    pyarrow.parquet.write_table(dataset(histories_of(shop()[:800]), now=NOW, plan=Plan()), file)
    found = _run(file, monkeypatch)
    windows = found["windows"].to_dict("records")
    assert [(row["customers"], row["churned"]) for row in windows] == [
        (window["customers"], pytest.approx(window["churned"])) for window in report["windows"]
    ]
    assert found["figures"]["recency"]["auc"] == pytest.approx(report["recency"]["auc"], abs=1e-9)
    for model in ("forest", "alone", "logistic", "recency"):
        for figure in ("auc", "pr_auc", "brier"):
            low, high = report["intervals"][model][figure]
            assert low <= found["figures"][model][figure] <= high, (model, figure)
    assert found["money"]["real"] == pytest.approx(report["money"]["spend"]["real"])
    assert found["money"]["rate"] == pytest.approx(report["money"]["rate"]["expected"])
    assert found["captured"][-1] == 1
    assert "the riskiest  10 %" in capsys.readouterr().out
