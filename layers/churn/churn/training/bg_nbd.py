"""A model for a shop that is too young for labels: its customers' purchase process, with its uncertainty."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from churn.domain.features import FEATURE_NAMES, FEATURES_VERSION
from churn.domain.model import PURCHASE_PROCESS, kind_of
from churn.domain.timestamps import iso, to_millis
from churn.ml.arrays import Floats
from churn.ml.bg_nbd import PARAMETERS, PurchaseModel
from churn.ml.drift import reference
from churn.ml.loading import StoredModel
from churn.ml.prior import DEVIATION, USUAL
from churn.training.evaluation import probabilities
from churn.training.plan import Plan
from churn.training.snapshots import Extent, Histories, Progress, Snapshots, scan_histories, take_snapshots
from churn.training.spending import fit_spending

FEWEST_BUYERS = 50
LEAST_SPAN_DAYS = 14
"""The first and last order must lie so far apart: hours or days of orders say nothing of who comes back."""

_MOST_CUSTOMERS = 20_000
_PROPOSALS = 2000
_TAILS = 5
"""Degrees of freedom of the proposals: their tails are longer than those of any posterior here."""
_CELLS = 200_000
"""Customers times parameter sets that are evaluated at once: some megabytes."""


def missing_to_fit(extent: Extent, latest: Snapshots) -> str | None:
    """Return what orders lack to fit the purchase process to them; None if they are enough."""
    span, buyers = extent.span_days, len(latest.buying)
    if span < LEAST_SPAN_DAYS:
        if extent.first is None:
            return f"a first model needs orders of {LEAST_SPAN_DAYS} days"
        return f"a first model needs orders that span {LEAST_SPAN_DAYS} days, {LEAST_SPAN_DAYS - span:.1f} more"
    if buyers < FEWEST_BUYERS:
        return f"{buyers} customers have ordered; {FEWEST_BUYERS} are needed for a first model"
    return None


def train_purchases(
    extent: Extent,
    latest: Snapshots,
    *,
    now: datetime,
    plan: Plan,
    why: str,
    code: dict[str, str],
    progress: Progress,
) -> tuple[PurchaseModel, dict[str, Any]]:
    """Fit the purchase process to all customers' orders up to `now`; return the model and its report.

    For the report, `why` says why there is no forest, and `code` names the versions of the code.
    """
    progress(f"fitting the purchase process of {len(latest.buying):,} customers")
    provenance = {
        "trained_at": iso(now.replace(microsecond=0)),
        "features_version": FEATURES_VERSION,
        "source": "history",
        "horizon_days": plan.horizon_days,
        "lookback_days": plan.lookback_days,
        "data": extent.described(),
        "code": code,
    }
    model = purchase_model(latest, plan, provenance)
    answer = probabilities(model, latest.inputs)
    facts = ("trained_at", "source", "customers", "purchase_process", "data", "code")
    report = {
        "version": model.version,
        "kind": PURCHASE_PROCESS,
        "why": why,
        **{name: model.metadata[name] for name in facts},
        "expected_churn": float(answer.mean()) if len(answer) else None,
    }
    return model, report


def orders_until(histories: Histories, now: datetime, plan: Plan, progress: Progress) -> tuple[Extent, Snapshots]:
    """Return the extent of the histories, and everybody's orders until `now`, whose labels are not known."""
    extent = scan_histories(histories, now, progress)
    (latest,) = take_snapshots(histories, [to_millis(now)], extent, plan, progress)
    return extent, latest


def purchase_model(latest: Snapshots, plan: Plan, provenance: Mapping[str, Any]) -> PurchaseModel:
    """Return the purchase process of everybody's orders as a model; `provenance` are the metadata of where it is from.

    Its drift reference are the customers of the day.
    """
    buying = latest.buying
    repeats, until_last, age = buying.T
    process = fitted_process(buying, plan)
    model = PurchaseModel.from_draws(
        purchase_draws(buying, process, seed=plan.seed),
        np.median([repeats + 1, age - until_last, age], axis=1),
        {
            **provenance,
            "purchase_process": process,
            "current_process": process,
            "spending": fit_spending(latest.values_of_orders),
            "customers": len(buying),
        },
    )
    answer = probabilities(model, latest.inputs)
    columns = dict(zip(FEATURE_NAMES, latest.inputs.T, strict=False))
    return model.with_metadata(reference=reference(columns, answer) if len(answer) else None)


def serves_already(current: StoredModel | None) -> bool:
    """Return whether a forest of the shop's own history is in use: it is better than any purchase process."""
    return (
        current is not None
        and kind_of(current.metadata) != PURCHASE_PROCESS
        and current.metadata.get("source") != "sample"
    )


def fitted_process(buying: Floats, plan: Plan) -> dict[str, float]:
    """Return the parameters of the purchase process with its `horizon_days`."""
    return {**fit_purchase_process(buying), "horizon_days": float(plan.horizon_days)}


