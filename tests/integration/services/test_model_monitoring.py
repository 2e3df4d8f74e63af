"""What became of predictions: stories of a simulated shop on a real server, with a clock that the test moves."""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from churn.adapters.mysql import Database, customer_states, customers
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.model_quality import Quality
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES, Features, features_at
from churn.domain.model import Prediction
from churn.domain.timestamps import to_millis
from churn.ml import metrics
from churn.ml.arrays import Flags, Floats
from churn.ml.drift import Drift, reference
from churn.services.model_monitoring import Evaluated, compare_challengers, evaluate_weeks, figures, watch_drift
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from infra.tools.simulator import SimulatedCustomer, simulate, true_churn_probability
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel

_SETTINGS = Settings.from_environment({})
_HORIZON = timedelta(days=_SETTINGS.horizon_days)
# A Monday.
_OPENING = datetime(2026, 3, 2, 10, tzinfo=UTC)
_WEEK = _OPENING.date()
_KNOWN = datetime(2026, 3, 9, tzinfo=UTC) + _HORIZON + timedelta(days=1)
_KINDS = frozenset({"customer_registered", "order_placed", "order_cancelled"})


class Oracle(RecencyModel):
    """Knows the hidden state of the simulated customers, whom it tells apart by when they registered."""

    version = "oracle-1"

    def __init__(self, shop: Iterable[SimulatedCustomer]) -> None:
        super().__init__()
        self._shop = {to_millis(customer.registered_at): customer for customer in shop}
        self.now = _OPENING

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        """As a challenger answers."""
        return [prediction.churn_probability for prediction in self.predict(rows)]

    def _predict(self, row: Features) -> Prediction:
        registered_at = to_millis(self.now) - round((row["account_age_days"] or 0) * 86_400_000)
        probability = true_churn_probability(self._shop[registered_at], self.now, _SETTINGS.horizon_days)
        return Prediction(probability, 1.0, self.version, dict.fromkeys(row, 0.0), probability)


@pytest.fixture(scope="module")
def shop() -> list[SimulatedCustomer]:
    return list(simulate(900, seed=7, start=_OPENING - timedelta(days=300), end=_OPENING + timedelta(days=110)))


def _events(shop: Iterable[SimulatedCustomer], after: datetime, until: datetime) -> list[Event]:
    return [
        event
        for customer in shop
        for event in customer.events
        if event.event_type in _KINDS and after < event.timestamp <= until
    ]


def _rows(database: Database, query: str, values: Sequence[object] = ()) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query, values))


def _weeks(database: Database, version: str, week: date | None = None) -> list[Quality]:
    weeks = database.run(lambda transaction: quality.weeks(transaction, version))
    return [row for row in weeks if week in (None, row.week)]


def _evaluate(database: Database, now: datetime, time_left: Callable[[], bool] = lambda: True) -> Evaluated:
    return evaluate_weeks(database, _SETTINGS, now=now, time_left=time_left)


def _predict(database: Database, model: RecencyModel, *events: Event, now: datetime = NOW) -> None:
    Scoring(database, model, _SETTINGS).apply(events, now=now)


def _outcomes(database: Database, shop: Iterable[SimulatedCustomer]) -> tuple[Floats, Flags]:
    """Return the first week's probabilities and outcomes, by the events themselves."""
    first = {
        row["customer_id"]: row
        for row in _rows(
            database,
            "SELECT c.customer_id, p.churn_probability, p.created_at FROM predictions p "
            "JOIN customers c ON c.id = p.customer_pk WHERE p.created_at < %s ORDER BY p.created_at DESC",
            (_OPENING + timedelta(days=6, hours=14),),
        )
    }
    probabilities, churned = [], []
    for customer in shop:
        cancelled = {
            event.data["order_id"]: event.timestamp
            for event in customer.events
            if event.event_type == "order_cancelled"
        }
        orders = [
            (event.timestamp, cancelled.get(event.data["order_id"], datetime.max.replace(tzinfo=UTC)))
            for event in customer.events
            if event.event_type == "order_placed"
        ]
        if customer.customer_id not in first:
            continue
        at = first[customer.customer_id]["created_at"]
        since = at - timedelta(days=_SETTINGS.inactivity_days)
        if not any(since <= placed <= at < ended for placed, ended in orders):
            continue
        probabilities.append(first[customer.customer_id]["churn_probability"])
        churned.append(not any(at <= placed < at + _HORIZON < ended for placed, ended in orders))
    return np.array(probabilities), np.array(churned)


