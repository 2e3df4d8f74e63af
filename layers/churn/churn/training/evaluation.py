"""How good a model is on the newest window, beside simpler ones and the one in use, and whether it may replace that."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, FEATURES, INPUT_NAMES
from churn.domain.risk import NEW_CUSTOMER_DAYS
from churn.ml.arrays import Flags, Floats
from churn.ml.loading import StoredModel
from churn.ml.metrics import bootstrap, bootstrap_beside, deciles, measure, reliability
from churn.ml.random_forest import ChurnModel

# Comparing with other models needs no more rows than these.
_MOST_ROWS = 100_000
_ROUNDS, _MANY = 200, 20_000
_EXPLAINED = 2000
_FEWEST_IN_A_SLICE = 50

_PLACES = {name: number for number, name in enumerate(FEATURE_NAMES)}


@dataclass(frozen=True, slots=True)
class Window:
    """The customers of the held-out window: inputs of shape (n, INPUT_NAMES), and who of them churned."""

    inputs: Floats
    churned: Flags

    def of(self, name: str) -> Floats:
        """One of the 12 features."""
        column: Floats = self.inputs[:, _PLACES[name]]
        return column


def probabilities(model: StoredModel, inputs: Floats) -> Floats:
    """The model's probabilities, shape (n,), for inputs of shape (n, 12) or (n, INPUT_NAMES)."""
    names = INPUT_NAMES[: inputs.shape[1]]
    return np.array(model.probabilities([dict(zip(names, row, strict=True)) for row in inputs.tolist()]))


def figures(answers: Mapping[str, Floats], window: Window, *, intervals: bool) -> dict[str, Any]:
    """The figures of each model, and the 95 % intervals of a bootstrap by customer."""
    report: dict[str, Any] = {name: measure(given, window.churned) for name, given in answers.items()}
    if intervals:
        beside = bootstrap_beside(answers, "forest", window.churned, rounds=_rounds(window))
        report["intervals"], report["differences"] = beside
    return report


def slices(answer: Floats, window: Window) -> dict[str, dict[str, Any]]:
    """The forest's figures on those who bought once, who are new, and the tenth who spent most."""
    spent = window.of("total_spent")
    masks = {
        "one_time": window.of("total_orders") == 1,
        "repeat": window.of("total_orders") > 1,
        "new": window.of("account_age_days") < NEW_CUSTOMER_DAYS,
        "high_value": spent >= np.nanquantile(spent, 0.9),
    }
    report = {}
    for name, mask in masks.items():
        part = Window(window.inputs[mask], window.churned[mask])
        of_slice: dict[str, Any] = {"customers": int(mask.sum())}
        if mask.sum() >= _FEWEST_IN_A_SLICE and 0 < part.churned.sum() < mask.sum():
            of_slice |= {"churned": float(part.churned.mean()), "figures": measure(answer[mask], part.churned)}
            of_slice["intervals"] = bootstrap({"forest": answer[mask]}, part.churned, rounds=_rounds(part))["forest"]
        report[name] = of_slice
    return report


def curves(answer: Floats, window: Window) -> dict[str, Any]:
    """The reliability curve, and lift and capture by tenths of the riskiest."""
    return {"reliability": reliability(answer, window.churned), "deciles": deciles(answer, window.churned)}


def effects(model: ChurnModel, window: Window) -> list[dict[str, Any]]:
    """What each of the 12 features does to the probability, the strongest first, on at most 2,000 customers.

    `importance` is the mean absolute contribution (TreeSHAP) in probability; `curve` the mean contribution of groups
    of customers by the feature's value, from the lowest to the highest, and of those whose value is not known.
    """
    chosen = window.inputs[:: max(1, len(window.inputs) // _EXPLAINED)][:_EXPLAINED]
    rows = [dict(zip(INPUT_NAMES, row, strict=True)) for row in chosen.tolist()]
    explained = model.predict(rows)
    report = []
    for number, feature in enumerate(FEATURES):
        values = chosen[:, number]
        points = np.array([prediction.contributions[feature.name] for prediction in explained])
        report.append(
            {
                "feature": feature.name,
                "importance": float(np.abs(points).mean()),
                "curve": _effect_curve(values, points),
            }
        )
    return sorted(report, key=lambda effect: -effect["importance"])


def plain(value: Any) -> Any:
    """The same as JSON knows it: NaN becomes None."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounds(window: Window) -> int:
    return _ROUNDS if len(window.churned) <= _MANY else _ROUNDS // 2


def _effect_curve(values: Floats, points: Floats) -> list[dict[str, float | None]]:
    known = np.flatnonzero(np.isfinite(values))
    curve: list[dict[str, float | None]] = []
    if len(known):
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, 9)[1:-1], method="inverted_cdf"))
        group = np.searchsorted(edges, values[known])
        for number in np.unique(group):
            here = known[group == number]
            curve.append({"value": float(values[here].mean()), "points": float(points[here].mean())})
    missing = np.isnan(values)
    if missing.any():
        curve.append({"value": None, "points": float(points[missing].mean())})
    return curve
