"""The model that serves, with the purchase process of the day: between trainings, and without labels."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.model import PURCHASE_PROCESS, kind_of
from churn.domain.timestamps import iso
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PurchaseModel
from churn.ml.blend import BlendedModel
from churn.ml.loading import StoredModel
from churn.ml.outlook import outlooks
from churn.training.bg_nbd import FEWEST_BUYERS, fitted_process, orders_until, purchase_model
from churn.training.evaluation import probabilities, rows_of
from churn.training.freshness import is_near, rank_correlation
from churn.training.level import with_level
from churn.training.plan import Plan
from churn.training.snapshots import Histories, Progress, Snapshots
from churn.training.spending import fit_spending

LEAST_MOVE = 0.001
"""Below so much, as the mean of the probabilities' distances, a new version is not worth a sweep of all customers."""
LEAST_SHARE_OF_ORDERS = 0.01
"""The same of the orders that are expected of all customers together, as a share."""

_OF_A_FIT = frozenset({"purchase_process", "current_process", "spending", "customers", "reference", "kind"})
"""Metadata of a young shop's purchase process that each fit makes anew."""


@dataclass(frozen=True, slots=True)
class Update:
    """What came of bringing a model up to now: the `model`, or None where the one that serves stays; `reason` why."""

    model: StoredModel | None
    reason: str


def brought_up_to(
    served: StoredModel, trained: StoredModel, histories: Histories, *, now: datetime, plan: Plan, progress: Progress
) -> Update:
    """Return the model that serves with the purchase process and the values of orders of `now`.

    `trained` is the version that the last training made. The update must stay near it on the customers of today, as
    `churn.training.freshness` defines near, so that no number of updates wanders off from what was tested. A young
    shop's purchase process is nothing but its fit to the orders, and goes with them. Raises CannotTrainError where the
    histories have no orders.
    """
    extent, latest = orders_until(histories, now, plan, progress)
    active = latest.inputs
    if len(latest.buying) < FEWEST_BUYERS or not len(active):
        return Update(None, f"{len(latest.buying)} customers have ordered, {len(active)} of them lately: too few.")
    progress(f"bringing the purchase process up to now, by {len(latest.buying):,} customers")
    fresh = _with_process_of(served, latest, plan, {"data": extent.described()})
    before, after = probabilities(served, active), probabilities(fresh, active)
    moved, orders = float(np.abs(after - before).mean()), _share_of_orders(served, fresh, active)
    knows_money, knew_money = (one.metadata.get("spending") is not None for one in (fresh, served))
    if moved < LEAST_MOVE and orders < LEAST_SHARE_OF_ORDERS and knows_money == knew_money:
        return Update(
            None, f"Probabilities move by {moved:.4f} on average, expected orders by {orders:.1%}: hardly at all."
        )
    if kind_of(served.metadata) != PURCHASE_PROCESS:
        at_training = probabilities(trained, active)
        difference, correlation = float(after.mean() - at_training.mean()), rank_correlation(after, at_training)
        if not is_near(difference, correlation):
            return Update(
                None,
                f"The mean probability would differ by {difference:+.3f} from the trained version's, with a rank "
                f"correlation of {correlation:.3f}: too far without a training.",
            )
    reason = (
        f"Version {served.version} with the purchase process of {now:%Y-%m-%d}: probabilities move by {moved:.4f} on "
        f"average, expected orders by {orders:.1%}."
    )
    gate = {"passed": True, "compared_with": served.version, "reasons": [reason]}
    return Update(fresh.with_metadata(gate=gate, freshness=_freshness(trained, now)), reason)


def _with_process_of(served: StoredModel, latest: Snapshots, plan: Plan, data: dict[str, Any]) -> StoredModel:
    if isinstance(served, PurchaseModel):
        kept = {name: value for name, value in served.metadata.items() if name not in _OF_A_FIT}
        return purchase_model(latest, plan, {**kept, **data})
    # The interval of spend is learned from windows with known outcomes: it stays.
    spending = fit_spending(latest.values_of_orders)
    if spending is not None:
        spending = {**(served.metadata["spending"] or {}), **spending}
    process = fitted_process(latest.buying, plan)
    if isinstance(served, BlendedModel):
        fresh = served.with_metadata(current_process=process, spending=spending)
        return with_level(fresh, latest.inputs) if "shift" in served.metadata["blend"] else fresh
    return served.with_metadata(current_process=process, spending=spending)


def _freshness(trained: StoredModel, now: datetime) -> dict[str, Any]:
    """Return which version the figures are of, and which the trained one is, whichever came between."""
    known = trained.metadata.get("freshness") or {"served": "as_tested", "tested_version": None, "tried": []}
    form = "brought_up_to_now" if known["served"] == "as_tested" else known["served"]
    return {
        "served": form,
        "as_of": iso(now.replace(microsecond=0)),
        "tested_version": known.get("tested_version") or trained.version,
        "trained_version": trained.version,
        "tried": known.get("tried", []),
    }


def _share_of_orders(served: StoredModel, fresh: StoredModel, active: Floats) -> float:
    """Return by which share the orders that are expected of all customers change."""
    before, after = (
        sum(found.orders for found in outlooks(rows_of(active), model.metadata) if found is not None)
        for model in (served, fresh)
    )
    return abs(after / before - 1) if before else float(after > 0)
