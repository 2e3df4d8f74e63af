"""The figures of a model and of drift, against scikit-learn's and scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from churn.ml import drift
from churn.ml.metrics import MEASURES, measure

# Few different values, so that ties are usual.
_ROWS = st.lists(st.tuples(st.integers(0, 20).map(lambda n: n / 20), st.booleans()), min_size=2, max_size=60)


@given(_ROWS.filter(lambda rows: len({churned for _, churned in rows}) == 2))
def test_the_figures_are_scikit_learns(rows: list[tuple[float, bool]]) -> None:
    p, churned = np.array([p for p, _ in rows]), np.array([churned for _, churned in rows])
    figures = measure(p, churned)
    assert figures["auc"] == pytest.approx(metrics.roc_auc_score(churned, p))
    assert figures["pr_auc"] == pytest.approx(metrics.average_precision_score(churned, p))
    assert figures["brier"] == pytest.approx(metrics.brier_score_loss(churned, p))
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    assert figures["log_loss"] == pytest.approx(metrics.log_loss(churned, clipped), rel=1e-6)
    assert figures["accuracy"] == pytest.approx(metrics.accuracy_score(churned, p >= 0.5))
    assert figures.keys() == MEASURES.keys()


@pytest.mark.parametrize("degrees", [1, 2, 9, 20])
def test_the_quantiles_are_scipys(degrees: int) -> None:
    assert drift._chi_squared(degrees, 1e-4) == pytest.approx(stats.chi2.isf(1e-4, degrees), rel=0.06)
