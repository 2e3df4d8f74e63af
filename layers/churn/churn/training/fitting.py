"""Fitting a model to windows: a forest, its calibration and, if the plan says so, a blend with two other models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from churn.domain.features import FEATURES_VERSION
from churn.domain.timestamps import DAY, from_millis, iso
from churn.ml.loading import LearnedModel
from churn.ml.random_forest import COLUMNS, ChurnModel
from churn.training.blend import EQUAL, blended, parts_of_a_quarter
from churn.training.calibration import calibration
from churn.training.plan import Plan
from churn.training.random_forest import ForestTrainer, Shape, out_of_fold, search
from churn.training.snapshots import Progress, Snapshots, TrainingSet
from churn.training.weighing import Parts, Weighed, judged, weigh


@dataclass(frozen=True, slots=True)
class Choice:
    """What the windows learned from have chosen: the shape of the forest, and the weights of a blend."""

    shape: Shape = field(default_factory=Shape)
    search: dict[str, Any] | None = None
    """How the shape was found (see `churn.training.random_forest.search`); None if none was searched for."""
    weights: dict[str, float] | None = None
    """None if the forest serves alone."""
    level: dict[str, Any] | None = None
    """Whether a blend's level is moved to that of the purchase process, and why (see `weigh`)."""

    @property
    def moves_level(self) -> bool:
        """Whether it is."""
        return self.level is not None and bool(self.level["is_moved"])


def fit(
    training_set: TrainingSet,
    windows: Sequence[Snapshots],
    plan: Plan,
    facts: Mapping[str, Any],
    progress: Progress,
    *,
    choice: Choice | None = None,
    earlier: Sequence[Snapshots] = (),
) -> tuple[LearnedModel, Choice]:
    """Fit a model to the rows of the windows; return it with what was chosen, or with the `choice` given.

    `facts` are metadata of the model that do not follow from the rows, `purchase_process` and `current_process` among
    them. `earlier` are windows before those learned from, by which a blend is weighed as well.
    """
    trainer = ForestTrainer(training_set, 2, plan.seed)
    chosen = choice or Choice()
    if choice is None and plan.search:
        before = [window.cut_off + plan.horizon_days * DAY <= windows[-1].cut_off for window in windows]
        searched = search(trainer, training_set, before, plan.seed, progress)
        chosen = Choice(Shape(**searched["chosen"]), searched)
    unseen = out_of_fold(trainer, training_set, (plan.trees + 1) // 2, chosen.shape, progress)
    snapshots = len(training_set.churned) // 2
    progress(f"growing {plan.trees} trees on {snapshots:,} snapshots")
    forest = trainer.fit(np.ones(len(training_set.churned), dtype=np.bool_), plan.trees, chosen.shape)
    metadata = {
        "columns": [*COLUMNS],
        "features_version": FEATURES_VERSION,
        "calibration": calibration(unseen, training_set.churned),
        **facts,
        "horizon_days": plan.horizon_days,
        "lookback_days": plan.lookback_days,
        "fitted_at": [iso(from_millis(window.cut_off)) for window in windows],
        "snapshots": snapshots,
        "base_rate": float(training_set.churned.mean()),
        "forest": {"trees": plan.trees, "customers_a_leaf": chosen.shape.customers_a_leaf, "leaves": 64},
    }
    model = ChurnModel.from_trees([estimator.tree_ for estimator in forest.estimators_], metadata)
    if choice is None and plan.blend and plan.search:
        answers = judged([*earlier, *windows], chosen.shape, plan, progress)
        progress("weighing the forest, the regression and the purchase process")
        if answers:
            weighed = weigh(answers)
        else:
            quarter = parts_of_a_quarter(trainer, training_set, unseen, chosen.shape, windows[-1], plan)
            weights = EQUAL if quarter is None else weigh([Parts(*quarter)]).weights
            weighed = Weighed(weights, {"windows": 0, "is_moved": False, "by_a_quarter": quarter is not None})
        chosen = Choice(chosen.shape, chosen.search, weighed.weights, weighed.level)
    return model if chosen.weights is None else blended(model, training_set, chosen.weights), chosen
