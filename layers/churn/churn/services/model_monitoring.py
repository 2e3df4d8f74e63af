"""Monitoring of the models in use: their figures by week, estimated and then by outcomes, and the customers' drift.

A week's predictions are the first that it stored of each customer and version, of eligible customers alone
(`CustomerState.is_eligible`). Their outcomes are known when the horizon of the last prediction has passed, and a day
more for late events. Four weeks later the week is evaluated a last time, with what came late, and is settled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np

from churn.adapters.mysql import Database, customer_states, customers, model_quality
from churn.adapters.mysql import events as history
from churn.adapters.mysql import predictions as stored
from churn.adapters.mysql.model_quality import Comparison, Quality
from churn.adapters.mysql.predictions import Predicted
from churn.domain.assumptions import Campaign
from churn.domain.customer import CustomerState
from churn.domain.features import FEATURE_NAMES, inputs_at
from churn.domain.model import Predictor
from churn.domain.outcomes import GRACE, LATE, has_left, monday
from churn.domain.timestamps import from_millis, to_millis
from churn.ml import metrics
from churn.ml.drift import INCIDENTS, SCORE, Drift, compare
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.model_answers import ComparisonVerdict, Intervals, QualityStage, ScoringRole

MOST_CUSTOMERS = 100_000
"""Customers of a week; of a week with more, a sample is evaluated."""
MOST_COMPARED = 20_000
COMPARED_WEEKS = 8
MOST_DRIFTING = 5000
"""Customers whose features are compared: of so many, the noise of PSI is below 0.01."""
# Of fewer customers, the calibration error is mostly chance.
_FEWEST_FOR_ECE = 1000

_WEEK = timedelta(days=7)
_ROUNDS = 100
_PREDICTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The number of weeks that were evaluated, and of those left for the next run."""

    weeks: int
    left: int


@dataclass(slots=True)
class _Group:
    """The predictions of one version in one role, and, once it is known, who churned."""

    horizon_days: int
    predictions: Mapping[int, Predicted]
    is_known: bool
    probabilities: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    churned: list[bool] = field(default_factory=list)

    def take(self, customer_pk: int, state: CustomerState, within_days: int) -> None:
        """Add a customer, if they were eligible at the time of the prediction."""
        predicted = self.predictions.get(customer_pk)
        if predicted is None or not state.is_eligible(predicted.at, within_days):
            return
        self.probabilities.append(predicted.probability)
        self.others.append(predicted.other)
        if self.is_known:
            self.churned.append(has_left(state, predicted.at, self.horizon_days))


def evaluate_weeks(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    time_left: Callable[[], bool],
    horizons: Mapping[str, int] | None = None,
) -> Evaluated:
    """Evaluate the weeks that are due, the newest first, each in a transaction of its own.

    The present week is due in every run, another when its stage changes. Stops between two weeks when no time is left;
    the next run continues from there. `horizons`: days, by version, of models that may not have served yet.
    Raises DatabaseUnavailableError.
    """
    oldest, in_order, days_of = database.run(
        lambda transaction: (
            stored.oldest(transaction),
            model_quality.weeks_in_order(transaction, now),
            model_quality.horizons(transaction),
        )
    )
    due = [] if oldest is None else [week for week in _weeks(oldest, now) if week not in in_order]
    days_of |= horizons or {}
    for done, week in enumerate(due):
        if not time_left():
            return Evaluated(done, len(due) - done)
        _evaluate_week(database, settings, week, days_of, now)
    return Evaluated(len(due), 0)


