"""What `POST /api/churn/predict` is compared with: Flask and scikit-learn's `predict_proba` of the same forest."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, request

from churn.domain.features import FEATURE_NAMES
from tests.support.forests import fitted_forest


def rival() -> Flask:
    """Return an application that predicts by scikit-learn."""
    forest: Any = fitted_forest(trees=200, rows=12_000, with_derived=False)
    app = Flask("rival")

    @app.post("/predict")
    def predict() -> dict[str, float]:
        features = request.get_json()
        row = [[float(features[name]) for name in FEATURE_NAMES]]
        return {"churn_probability": float(forest.predict_proba(row)[0, 1])}

    return app


if __name__ == "__main__":
    # Two processes, as the local stack has two environments of the function.
    rival().run(port=int(sys.argv[1]), threaded=False, processes=2)