def test_a_shops_predictions_are_judged_when_their_outcomes_are_known(
    database: Database, shop: list[SimulatedCustomer]
) -> None:
    oracle = Oracle(shop)
    scoring = Scoring(database, oracle, _SETTINGS)
    scoring.apply(_events(shop, _OPENING - timedelta(days=400), _OPENING), now=_OPENING, raise_alerts=False)
    for days in (2, 4, 9):
        oracle.now = _OPENING + timedelta(days=days)
        sweep(scoring, now=oracle.now, time_left=lambda: True)

    assert _evaluate(database, oracle.now) == Evaluated(2, 0)
    (estimated,) = _weeks(database, "oracle-1", _WEEK)
    assert (estimated.stage, estimated.realised, estimated.churned) == ("estimated", None, None)
    assert estimated.customers > 500

    oracle.now = _OPENING + timedelta(days=109)
    scoring.apply(_events(shop, _OPENING, oracle.now), now=oracle.now)
    _evaluate(database, _KNOWN - timedelta(seconds=1))
    assert _weeks(database, "oracle-1", _WEEK) == [estimated]
    _evaluate(database, _KNOWN)
    (matured,) = _weeks(database, "oracle-1", _WEEK)
    probabilities, churned = _outcomes(database, shop)
    assert (matured.stage, matured.customers, matured.churned) == ("matured", len(churned), int(churned.sum()))
    assert matured.realised == pytest.approx(metrics.measure(probabilities, churned))
    assert matured.expected == estimated.expected
    _assert_the_expected_came_about(matured)

    emitted = figures(database.run(quality.served_weeks), [])
    assert (emitted["AUCShortfall"], emitted["RealisedAUC"]) == (0, (matured.realised or {})["auc"])
    assert {"ExpectedAUC", "RealisedBrier"} < emitted.keys()


def _assert_the_expected_came_about(matured: Quality) -> None:
    """Compare what was to be expected, as the oracle's probabilities are the truth, with what was realised."""
    assert matured.intervals is not None
    assert matured.realised is not None
    for figure, tolerance in {"auc": 0.04, "brier": 0.02, "accuracy": 0.05}.items():
        low, high = matured.intervals[figure]
        assert low is not None
        assert high is not None
        assert low < (matured.realised[figure] or 0) < high
        assert matured.expected[figure] == pytest.approx(matured.realised[figure], abs=tolerance)
    assert (matured.realised["ece"] or 1) < 0.1


def test_evaluating_again_changes_nothing_until_late_events_are_taken_in(database: Database) -> None:
    model = RecencyModel()
    _predict(database, model, order("A", days_ago=276), order("B", days_ago=306), now=_OPENING)
    _evaluate(database, _KNOWN)
    before = _rows(database, "SELECT * FROM model_quality")
    assert [(row["stage"], row["customers"], row["churned"]) for row in before] == [("matured", 2, 2)]

    late = Event("late", "order_placed", "A", _OPENING + timedelta(days=3), {"order_id": "l", "order_value": 5})
    _predict(database, model, late, now=_KNOWN)
    assert _evaluate(database, _KNOWN + timedelta(days=27)).left == 0
    assert [row for row in _rows(database, "SELECT * FROM model_quality") if row["week"] == _WEEK] == before

    settled = _KNOWN + timedelta(days=28)
    _evaluate(database, settled)
    (week,) = _weeks(database, model.version, _WEEK)
    assert (week.stage, week.churned) == ("settled", 1)
    _predict(database, model, order("B", days_ago=-1, value=9), now=settled)
    _evaluate(database, settled + timedelta(days=300))
    assert _weeks(database, model.version, _WEEK) == [week]


