"""The promotion gate: whether a new version is no worse than the one in use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from churn.ml.arrays import Floats
from churn.ml.loading import StoredModel
from churn.ml.metrics import HIGHER_IS_BETTER, bootstrap_difference, measure
from churn.training.evaluation import Window, bootstrap_rounds

_GATED = {"auc": "ROC AUC", "brier": "Brier score"}


@dataclass(frozen=True, slots=True)
class InUse:
    """The model in use, and the model that was tested when it was trained.

    The model in use may have learned the window that both are compared on, so the tested one takes its place there.
    `tested` is None if it cannot be had.
    """

    model: StoredModel
    tested: StoredModel | None


def gate(
    new: Floats, model: StoredModel, current: InUse | None, in_use: Floats | None, window: Window
) -> dict[str, Any]:
    """Return whether the new model may replace the one in use: `passed`, `compared_with`, and `reasons` in sentences.

    `in_use` are the probabilities of the model in use, as it was tested. The new one may not if the paired bootstrap
    says that it is worse on the newest window: if the whole 95 % interval of the difference of ROC AUC or Brier score
    lies on the wrong side of 0. It is not compared with a model of a simulated shop, or of another horizon.
    """
    if current is None:
        return {"passed": True, "compared_with": None, "reasons": ["There is no model in use to compare with."]}
    known = current.model.metadata
    verdict = {"passed": True, "compared_with": current.model.version}
    if in_use is None:
        reason = "The model in use has learned from this window, and the one tested in its place is not there."
        return verdict | {"reasons": [reason]}
    if known.get("source") == "sample" and model.metadata["source"] != "sample":
        return verdict | {"reasons": ["The model in use learned from a simulated shop, this one from the shop's own."]}
    before, now = known.get("horizon_days"), model.metadata["horizon_days"]
    if before != now:
        return verdict | {"reasons": [f"The model in use looks {before} days ahead, this one {now}."]}
    ours, theirs = measure(new, window.churned), measure(in_use, window.churned)
    difference = bootstrap_difference(new, in_use, window.churned, rounds=bootstrap_rounds(window))
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


def changes(new: Mapping[str, Any], current: Mapping[str, Any], importance: Mapping[str, float]) -> list[str]:
    """Return how the new model differs from the one in use, in sentences: purpose, data, and important features."""
    sentences = []
    for key, sentence in (
        ("source", "Learned from {} instead of {}."),
        ("features_version", "Learned from version {} of the features instead of {}."),
        ("horizon_days", "Looks {} days ahead instead of {}."),
        ("lookback_days", "Looks at who ordered in the last {} days instead of {}."),
        ("snapshots", "Learned from {} snapshots instead of {}."),
        ("tested_at", "Tested on the window from {} instead of {}."),
        ("base_rate", "Of these, {:.1%} churned instead of {:.1%}."),
    ):
        if current.get(key) is not None and new[key] != current[key]:
            sentences.append(sentence.format(new[key], current[key]))
    before = current.get("importance")
    if before:
        total, total_before = sum(importance.values()) or 1, sum(before.values()) or 1
        shares = [(name, importance[name] / total, before.get(name, 0) / total_before) for name in importance]
        for name, share, share_before in sorted(shares, key=lambda row: -abs(row[1] - row[2]))[:3]:
            if abs(share - share_before) >= 0.03:
                sentences.append(f"{name} makes {share:.0%} of all contributions instead of {share_before:.0%}.")
    return sentences