def fit_purchase_process(buying: Floats) -> dict[str, float]:
    """Return BG/NBD's most probable parameters (Fader, Hardie and Lee 2005), of at most 20,000 customers.

    `buying` has the shape (customers, 3): repeat purchases, days to the last order, age in days.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 (slow to import)

    log_posterior, start, customers = _log_posterior(buying)

    def loss(logs: Floats) -> float:
        return float(-log_posterior(logs[None])[0] / customers)

    fitted = minimize(loss, start, method="L-BFGS-B", bounds=[(low - 8, low + 8) for low in start])
    return dict(zip(PARAMETERS, np.exp(fitted.x).tolist(), strict=True))


def purchase_draws(buying: Floats, process: Mapping[str, float], *, seed: int, draws: int = 128) -> Floats:
    """Return draws from the parameters' posterior, shape (draws, 4), by importance sampling.

    Proposals come from a multivariate t distribution on the logarithms, around the most probable parameters; a draw is
    a proposal that is chosen by its weight, so that the skewed posterior of a small shop is met.
    """
    log_posterior, best = _log_posterior(buying)[0], np.log([process[name] for name in PARAMETERS])
    values, vectors = np.linalg.eigh(_curvature(log_posterior, best))
    spread = 1 / np.sqrt(np.maximum(values, DEVIATION**-2))
    random = np.random.default_rng(seed)
    steps = random.normal(size=(_PROPOSALS, len(best)))
    steps /= np.sqrt(random.chisquare(_TAILS, _PROPOSALS) / _TAILS)[:, None]
    proposals = best + (steps * spread) @ vectors.T
    log_density = -(_TAILS + len(best)) / 2 * np.log1p((steps**2).sum(axis=1) / _TAILS)
    log_weights = log_posterior(proposals) - log_density
    weights = np.exp(log_weights - log_weights.max())
    # Systematic resampling: evenly spaced places on the cumulative weights, so chance adds as little as it can.
    places = (np.arange(draws) + random.random()) / draws * weights.sum()
    chosen = np.minimum(np.searchsorted(np.cumsum(weights), places), _PROPOSALS - 1)
    answer: Floats = np.exp(proposals[chosen])
    return answer


def _log_posterior(buying: Floats) -> tuple[Callable[[Floats], Floats], Floats, int]:
    """Return the log-posterior, the logarithms of the usual parameters, and the number of customers that it is of.

    The log-posterior takes the parameters' logarithms, shape (n, 4), and returns shape (n,), up to a constant.
    """
    from scipy.special import gammaln  # noqa: PLC0415 (slow to import)

    sample = buying[:: max(1, len(buying) // _MOST_CUSTOMERS)]
    repeats, until_last, age = sample.T
    counts, place = np.unique(repeats, return_inverse=True)
    # The longer customers have been watched, the rarer their orders may be.
    at_this_age = {**USUAL, "alpha": max(1.0, float(age.mean()) / 2)}
    usual = np.log([at_this_age[name] for name in PARAMETERS])

    def of_few(logs: Floats) -> Floats:
        r, alpha, a, b = (column[:, None] for column in np.exp(logs).T)
        of_count = gammaln(r + counts) - gammaln(r) + r * np.log(alpha)
        of_count += gammaln(a + b) + gammaln(b + counts) - gammaln(b) - gammaln(a + b + counts)
        alive = -(r + repeats) * np.log(alpha + age)
        dropped = np.log(a) - np.log(b + np.maximum(repeats, 1) - 1) - (r + repeats) * np.log(alpha + until_last)
        likelihood = of_count[:, place] + np.where(repeats > 0, np.logaddexp(alive, dropped), alive)
        # The prior says what the data do not: the parameters of shops differ by such factors from the usual ones.
        answer: Floats = likelihood.sum(axis=1) - np.sum((logs - usual) ** 2, axis=1) / (2 * DEVIATION**2)
        return answer

    at_once = max(1, _CELLS // len(sample))

    def log_posterior(logs: Floats) -> Floats:
        return np.concatenate([of_few(logs[first : first + at_once]) for first in range(0, len(logs), at_once)])

    return log_posterior, usual, len(sample)


def _curvature(log_posterior: Callable[[Floats], Floats], best: Floats) -> Floats:
    """Return the negative second derivatives of the log-posterior at `best`, shape (4, 4), by differences."""
    step = 1e-3 * np.eye(len(best))
    corners = [
        best + i * one + j * two for one in step for two in step for i, j in ((1, 1), (1, -1), (-1, 1), (-1, -1))
    ]
    values = log_posterior(np.array(corners)).reshape(len(best), len(best), 4)
    answer: Floats = -(values @ np.array([1.0, -1.0, -1.0, 1.0])) / 4e-6
    return answer
