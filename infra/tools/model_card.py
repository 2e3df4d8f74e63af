"""The model card: a version's definition, data, figures and limits, from its report alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from churn.domain.features import FEATURE_NAMES, FEATURES
from churn.training import Window
from churn.training.report_html import FIGURES, FORMS, MODELS, PARTS, SLICES, day, window_level


def model_card(report: Mapping[str, Any], held_out: Window) -> str:
    """Return the card, in Markdown, of a version that was trained with its search and its comparisons."""
    parts = [
        _head(report),
        _definition(report["definition"]),
        _data(report),
        _figures(report),
        _features(held_out, report),
        _limits(report),
    ]
    return "\n\n".join(parts) + "\n"


def _head(report: Mapping[str, Any]) -> str:
    forest, search = report["forest_shape"], report["search"]
    return f"""# Model card

Written by `make train`, of version `{report["version"]}`, trained on {day(report["trained_at"])}. Do not edit it:
train.

A random forest of {forest["trees"]} trees of at most {forest["leaves"]} leaves, each of at least
{forest["customers_a_leaf"]} customers, calibrated (beta calibration) by what it said of customers that it had not seen.
It answers with the probability that a customer orders nothing in the horizon, and with what each feature adds to it.
Its shape was chosen among {len(search["tried"])}, judged {search["by"]}.{_blend(report)}{_serves(report)}

It is for choosing whom to care for first; it is not for deciding what somebody may buy, pay or be told."""


def _blend(report: Mapping[str, Any]) -> str:
    weights = report["weights"]
    if weights is None:
        return ""
    parts = ", ".join(f"{PARTS[name]} {weight:.0%}" for name, weight in weights.items())
    return f"\n\nThe probability that is served is the weighted mean of three: {parts}.{window_level(report)}"


def _serves(report: Mapping[str, Any]) -> str:
    """Return which form of the model serves; the figures below are the tested one's."""
    freshness = report["freshness"]
    if freshness["served"] == "as_tested":
        return "\n\nWhat serves is the model that was tested."
    form = FORMS[freshness["served"]].format(day=day(freshness["as_of"]))
    tested = freshness["tested_version"]
    return f"\n\nThe figures below are those of the tested model, `{tested}`. What serves is the same {form}."


def _definition(definition: Mapping[str, Any]) -> str:
    return f"""## Definition

- **Churned**: no order that counts in the {definition["horizon_days"]} days from the cut-off on (`HORIZON_DAYS`) that
  stood at the end of them; a cancelled order is none.
- **Eligible**: the account is active, and the last order is at most {definition["lookback_days"]} days old
  (`INACTIVITY_DAYS`). Who has been silent for longer has lapsed already.
- **Features** are computed from events strictly before the cut-off, with the code that serves.
- **Held out**: the newest window; between it and what was learned from lie at least {definition["embargo_days"]} days
  (`EMBARGO_DAYS`), unless the cut-offs were given by hand."""


def _data(report: Mapping[str, Any]) -> str:
    data = report["data"]
    source = "a simulated shop" if report["source"] == "sample" else "the shop's own history"
    windows = [
        [window["cut_off"][:10], window["role"], f"{window['customers']:,}", f"{window['churned']:.1%}"]
        for window in report["windows"]
    ]
    constant = report["constant"]
    unused = f"\n\nNot used, because they are unknown or the same for all: {', '.join(constant)}." if constant else ""
    return f"""## Data

From {source}: {data["customers"]:,} customers, {data["events"]:,} events, orders from {data["first"][:10]} to
{data["last"][:10]}. Fingerprint `{data["fingerprint"][:16]}`.

{_table(["window from", "", "customers", "churned"], windows)}{unused}"""


def _figures(report: Mapping[str, Any]) -> str:
    shown = {name: label for name, label in MODELS.items() if name in report}
    rows = [
        [label, *(_with_interval(report[name][key], report["intervals"][name][key]) for key in _SHOWN)]
        for name, label in shown.items()
    ]
    parts = [
        [SLICES[name], f"{part['customers']:,}", f"{part['churned']:.1%}", *(_short(part, key) for key in _SHOWN)]
        for name, part in report["slices"].items()
        if "figures" in part
    ]
    heads = [FIGURES[key][0] for key in _SHOWN]
    return f"""## How good it is

On the {report["customers"]:,} customers of the newest window, of whom {report["churned"]:.1%} churned, with 95 %
intervals of a bootstrap by customer:

{_table(["", *heads], rows)}

{_table(["this model on", "customers", "churned", *heads], parts)}

The gate is {"passed" if report["gate"]["passed"] else "not passed"}. {" ".join(report["gate"]["reasons"])}"""


def _features(window: Window, report: Mapping[str, Any]) -> str:
    frame = pd.DataFrame(window.inputs[:, : len(FEATURE_NAMES)], columns=list(FEATURE_NAMES))
    coverage = frame.notna().mean()
    stayed, left = frame[~window.churned].median(), frame[window.churned].median()
    effects = {effect["feature"]: effect["importance"] for effect in report["effects"]}
    rows = [
        [
            f"`{feature.name}`",
            f"{feature.description} ({feature.unit})",
            f"{coverage[feature.name]:.0%}",
            _number(stayed[feature.name]),
            _number(left[feature.name]),
            f"{100 * effects[feature.name]:.1f}",
        ]
        for feature in FEATURES
    ]
    head = ["feature", "what it is", "known", "median, stayed", "median, churned", "mean effect, points"]
    return f"""## Features

Anybody may give these 12, each may be missing. For customers who are stored the model is told their spend in the last
30, 90 and 180 days and the gaps between their orders as well; what follows from all of these, it works out itself.

{_table(head, rows)}"""


def _limits(report: Mapping[str, Any]) -> str:
    rates = [window["churned"] for window in report["windows"]]
    apart = abs(rates[-1] - sum(rates[:-1]) / len(rates[:-1]))
    weakest = min(
        (part["figures"]["auc"], name) for name, part in report["slices"].items() if "figures" in part
    )  # fmt: skip
    return f"""## Limits

- It knows what the shop sends, and nothing of prices elsewhere, stock, or the season: the share that churned in the
  window tested lies {100 * apart:.1f} points from that of the windows learned from; its probabilities are off by
  {100 * report["forest"]["ece"]:.1f} points on average (ECE).
- It is weakest on {SLICES[weakest[1]]}: ROC AUC {weakest[0]:.3f}.
- It says who is likely to leave, not whom an offer would keep.
- Beyond the ages and sums that it has seen, trees stay flat.
- It is right for the horizon it was trained for, and for this shop."""


_SHOWN = ("auc", "pr_auc", "brier", "ece", "top_decile_lift", "profit")


def _with_interval(value: float, interval: Sequence[float]) -> str:
    return f"{value:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"


def _short(part: Mapping[str, Any], key: str) -> str:
    value = part["figures"][key]
    return "" if value is None else f"{value:.3f}"


def _number(value: float) -> str:
    return "not known" if pd.isna(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