def compare_challengers(
    database: Database, settings: Settings, *, now: datetime, horizons: Mapping[str, int] | None = None
) -> list[Comparison]:
    """Compare challengers with champions on the newest weeks with outcomes; store and return the comparisons.

    Both are compared on each customer's first prediction that has a shadow prediction of the same instant. Does nothing
    until another week of a challenger has been evaluated. Raises DatabaseUnavailableError.
    """
    last, days_of = database.run(
        lambda transaction: (model_quality.week_to_compare(transaction, now), model_quality.horizons(transaction))
    )
    if last is None:
        return []
    days_of |= horizons or {}
    end = _midnight(last) + _WEEK
    start = end - COMPARED_WEEKS * _WEEK
    share = database.run(lambda transaction: stored.sampling_share(transaction, start, end, MOST_COMPARED))
    groups: dict[tuple[str, str], _Group] = {}
    for pair, predictions in stored.first_pairs(database, start, end, share).items():
        days, other_days = (days_of.get(version, settings.horizon_days) for version in pair)
        before = to_millis(now - timedelta(days=days) - GRACE)
        with_outcome = {customer: predicted for customer, predicted in predictions.items() if predicted.at < before}
        # Versions of different horizons predict different things.
        if with_outcome and days == other_days:
            groups[pair] = _Group(days, with_outcome, is_known=True)
    _fill(database, list(groups.values()), settings.inactivity_days, now)
    comparisons = [
        _comparison(*pair, group, settings.campaign) for pair, group in groups.items() if group.probabilities
    ]
    database.run(lambda transaction: model_quality.put_comparisons(transaction, comparisons, now))
    return comparisons


def watch_drift(database: Database, model: Predictor, settings: Settings, *, now: datetime) -> list[Drift]:
    """Compare the active customers of `now` with those that the model was tested on; store and return the drift.

    Returns nothing for a model without a reference, or without active customers. Raises DatabaseUnavailableError.
    """
    reference = model.metadata.get("reference")
    since = now - timedelta(days=settings.inactivity_days)
    keys, observed = database.run(
        lambda transaction: (
            customers.active_sample(transaction, since, MOST_DRIFTING) if reference else [],
            history.observed(transaction),
        )
    )
    at = to_millis(now)
    rows = [
        inputs_at(state, now, observed)
        for _, state in customer_states.states_by_key(database, keys, now)
        if state.is_eligible(at, settings.inactivity_days)
    ]
    if reference is None or not rows:
        return []
    columns = {
        name: np.array([math.nan if (value := row[name]) is None else value for row in rows]) for name in FEATURE_NAMES
    }
    predictions = [
        prediction
        for first in range(0, len(rows), _PREDICTED_AT_ONCE)
        for prediction in model.predict(rows[first : first + _PREDICTED_AT_ONCE])
    ]
    importance = {
        name: float(np.mean([abs(prediction.contributions[name]) for prediction in predictions]))
        for name in FEATURE_NAMES
    }
    score = np.array([prediction.churn_probability for prediction in predictions])
    drifts = compare(reference, columns, score, importance=importance)
    database.run(lambda transaction: model_quality.put_drift(transaction, now.date(), model.version, len(rows), drifts))
    return drifts


def figures(weeks: Sequence[Quality], drifts: Sequence[Drift]) -> dict[str, float]:
    """Return the metrics that alarms watch, by name; `weeks` as `quality.served_weeks` returns them.

    `AUCShortfall`: how far the interval of the realised AUC lies below the AUC that the same predictions promised.
    """
    metrics: dict[str, float | None] = {}
    # The present week may have only few customers yet.
    estimated = [week for week in weeks if week.stage == "estimated"][:2]
    if estimated:
        metrics["ExpectedAUC"] = max(estimated, key=lambda week: week.customers).expected["auc"]
    metrics |= next(filter(None, map(_realised, weeks)), {})
    if drifts:
        metrics["ScorePSI"] = next(drift.psi for drift in drifts if drift.column == SCORE)
        metrics["DriftedColumns"] = sum(drift.verdict == "drifted" for drift in drifts)
        metrics["DriftIncidents"] = sum(drift.verdict in INCIDENTS for drift in drifts)
    return {name: value for name, value in metrics.items() if value is not None}


def _realised(week: Quality) -> dict[str, float | None]:
    """Return the metrics of a week with known outcomes."""
    if week.realised is None or week.intervals is None:
        return {}
    expected, highest = week.expected["auc"], week.intervals["auc"][1]
    return {
        "RealisedAUC": week.realised["auc"],
        "RealisedBrier": week.realised["brier"],
        "RealisedECE": week.realised["ece"] if week.customers >= _FEWEST_FOR_ECE else None,
        "AUCShortfall": None if expected is None or highest is None else max(0.0, expected - highest),
    }


