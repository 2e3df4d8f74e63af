"""Weighing the parts of a blend, and whether its level moves, by all windows that were known before the tested one.

What learned from labels goes on with the level of its windows; the purchase process expects one for the coming window
without labels. Which of them is right, and which part is, depends on the shop and its seasons: many windows tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from churn.domain.timestamps import DAY
from churn.ml.arrays import Flags, Floats
from churn.ml.blend import PARTS, LogisticRegression, moved
from churn.ml.derived_features import derived
from churn.training.bg_nbd import fitted_process
from churn.training.blend import EQUAL, NO_ORDER, fit_logistic
from churn.training.level import shift_to
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Shape
from churn.training.snapshots import (
    FEWEST_CUSTOMERS,
    FEWEST_OF_A_KIND,
    MOST_CUT_OFFS,
    MOST_JUDGED,
    Progress,
    Snapshots,
    TrainingSet,
)

FEWEST_WINDOWS = 2
"""One window does not tell whether the level moves as the purchase process expects."""
_TREES = 40
_STEPS = 10
_SHARES_OF_EQUAL = (0.5, 0.25, 0.1, 0.0)
_MOST_LOSS = 0.0005
_HALVED_AFTER = 2
"""A window counts half as much as one that is so many horizons newer: shops change, and so do their customers."""


class Parts(NamedTuple):
    """What the PARTS of a blend say of a window's customers."""

    said: Floats
    """Shape (n, 3)."""
    churned: Flags
    """Who of them left, shape (n,)."""
    share: float = 1.0
    """How much the window counts beside others."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """What windows say of a blend: the weights of its parts, and whether its level is to be moved."""

    weights: dict[str, float]
    level: dict[str, Any]
    """`windows` that were judged, the mean of their Brier scores, `as_learned` and `moved`, and `is_moved`.

    Without a window, instead of the scores: whether the weights are `by_a_quarter` of the learned windows' customers.
    """


def judged(windows: Sequence[Snapshots], shape: Shape, plan: Plan, progress: Progress) -> list[Parts]:
    """Return what the parts of a blend say of all windows whose labels were known before the tested one.

    `windows` are in order of time: those learned from, and those of every half horizon before them. Each is judged as
    a training of its cut-off would be, by parts fitted to the newest that had ended. Newer ones count more.
    """
    answers = []
    for number, window in enumerate(windows):
        ended = [one for one in windows[:number] if one.cut_off + plan.horizon_days * DAY <= window.cut_off]
        learned = [one for one in ended[-MOST_CUT_OFFS:] if _has_both_kinds(one)]
        if learned and _has_both_kinds(window):
            progress(f"judging the parts of the blend on window {number + 1} of {len(windows)}")
            age = (windows[-1].cut_off - window.cut_off) / (plan.horizon_days * DAY)
            parts = parts_of_window(learned, window, shape, plan)
            answers.append(parts._replace(share=0.5 ** (age / _HALVED_AFTER)))
    return answers


def weigh(answers: Sequence[Parts]) -> Weighed:
    """Return the weights and the move of the level that windows had the least Brier score with, on average.

    The weights of the least score, in tenths, are mixed with equal ones: as much as costs no more than 0.0005, half at
    most. The level is moved only if two windows or more were judged.
    """
    grid = np.array([shares for shares in product(range(_STEPS + 1), repeat=len(PARTS)) if sum(shares) == _STEPS])
    candidates = grid / _STEPS
    scores = [_scores(answers, candidates, is_moved=False)]
    if len(answers) >= FEWEST_WINDOWS:
        scores.append(_scores(answers, candidates, is_moved=True))
    way, place = np.unravel_index(int(np.argmin(scores)), (len(scores), len(candidates)))
    equal = np.array([EQUAL[name] for name in PARTS])
    mixed = np.array([share * equal + (1 - share) * candidates[place] for share in _SHARES_OF_EQUAL])
    near = _scores(answers, mixed, is_moved=bool(way)) <= scores[way][place] + _MOST_LOSS
    chosen = mixed[int(np.argmax(near))]
    weights = dict(zip(PARTS, chosen.tolist(), strict=True))
    return Weighed(weights, level_of(answers, chosen.tolist()))


def parts_of_window(learned: Sequence[Snapshots], window: Snapshots, shape: Shape, plan: Plan) -> Parts:
    """Return what parts that were fitted to some windows say of a later one; of many customers, of a sample."""
    process = fitted_process(learned[-1].buying, plan)
    sampled = [_sample(one) for one in (*learned, window)]
    inputs = np.vstack([inputs for inputs, _ in sampled])
    churned = np.concatenate([labels for _, labels in sampled])
    numbers = np.repeat(np.arange(len(sampled)), [len(labels) for _, labels in sampled])
    columns = np.hstack([inputs, derived(inputs, process)])
    training_set = TrainingSet(columns, churned, np.zeros(len(churned), dtype=np.int64), numbers)
    outside = numbers == len(learned)
    trainer = ForestTrainer(training_set, 1, plan.seed)
    # What a forest says on average is not what calibration changes.
    by_forest = trainer.probabilities(trainer.fit(~outside, _TREES, shape), outside)
    regression = LogisticRegression(fit_logistic(columns[~outside], churned[~outside]))
    purchases = derived(inputs[outside], fitted_process(window.buying, plan))[:, NO_ORDER]
    by_process = np.nan_to_num(purchases, nan=0.5)
    said = np.column_stack([by_forest, regression.probabilities(columns[outside]), by_process])
    return Parts(said, churned[outside])


def level_of(answers: Sequence[Parts], weights: Sequence[float]) -> dict[str, Any]:
    """Return whether windows are better off, on average, with the mean of the blend at that of the process."""
    chosen = np.array([weights])
    before, after = (float(_scores(answers, chosen, is_moved=is_moved)[0]) for is_moved in (False, True))
    is_moved = len(answers) >= FEWEST_WINDOWS and after < before
    return {"windows": len(answers), "as_learned": before, "moved": after, "is_moved": is_moved}


def _scores(answers: Sequence[Parts], weights: Floats, *, is_moved: bool) -> Floats:
    """Return the mean Brier score of windows for each row of weights, shape (n, 3)."""
    scores = np.zeros(len(weights))
    all_shares = sum(one.share for one in answers)
    for said, churned, share in answers:
        means = said @ weights.T
        if is_moved:
            shifts = shift_to(means, float(said[:, PARTS.index("purchases")].mean()))
            means = moved(means, np.exp(shifts))
        scores += share / all_shares * np.mean((means - churned[:, None]) ** 2, axis=0)
    return scores


def _has_both_kinds(window: Snapshots) -> bool:
    left = sum(window.labels)
    return len(window.labels) >= FEWEST_CUSTOMERS and min(left, len(window.labels) - left) >= FEWEST_OF_A_KIND


def _sample(window: Snapshots) -> tuple[Floats, Flags]:
    """Return the inputs and labels of a window, of every so many customers if there are more than 10,000."""
    step = -(-len(window.labels) // MOST_JUDGED)
    return window.inputs[::step], window.churned[::step]
