"""How good a model is on the newest window, beside simpler ones and the one in use, and whether it may replace that."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, FEATURES, INPUT_NAMES
from churn.domain.risk import NEW_CUSTOMER_DAYS
from churn.ml.loading import StoredModel
from churn.ml.metrics import (
    HIGHER_IS_BETTER,
    Flags,
    bootstrap,
    bootstrap_beside,
    bootstrap_difference,
    deciles,
    measure,
    reliability,
)
from churn.ml.random_forest import ChurnModel, Floats, derived
from churn.training.forest import Learned, logistic
from churn.training.snapshots import Progress

# Comparing with other models needs no more rows than these.
_MOST_ROWS = 100_000
_ROUNDS, _MANY = 200, 20_000
_EXPLAINED = 2000
_FEWEST_IN_A_SLICE = 50
_GATED = {"auc": "ROC AUC", "brier": "Brier score"}

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


def baselines(learned: Learned, window: Window, model: ChurnModel, progress: Progress) -> dict[str, Floats]:
    """The answers of simpler and of other models that learned from the same snapshots, shape (n,) each.

    `recency`: a logistic curve of the days since the last order. `logistic`: logistic regression on the logarithms of
    the forest's columns. `boosting`: gradient-boosted trees on these columns. `purchases`: BG/NBD's probability of no
    order, which needs no labels. `twelve`: the forest itself, told the 12 features alone.
    """
    # The first half: the other one has each of its rows again, with the 12 features alone.
    whole = len(learned.churned) // 2
    rows = np.arange(0, whole, max(1, whole // _MOST_ROWS))
    columns, churned = learned.columns[rows], learned.churned[rows]
    asked = model.columns(window.inputs)
    progress("beside it: recency, logistic regression, gradient boosting, BG/NBD")
    return {
        "recency": recency_alone(columns, churned, window),
        "logistic": _logistic_regression(columns, churned, asked),
        "boosting": _boosting(columns, churned, asked),
        "purchases": derived(window.inputs, model.metadata["purchase_process"])[:, 2],
        "twelve": probabilities(model, window.inputs[:, : len(FEATURE_NAMES)]),
    }


def recency_alone(columns: Floats, churned: Flags, window: Window) -> Floats:
    """A logistic curve of the logarithm of the days since the last order."""
    place = _PLACES["days_since_last_order"]
    slope, intercept = logistic(np.log1p(columns[:, place]), churned)
    answer: Floats = 1 / (1 + np.exp(-(slope * np.log1p(window.inputs[:, place]) + intercept)))
    return answer


def _logistic_regression(columns: Floats, churned: Flags, asked: Floats) -> Floats:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (a second to import)

    def prepared(given: Floats) -> Floats:
        logs = np.log1p(np.maximum(np.nan_to_num(given, nan=0.0), 0.0))
        return np.hstack([logs, np.isnan(given).astype(np.float64)])

    known = prepared(columns)
    centre, width = known.mean(axis=0), known.std(axis=0)
    width[width < 1e-9] = np.inf
    fitted = LogisticRegression(max_iter=1000).fit((known - centre) / width, churned)
    answer: Floats = fitted.predict_proba((prepared(asked) - centre) / width)[:, 1]
    return answer


def _boosting(columns: Floats, churned: Flags, asked: Floats) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 (a second to import)
    from threadpoolctl import threadpool_limits  # noqa: PLC0415

    known = ~np.isnan(columns).all(axis=0)
    # Its threads wait for one another at every step, without end where something else keeps the processor busy.
    with threadpool_limits(1):
        fitted = HistGradientBoostingClassifier(random_state=1).fit(columns[:, known], churned)
        answer: Floats = fitted.predict_proba(asked[:, known])[:, 1]
    return answer


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


def gate(
    new: Floats, model: ChurnModel, current: StoredModel | None, in_use: Floats | None, window: Window
) -> dict[str, Any]:
    """Whether the new model may replace the one in use: `passed`, `compared_with`, and `reasons` in sentences.

    It may unless the paired bootstrap says that it is worse on the newest window: a 95 % interval of the difference of
    ROC AUC or Brier score that lies on the wrong side of 0 as a whole. A model of a simulated shop, or for another
    horizon, is no measure for one of the shop's own customers.
    """
    verdict = {"passed": True, "compared_with": None if current is None else current.version}
    if current is None or in_use is None:
        return verdict | {"reasons": ["There is no model in use to compare with."]}
    if current.metadata.get("source") == "sample" and model.metadata["source"] != "sample":
        return verdict | {"reasons": ["The model in use learned from a simulated shop, this one from the shop's own."]}
    before, now = current.metadata.get("horizon_days"), model.metadata["horizon_days"]
    if before != now:
        return verdict | {"reasons": [f"The model in use looks {before} days ahead, this one {now}."]}
    ours, theirs = measure(new, window.churned), measure(in_use, window.churned)
    difference = bootstrap_difference(new, in_use, window.churned, rounds=_rounds(window))
    reasons = []
    for figure, name in _GATED.items():
        low, high = difference[figure]
        worse = high < 0 if figure in HIGHER_IS_BETTER else low > 0
        verdict["passed"] = verdict["passed"] and not worse
        reasons.append(
            f"On the newest window its {name} is {ours[figure]:.4f}, and that of the model in use "
            f"{theirs[figure]:.4f}: {'worse' if worse else 'no worse'}, as the difference is "
            f"{low:+.4f} to {high:+.4f} (95 %)."
        )
    return verdict | {"reasons": reasons}


def change(new: Mapping[str, Any], current: Mapping[str, Any], importance: Mapping[str, float]) -> list[str]:
    """What is other than in the version in use, in sentences: what it was trained for and on, and what matters."""
    sentences = []
    for key, told in (
        ("source", "Learned from {} instead of {}."),
        ("horizon_days", "Looks {} days ahead instead of {}."),
        ("lookback_days", "Looks at who ordered in the last {} days instead of {}."),
        ("snapshots", "Learned from {} snapshots instead of {}."),
        ("tested_at", "Tested on the window from {} instead of {}."),
        ("base_rate", "Of these, {:.1%} churned instead of {:.1%}."),
    ):
        if current.get(key) is not None and new[key] != current[key]:
            sentences.append(told.format(new[key], current[key]))
    before = current.get("importance")
    if before:
        total, total_before = sum(importance.values()) or 1, sum(before.values()) or 1
        shares = [(name, importance[name] / total, before.get(name, 0) / total_before) for name in importance]
        for name, share, share_before in sorted(shares, key=lambda one: -abs(one[1] - one[2]))[:3]:
            if abs(share - share_before) >= 0.03:
                sentences.append(f"{name} makes {share:.0%} of all contributions instead of {share_before:.0%}.")
    return sentences


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