def _evaluate_week(
    database: Database, settings: Settings, week: date, horizons: Mapping[str, int], now: datetime
) -> None:
    start = _midnight(week)
    end = start + _WEEK
    share = database.run(lambda transaction: stored.sampling_share(transaction, start, end, MOST_CUSTOMERS))
    groups: dict[tuple[ScoringRole, str], _Group] = {}
    for role in stored.TABLES:
        for version, predictions in stored.first_predictions(database, role, start, end, share).items():
            days = horizons.get(version, settings.horizon_days)
            groups[role, version] = _Group(days, predictions, _stage(week, days, now)[0] != "estimated")
    if not groups:
        # Not recorded as done: a clock that runs ahead may name a week that has not come yet.
        return
    _fill(database, list(groups.values()), settings.inactivity_days, now)
    rows = [_quality(version, role, week, group, now, settings.campaign) for (role, version), group in groups.items()]
    changes = [_stage(week, group.horizon_days, now)[1] for group in groups.values()]
    # The present week changes until it ends.
    next_at = now if now < end else min((at for at in changes if at is not None), default=None)
    database.run(
        lambda transaction: model_quality.put_week(
            transaction, week, [row for row in rows if row.customers], next_at, now
        )
    )


def _fill(database: Database, groups: Sequence[_Group], within_days: int, now: datetime) -> None:
    keys = set().union(*(group.predictions for group in groups))
    for customer_pk, state in customer_states.states_by_key(database, keys, now):
        for group in groups:
            group.take(customer_pk, state, within_days)


def _quality(version: str, role: ScoringRole, week: date, group: _Group, now: datetime, campaign: Campaign) -> Quality:
    stage, _ = _stage(week, group.horizon_days, now)
    probabilities = np.array(group.probabilities)
    churned = np.array(group.churned, dtype=np.bool_)
    is_known = group.is_known and len(churned) > 0
    return Quality(
        version,
        role,
        week,
        stage,
        group.horizon_days,
        len(probabilities),
        int(churned.sum()) if is_known else None,
        _defined(metrics.expected(probabilities)) if len(probabilities) else {},
        _defined(metrics.measure(probabilities, churned, campaign=campaign)) if is_known else None,
        _intervals(metrics.bootstrap({"": probabilities}, churned, rounds=_ROUNDS, campaign=campaign)[""])
        if is_known
        else None,
    )


def _comparison(champion: str, challenger: str, group: _Group, campaign: Campaign) -> Comparison:
    instants = [predicted.at for predicted in group.predictions.values()]
    served, shadow, churned = np.array(group.probabilities), np.array(group.others), np.array(group.churned)
    differences = _intervals(metrics.bootstrap_difference(shadow, served, churned, rounds=_ROUNDS))
    better = _beyond(differences, "auc", 0, above=True) or _beyond(differences, "brier", 1, above=False)
    worse = _beyond(differences, "auc", 1, above=False) or _beyond(differences, "brier", 0, above=True)
    verdict: ComparisonVerdict = "undecided"
    if better != worse:
        verdict = "challenger_better" if better else "champion_better"
    return Comparison(
        champion,
        challenger,
        monday(from_millis(min(instants)).date()),
        monday(from_millis(max(instants)).date()),
        len(churned),
        int(churned.sum()),
        _defined(metrics.measure(served, churned, campaign=campaign)),
        _defined(metrics.measure(shadow, churned, campaign=campaign)),
        differences,
        verdict,
    )


def _beyond(differences: Intervals, figure: str, end: int, *, above: bool) -> bool:
    value = differences[figure][end]
    return value is not None and (value > 0 if above else value < 0)


def _stage(week: date, horizon_days: int, now: datetime) -> tuple[QualityStage, datetime | None]:
    """Return the stage of a week's predictions, and when the next one begins."""
    matures_at = _midnight(week) + _WEEK + timedelta(days=horizon_days) + GRACE
    if now < matures_at:
        return "estimated", matures_at
    return ("matured", matures_at + LATE) if now < matures_at + LATE else ("settled", None)


def _weeks(oldest: datetime, now: datetime) -> Iterator[date]:
    """Yield the Mondays from now back to the oldest prediction."""
    week = monday(now.date())
    while _midnight(week) + _WEEK > oldest:
        yield week
        week -= _WEEK


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _defined(values: Mapping[str, float]) -> dict[str, float | None]:
    """Return figures for JSON: None for those that are not defined."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _intervals(values: Mapping[str, tuple[float, float]]) -> dict[str, list[float | None]]:
    return {name: [end if math.isfinite(end) else None for end in ends] for name, ends in values.items()}