def test_who_had_lapsed_left_or_was_erased_is_not_judged(database: Database) -> None:
    model = RecencyModel()
    before = timedelta(days=5)
    _predict(
        database,
        model,
        *(order("active", days_ago=100), order("lapsed", days_ago=400), order("erased", days_ago=5)),
        *(order("given up", days_ago=5), order("given up later", days_ago=5)),
        event("customer_registered", "never ordered", days_ago=5),
        event("subscription_cancelled", "given up", days_ago=1),
        now=NOW,
    )
    later = NOW + timedelta(days=95) + before
    gone = [
        event("subscription_cancelled", "given up later", days_ago=-10),
        event("customer_deleted", "erased", days_ago=-20),
    ]
    _predict(database, model, *gone, now=later)
    _evaluate(database, NOW + timedelta(days=99))
    (week,) = _weeks(database, model.version, NOW.date())
    assert (week.customers, week.churned) == (2, 2)
    assert week.realised is not None
    assert week.realised["auc"] is None


def test_an_evaluation_that_ran_out_of_time_goes_on_where_it_was(database: Database) -> None:
    model = RecencyModel()
    for number in range(5):
        at = _OPENING + timedelta(weeks=number)
        _predict(database, model, *(order(f"{number}-{who}", days_ago=300) for who in "AB"), now=at)
    answers = iter([True, True, False])
    now = _OPENING + timedelta(weeks=4, days=1)
    assert _evaluate(database, now, lambda: next(answers)) == Evaluated(2, 3)
    assert _evaluate(database, now) == Evaluated(4, 0), "the running week, and those that were left"
    assert len(_rows(database, "SELECT * FROM evaluated_weeks")) == 5


def test_a_clock_that_was_ahead_spoils_nothing(database: Database) -> None:
    model = RecencyModel()
    model.metadata = {"reference": reference({name: np.ones(50) for name in FEATURE_NAMES}, np.linspace(0, 1, 50))}
    _predict(database, model, order("A", days_ago=276), now=_OPENING)
    _evaluate(database, _OPENING)
    present = _weeks(database, model.version)
    _evaluate(database, _KNOWN + timedelta(days=60))
    watch_drift(database, model, _SETTINGS, now=_OPENING + timedelta(days=60))
    assert _weeks(database, model.version)[0].stage == "settled"

    now = _OPENING + timedelta(minutes=1)
    _evaluate(database, now)
    watch_drift(database, model, _SETTINGS, now=now)
    assert _weeks(database, model.version) == present
    assert {row["day"] for row in _rows(database, "SELECT day FROM feature_drift")} == {_WEEK}
    later = _OPENING + timedelta(weeks=3)
    _predict(database, model, order("A", days_ago=250), now=later)
    _evaluate(database, later)
    assert [week.week for week in _weeks(database, model.version)] == [later.date(), _WEEK]


def test_each_version_is_judged_by_its_own_predictions_and_its_own_horizon(database: Database) -> None:
    short, long = RecencyModel(), RecencyModel()
    short.version, short.metadata = "short-1", {"horizon_days": 30}
    long.version, long.metadata = "long-1", {"horizon_days": 60}
    _predict(database, short, order("A", days_ago=280), now=_OPENING)
    _predict(database, long, order("A", days_ago=279), now=_OPENING + timedelta(days=1))
    _predict(database, long, order("A", days_ago=278), now=_OPENING + timedelta(days=2))
    ordered = Event("o", "order_placed", "A", _OPENING + timedelta(days=45), {"order_id": "o", "order_value": 5})
    _predict(database, long, ordered, now=_OPENING + timedelta(days=45))
    end = datetime(2026, 3, 9, tzinfo=UTC)

    _evaluate(database, end + timedelta(days=31))
    stages = {version: _weeks(database, version, _WEEK)[0] for version in ("short-1", "long-1")}
    assert {version: week.stage for version, week in stages.items()} == {"short-1": "matured", "long-1": "estimated"}
    _evaluate(database, end + timedelta(days=61))
    stages = {version: _weeks(database, version, _WEEK)[0] for version in ("short-1", "long-1")}
    assert {version: (week.customers, week.churned) for version, week in stages.items()} == {
        "short-1": (1, 1),
        "long-1": (1, 0),
    }


