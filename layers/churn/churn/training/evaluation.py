"""How good a model is on the held-out window: its figures with intervals, by slice of customers, and by feature."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from churn.domain.assumptions import Campaign
from churn.domain.features import FEATURE_NAMES, FEATURES, INPUT_NAMES
from churn.domain.risk import NEW_CUSTOMER_DAYS
from churn.ml.arrays import Flags, Floats
from churn.ml.loading import StoredModel
from churn.ml.metrics import bootstrap, bootstrap_beside, deciles, measure, reliability

_ROUNDS, _MANY = 200, 20_000
_EXPLAINED = 2000
_FEWEST_IN_A_SLICE = 50

_PLACES = {name: number for number, name in enumerate(FEATURE_NAMES)}


@dataclass(frozen=True, slots=True)
class Window:
    """The customers of the held-out window: inputs of shape (n, INPUT_NAMES), and which of them churned."""

    inputs: Floats
    churned: Flags
    campaign: Campaign = field(default_factory=Campaign)
    """What the profit of a campaign is worked out with."""

    def of(self, name: str) -> Floats:
        """Return the values of one of the 12 features."""
        column: Floats = self.inputs[:, _PLACES[name]]
        return column


def probabilities(model: StoredModel, inputs: Floats) -> Floats:
    """Return the model's probabilities, shape (n,), for inputs of shape (n, 12) or (n, INPUT_NAMES)."""
    return np.array(model.probabilities(rows_of(inputs)))


def rows_of(inputs: Floats) -> list[dict[str, float]]:
    """Return inputs of shape (n, 12) or (n, INPUT_NAMES) as rows by name; NaN stays."""
    names = INPUT_NAMES[: inputs.shape[1]]
    return [dict(zip(names, row, strict=True)) for row in inputs.tolist()]


def figures(answers: Mapping[str, Floats], window: Window, *, intervals: bool) -> dict[str, Any]:
    """Return the figures of each model, with `intervals` also 95 % intervals by a bootstrap of customers."""
    report: dict[str, Any] = {
        name: measure(answer, window.churned, campaign=window.campaign) for name, answer in answers.items()
    }
    if intervals:
        report["intervals"], report["differences"] = bootstrap_beside(
            answers, "forest", window.churned, rounds=bootstrap_rounds(window), campaign=window.campaign
        )
    return report


def slices(answer: Floats, window: Window) -> dict[str, dict[str, Any]]:
    """Return the forest's figures on slices: customers of one order, of several, new ones, the tenth who spent most."""
    spent = window.of("total_spent")
    known = np.isfinite(spent)
    masks = {
        "one_time": window.of("total_orders") == 1,
        "repeat": window.of("total_orders") > 1,
        "new": window.of("account_age_days") < NEW_CUSTOMER_DAYS,
        "high_value": spent >= np.quantile(spent[known], 0.9) if known.any() else known,
    }
    report = {}
    for name, mask in masks.items():
        part = Window(window.inputs[mask], window.churned[mask], window.campaign)
        of_slice: dict[str, Any] = {"customers": int(mask.sum())}
        if mask.sum() >= _FEWEST_IN_A_SLICE and 0 < part.churned.sum() < mask.sum():
            of_slice |= {
                "churned": float(part.churned.mean()),
                "figures": measure(answer[mask], part.churned, campaign=part.campaign),
            }
            of_slice["intervals"] = bootstrap(
                {"forest": answer[mask]}, part.churned, rounds=bootstrap_rounds(part), campaign=part.campaign
            )["forest"]
        report[name] = of_slice
    return report


def curves(answer: Floats, window: Window) -> dict[str, Any]:
    """Return the reliability curve, and lift and capture by tenths of the customers, the riskiest first."""
    return {"reliability": reliability(answer, window.churned), "deciles": deciles(answer, window.churned)}


def effects(model: StoredModel, window: Window) -> list[dict[str, Any]]:
    """Return the effect of each of the 12 features, the strongest first, on at most 2,000 customers.

    `importance` is the mean absolute contribution (TreeSHAP) in probability; `curve` the mean contribution of groups
    of customers by the feature's value, from the lowest to the highest, and of those whose value is unknown.
    """
    chosen = window.inputs[:: max(1, len(window.inputs) // _EXPLAINED)][:_EXPLAINED]
    explained = model.predict(rows_of(chosen))
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
    """Return the value for JSON: what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def bootstrap_rounds(window: Window) -> int:
    """Return how often to resample the customers: less often if they are many."""
    return _ROUNDS if len(window.churned) <= _MANY else _ROUNDS // 2


def _effect_curve(values: Floats, points: Floats) -> list[dict[str, float | None]]:
    finite = np.flatnonzero(np.isfinite(values))
    curve: list[dict[str, float | None]] = []
    if len(finite):
        edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, 9)[1:-1], method="inverted_cdf"))
        group = np.searchsorted(edges, values[finite])
        for number in np.unique(group):
            here = finite[group == number]
            curve.append({"value": float(values[here].mean()), "points": float(points[here].mean())})
    missing = np.isnan(values)
    if missing.any():
        curve.append({"value": None, "points": float(points[missing].mean())})
    return curve
