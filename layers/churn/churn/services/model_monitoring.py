"""What became of predictions: figures by week once outcomes are known, what to expect until then, and drift.

A week's predictions are the first of each customer and version that were stored in it, of customers whom models are
judged by (`CustomerState.is_eligible`). Their outcomes are known when the horizon of the last of them, and a day for
what is on its way, have passed. Four weeks later the week is evaluated once more, with what came late, and is settled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import numpy as np

from churn.adapters.mysql import Database, customers
from churn.adapters.mysql import events as history
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql import predictions as stored
from churn.adapters.mysql.model_quality import Comparison, Quality
from churn.adapters.mysql.predictions import Predicted, Role
from churn.domain.customer import CustomerState
from churn.domain.features import FEATURE_NAMES, inputs_at
from churn.domain.model import Predictor
from churn.domain.timestamps import DAY, from_millis, to_millis
from churn.ml import metrics as measures
from churn.ml.drift import INCIDENTS, SCORE, Drift, compare
from churn.settings import Settings

GRACE = timedelta(days=1)
LATE = timedelta(days=28)
MOST_CUSTOMERS = 100_000
"""Of a week; of a week that has more a sample is evaluated."""
MOST_COMPARED = 20_000
COMPARED_WEEKS = 8
MOST_DRIFTING = 5000
"""Customers whose features are compared: with so many, PSI's noise is below a hundredth."""
# Of fewer customers the calibration error is mostly chance.
_FEWEST_FOR_ECE = 1000

_WEEK = timedelta(days=7)
_ROUNDS = 100
_PREDICTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How many weeks were evaluated, and how many are left for the next time."""

    weeks: int
    left: int


@dataclass(slots=True)
class _Group:
    """The predictions of one version in one role, and, once they are known, who churned."""

    horizon_days: int
    predictions: Mapping[int, Predicted]
    is_known: bool
    probabilities: list[float] = field(default_factory=list)
    others: list[float] = field(default_factory=list)
    churned: list[bool] = field(default_factory=list)

    def take(self, customer_pk: int, state: CustomerState, within_days: int) -> None:
        """Adds a customer, if models are judged by him at the time of the prediction."""
        predicted = self.predictions.get(customer_pk)
        if predicted is None or not state.is_eligible(predicted.at, within_days):
            return
        self.probabilities.append(predicted.probability)
        self.others.append(predicted.other)
        if self.is_known:
            self.churned.append(not state.ordered_between(predicted.at, predicted.at + self.horizon_days * DAY))


def evaluate_weeks(
    database: Database,
    settings: Settings,
    *,
    now: datetime,
    time_left: Callable[[], bool],
    horizons: Mapping[str, int] | None = None,
) -> Evaluated:
    """Evaluates the weeks that are due, the newest first, each in a transaction of its own.

    The running week is due each time, another when its stage changes. Stops between two weeks when no time is left;
    running it again goes on from there. `horizons`: days, by version, of models that may not have served yet.
    Raises DatabaseUnavailableError.
    """
    oldest, in_order, known = database.run(
        lambda transaction: (
            stored.oldest(transaction),
            quality.weeks_in_order(transaction, now),
            quality.horizons(transaction),
        )
    )
    due = [] if oldest is None else [week for week in _weeks(oldest, now) if week not in in_order]
    known |= horizons or {}
    for done, week in enumerate(due):
        if not time_left():
            return Evaluated(done, len(due) - done)
        _evaluate_week(database, settings, week, known, now)
    return Evaluated(len(due), 0)


def compare_challengers(
    database: Database, settings: Settings, *, now: datetime, horizons: Mapping[str, int] | None = None
) -> list[Comparison]:
    """Compares challengers with champions on the newest weeks whose outcomes are known; stores and returns it.

    Both on each customer's first prediction that has a shadow of the same instant. Does nothing until another week of
    a challenger was evaluated. Raises DatabaseUnavailableError.
    """
    last, known = database.run(
        lambda transaction: (quality.week_to_compare(transaction, now), quality.horizons(transaction))
    )
    if last is None:
        return []
    known |= horizons or {}
    end = _midnight(last) + _WEEK
    start = end - COMPARED_WEEKS * _WEEK
    share = database.run(lambda transaction: stored.sampling_share(transaction, start, end, MOST_COMPARED))
    groups: dict[tuple[str, str], _Group] = {}
    for pair, predictions in stored.first_pairs(database, start, end, share).items():
        days, other_days = (known.get(version, settings.horizon_days) for version in pair)
        before = to_millis(now - timedelta(days=days) - GRACE)
        judged = {customer: predicted for customer, predicted in predictions.items() if predicted.at < before}
        # What they foretell must be the same.
        if judged and days == other_days:
            groups[pair] = _Group(days, judged, is_known=True)
    _fill(database, list(groups.values()), settings.inactivity_days)
    found = [_comparison(*pair, group) for pair, group in groups.items() if group.probabilities]
    database.run(lambda transaction: quality.put_comparisons(transaction, found, now))
    return found


def watch_drift(database: Database, model: Predictor, settings: Settings, *, now: datetime) -> list[Drift]:
    """Compares the active customers of `now` with those that the model was tested on; stores and returns it.

    Nothing for a model that has no reference, or without active customers. Raises DatabaseUnavailableError.
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
        for _, state in customers.states_by_key(database, keys)
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
    database.run(lambda transaction: quality.put_drift(transaction, now.date(), model.version, len(rows), drifts))
    return drifts