def test_a_large_week_is_sampled_by_customer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churn.services.model_monitoring.MOST_CUSTOMERS", 40)
    model = RecencyModel()
    for days in (0, 1):
        at = _OPENING + timedelta(days=days)
        _predict(database, model, *(order(f"C-{who}", days_ago=300 - days) for who in range(200)), now=at)
    _evaluate(database, _OPENING + timedelta(days=2))
    (week,) = _weeks(database, model.version, _WEEK)
    assert 20 < week.customers < 60


def test_a_better_challenger_is_seen_on_the_same_customers(database: Database, shop: list[SimulatedCustomer]) -> None:
    oracle, champion = Oracle(shop), RecencyModel()
    scoring = Scoring(database, champion, _SETTINGS, lambda: oracle)
    scoring.apply(_events(shop, _OPENING - timedelta(days=400), _OPENING), now=_OPENING, raise_alerts=False)
    oracle.now = _OPENING + timedelta(days=3)
    sweep(scoring, now=oracle.now, time_left=lambda: True)
    oracle.now = _OPENING + timedelta(days=109)
    scoring.apply(_events(shop, _OPENING, oracle.now), now=oracle.now)

    assert compare_challengers(database, _SETTINGS, now=_OPENING) == []
    _evaluate(database, _KNOWN)
    (comparison,) = compare_challengers(database, _SETTINGS, now=_KNOWN)
    assert (comparison.champion, comparison.challenger, comparison.verdict) == (
        "recency-1",
        "oracle-1",
        "challenger_better",
    )
    assert comparison.differences["brier"][1] < 0  # type: ignore[operator]
    shadow = next(week for week in _weeks(database, "oracle-1", _WEEK) if week.role == "shadow")
    served = next(week for week in _weeks(database, "recency-1", _WEEK) if week.role == "served")
    assert comparison.challenger_figures == shadow.realised
    assert comparison.champion_figures == served.realised
    for version in ("recency-1", "oracle-1"):
        assert database.run(lambda transaction, of=version: quality.comparisons(transaction, of)) == [comparison]  # type: ignore[misc]
    assert compare_challengers(database, _SETTINGS, now=_KNOWN + timedelta(days=1)) == [], "nothing new to compare"


def test_only_pairs_whose_outcomes_are_known_are_compared(database: Database) -> None:
    horizons = {"short-1": 30, "short-2": 30, "long-1": 60, "long-2": 60, "short-3": 30}
    for champion, challenger in (("short-1", "short-2"), ("long-1", "long-2"), ("long-1", "short-3")):
        served, shadow = RecencyModel(), Oracle([])
        served.version, served.metadata = champion, {"horizon_days": horizons[champion]}
        shadow.version = challenger
        shadow.probabilities = lambda rows: [0.5] * len(rows)  # type: ignore[method-assign]
        scoring = Scoring(database, served, _SETTINGS, lambda of=shadow: of)  # type: ignore[misc]
        scoring.apply([order(f"{champion} {challenger}", days_ago=280)], now=_OPENING)
    end = datetime(2026, 3, 9, tzinfo=UTC)

    def compared(days: int) -> list[tuple[str, str]]:
        now = end + timedelta(days=days)
        evaluate_weeks(database, _SETTINGS, now=now, time_left=lambda: True, horizons=horizons)
        pairs = compare_challengers(database, _SETTINGS, now=now, horizons=horizons)
        assert all((pair.first_week, pair.last_week, pair.customers) == (_WEEK, _WEEK, 1) for pair in pairs)
        return sorted((pair.champion, pair.challenger) for pair in pairs)

    assert compared(30) == []
    assert compared(31) == [("short-1", "short-2")]
    assert compared(61) == [("long-1", "long-2"), ("short-1", "short-2")]


def _column(drifts: Sequence[Drift], name: str) -> Drift:
    return next(drift for drift in drifts if drift.column == name)


def test_customers_who_change_drift_and_a_feature_that_breaks_is_an_incident(database: Database) -> None:
    chance = random.Random(3)
    model = RecencyModel()
    people = [f"C-{number}" for number in range(400)]
    _predict(database, model, *_usual_events(people, chance))
    assert watch_drift(database, model, _SETTINGS, now=NOW) == [], "there is no reference"
    model.metadata = {"reference": _reference(database, model)}

    same = watch_drift(database, model, _SETTINGS, now=NOW)
    assert [drift.column for drift in same] == ["score", *FEATURE_NAMES]
    assert {drift.verdict for drift in same} == {"stable"}
    assert figures([], same) == {"ScorePSI": pytest.approx(0, abs=1e-9), "DriftedColumns": 0, "DriftIncidents": 0}

    # A sale brings everybody back on one day, and log-ins are not sent any more.
    sale = NOW + timedelta(days=40)
    orders = [order(who, days_ago=chance.uniform(-40, -39), value=chance.uniform(5, 90)) for who in people]
    _predict(database, model, *orders, now=sale)
    changed = watch_drift(database, model, _SETTINGS, now=sale)
    columns = ("score", "days_since_last_order", "login_frequency", "support_tickets")
    verdicts = [_column(changed, column).verdict for column in columns]
    assert verdicts == ["drifted", "drifted", "turned_constant", "stable"]
    assert _column(changed, "days_since_last_order").importance == 1
    assert figures([], changed)["DriftIncidents"] == 1

    # Nor e-mails: whether they are opened is not known after a while.
    silent = NOW + timedelta(days=95)
    broken = watch_drift(database, model, _SETTINGS, now=silent)
    assert _column(broken, "email_engagement").verdict == "turned_missing"
    stored = database.run(lambda transaction: quality.newest_drift(transaction, model.version))
    assert stored[0]["column"] == "score"
    assert {row["column"]: row["verdict"] for row in stored} == {drift.column: drift.verdict for drift in broken}
    assert {(row["day"], row["customers"]) for row in stored} == {(silent.date(), len(people))}


def _usual_events(people: Sequence[str], chance: random.Random) -> list[Event]:
    events = [order(who, days_ago=chance.uniform(5, 80)) for who in people]
    for who in people:
        events += [event("email_sent", who, days_ago=chance.uniform(1, 60)) for _ in range(4)]
        events += [event("email_opened", who, days_ago=chance.uniform(1, 40)) for _ in range(chance.randrange(5))]
        events += [event("login", who, days_ago=chance.uniform(0, 29)) for _ in range(chance.randrange(6))]
    return events


def test_drift_looks_at_active_customers_alone_and_once_a_day(database: Database) -> None:
    model = RecencyModel()
    _predict(
        database,
        model,
        *(order(f"C-{who}", days_ago=who) for who in range(1, 60)),
        order("lapsed", days_ago=300),
        *(order("given up", days_ago=5), event("subscription_cancelled", "given up", days_ago=1)),
    )
    model.metadata = {"reference": _reference(database, model)}
    for _ in range(2):
        watch_drift(database, model, _SETTINGS, now=NOW)
    rows = _rows(database, "SELECT customers FROM feature_drift")
    assert [row["customers"] for row in rows] == [59] * (1 + len(FEATURE_NAMES))


def _reference(database: Database, model: RecencyModel) -> Mapping[str, Any]:
    """Return what training keeps: the features and scores of the active customers as of NOW."""
    keys = database.run(lambda transaction: customers.active_sample(transaction, NOW - timedelta(days=180), 10_000))
    observed = {row["kind"]: row["since_millis"] for row in _rows(database, "SELECT * FROM observed_kinds")}
    rows = [features_at(state, NOW, observed) for _, state in customer_states.states_by_key(database, keys, NOW)]
    columns = {name: np.array([row[name] for row in rows], dtype=float) for name in FEATURE_NAMES}
    score = np.array([prediction.churn_probability for prediction in model.predict(rows)])
    return json.loads(json.dumps(reference(columns, score)))  # type: ignore[no-any-return]