def figures(weeks: Sequence[Quality], drifts: Sequence[Drift]) -> dict[str, float]:
    """What is measured and alarmed on, by the names of the metrics; `weeks` as `quality.served_weeks` has them.

    `AUCShortfall`: by how much the realised AUC's interval lies below what the same predictions let expect.
    """
    found: dict[str, float | None] = {}
    # The running week may have begun just now.
    estimated = [week for week in weeks if week.stage == "estimated"][:2]
    if estimated:
        found["ExpectedAUC"] = max(estimated, key=lambda week: week.customers).expected["auc"]
    for week in weeks:
        if week.realised is not None and week.intervals is not None:
            found |= {"RealisedAUC": week.realised["auc"], "RealisedBrier": week.realised["brier"]}
            if week.customers >= _FEWEST_FOR_ECE:
                found["RealisedECE"] = week.realised["ece"]
            hoped, highest = week.expected["auc"], week.intervals["auc"][1]
            found["AUCShortfall"] = None if hoped is None or highest is None else max(0.0, hoped - highest)
            break
    if drifts:
        found["ScorePSI"] = next(drift.psi for drift in drifts if drift.column == SCORE)
        found["DriftedColumns"] = sum(drift.verdict == "drifted" for drift in drifts)
        found["DriftIncidents"] = sum(drift.verdict in INCIDENTS for drift in drifts)
    return {name: value for name, value in found.items() if value is not None}


def _evaluate_week(
    database: Database, settings: Settings, week: date, horizons: Mapping[str, int], now: datetime
) -> None:
    start = _midnight(week)
    end = start + _WEEK
    share = database.run(lambda transaction: stored.sampling_share(transaction, start, end, MOST_CUSTOMERS))
    groups: dict[tuple[Role, str], _Group] = {}
    for role in stored.TABLES:
        for version, predictions in stored.first_predictions(database, role, start, end, share).items():
            days = horizons.get(version, settings.horizon_days)
            groups[role, version] = _Group(days, predictions, _stage(week, days, now)[0] != "estimated")
    if not groups:
        # Not written down as done: a clock ahead may have come to a week that is still to be.
        return
    _fill(database, list(groups.values()), settings.inactivity_days)
    rows = [_quality(version, role, week, group, now) for (role, version), group in groups.items()]
    changes = [_stage(week, group.horizon_days, now)[1] for group in groups.values()]
    # The running week changes as long as it lasts.
    next_at = now if now < end else min((at for at in changes if at is not None), default=None)
    database.run(
        lambda transaction: quality.put_week(transaction, week, [row for row in rows if row.customers], next_at, now)
    )


def _fill(database: Database, groups: Sequence[_Group], within_days: int) -> None:
    keys = set().union(*(group.predictions for group in groups))
    for customer_pk, state in customers.states_by_key(database, keys):
        for group in groups:
            group.take(customer_pk, state, within_days)


def _quality(version: str, role: Role, week: date, group: _Group, now: datetime) -> Quality:
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
        _told(measures.expected(probabilities)) if len(probabilities) else {},
        _told(measures.measure(probabilities, churned)) if is_known else None,
        _intervals(measures.bootstrap({"": probabilities}, churned, rounds=_ROUNDS)[""]) if is_known else None,
    )


def _comparison(champion: str, challenger: str, group: _Group) -> Comparison:
    instants = [predicted.at for predicted in group.predictions.values()]
    served, shadow, churned = np.array(group.probabilities), np.array(group.others), np.array(group.churned)
    differences = _intervals(measures.bootstrap_difference(shadow, served, churned, rounds=_ROUNDS))
    better = _beyond(differences, "auc", 0, above=True) or _beyond(differences, "brier", 1, above=False)
    worse = _beyond(differences, "auc", 1, above=False) or _beyond(differences, "brier", 0, above=True)
    verdict: Literal["challenger_better", "champion_better", "undecided"] = "undecided"
    if better != worse:
        verdict = "challenger_better" if better else "champion_better"
    return Comparison(
        champion,
        challenger,
        _monday(from_millis(min(instants))),
        _monday(from_millis(max(instants))),
        len(churned),
        int(churned.sum()),
        _told(measures.measure(served, churned)),
        _told(measures.measure(shadow, churned)),
        differences,
        verdict,
    )


def _beyond(differences: quality.Intervals, figure: str, end: int, *, above: bool) -> bool:
    value = differences[figure][end]
    return value is not None and (value > 0 if above else value < 0)


def _stage(
    week: date, horizon_days: int, now: datetime
) -> tuple[Literal["estimated", "matured", "settled"], datetime | None]:
    """The stage of a week's predictions, and when the next one begins."""
    known = _midnight(week) + _WEEK + timedelta(days=horizon_days) + GRACE
    if now < known:
        return "estimated", known
    return ("matured", known + LATE) if now < known + LATE else ("settled", None)


def _weeks(oldest: datetime, now: datetime) -> Iterator[date]:
    """The Mondays from now back to the oldest prediction."""
    week = _monday(now)
    while _midnight(week) + _WEEK > oldest:
        yield week
        week -= _WEEK


def _monday(instant: datetime) -> date:
    return instant.date() - timedelta(days=instant.weekday())


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _told(values: Mapping[str, float]) -> dict[str, float | None]:
    """Figures for JSON: what is not defined is None."""
    return {name: value if math.isfinite(value) else None for name, value in values.items()}


def _intervals(values: Mapping[str, tuple[float, float]]) -> dict[str, list[float | None]]:
    return {name: [end if math.isfinite(end) else None for end in ends] for name, ends in values.items()}
