"""A preview of settings of alerts: those in force would have raised exactly what they did raise."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql.alert_work import resolve, work_on
from churn.adapters.mysql.alerts import lock_open
from churn.adapters.mysql.database import Row
from churn.domain.alert_work import Work
from churn.domain.errors import InvalidInputError
from churn.services import alert_preview
from churn.services.alert_preview import RulesAsked, preview
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import rows

# The first day of the history at midnight: sweeps end at whole quarters of an hour.
_START = datetime(2026, 11, 2, tzinfo=UTC)
_DAYS = 24


def _history(database: Database, settings: Settings, seed: int, customers: int = 30) -> None:
    """Let a shop live for weeks: events at all times, sweeps every six hours, alerts that people close and open."""
    chance, scoring = random.Random(seed), Scoring(database, RecencyModel(), settings)
    # What customers have to lose lies far apart, and does not change places between two scores.
    names = {f"C-{number:02d}": 3 * 1.7**number for number in range(customers)}
    past = (NOW - _START) / timedelta(days=1)
    ages = {name: chance.uniform(20, 75) for name in names}
    set_clock(database, _START)
    firsts = [order(name, days_ago=past + age, value=value) for name, value in names.items() for age in [ages[name]]]
    scoring.apply(firsts, now=_START)
    for step in range(1, _DAYS * 4 + 1):
        at = _START + timedelta(hours=6 * step, minutes=-chance.randint(1, 300))
        days_ago = (NOW - at) / timedelta(days=1)
        kinds: list[Callable[..., Any]] = [order, lambda name, **age: event("payment_failed", name, **age)]
        weights = (1, 6)
        some = chance.sample(sorted(names), 4)
        events = [chance.choices(kinds, weights)[0](name, days_ago=days_ago) for name in some]
        set_clock(database, at)
        scoring.apply(events, now=at)
        _work(database, chance, at + timedelta(seconds=20))
        tick = _START + timedelta(hours=6 * step)
        set_clock(database, tick)
        sweep(scoring, now=tick, time_left=lambda: True)


def _work(database: Database, chance: random.Random, at: datetime) -> None:
    """Close some alerts, and open one of those that are closed again."""
    set_clock(database, at)
    alerts = rows(database, "SELECT id, customer_pk, status FROM alerts WHERE alert_type = 'churn_risk' ORDER BY id")
    for alert in alerts:
        if alert["status"] == "new" and chance.random() < 0.2:
            resolve(database, alert["id"], "ann", None, at)
        elif alert["status"] == "resolved" and chance.random() < 0.02:
            opened = database.run(partial(lock_open, customer_pks=[alert["customer_pk"]]))
            if not any(kind == "churn_risk" for _, kind in opened):
                database.run(partial(work_on, alert_ids=[alert["id"]], work=Work("new"), by="ann", now=at))


def _raised(database: Database) -> Counter[str]:
    """Return how many alerts on the risk were raised on each day."""
    query = "SELECT DATE(created_at) AS day FROM alerts WHERE alert_type = 'churn_risk'"
    return Counter(row["day"].isoformat() for row in rows(database, query))


def _preview(database: Database, settings: Settings, days: float = _DAYS, **asked: Any) -> Any:
    until = _START + timedelta(days=days)
    return preview(database, settings, RulesAsked(**asked), until=until, now=until)


_IN_FORCE = [
    {},
    {"ALERTS_A_DAY": "1"},
    {"ALERTS_A_DAY": "2", "ALERT_COOLDOWN_HOURS": "60"},
    {"ALERT_MIN_VALUE": "200"},
    {"ALERTS_A_DAY": "1", "ALERT_MIN_VALUE": "20", "ALERT_FROM_RISK": "medium", "RISK_HYSTERESIS": "0.02"},
]


@pytest.mark.parametrize("environment", _IN_FORCE)
@pytest.mark.parametrize("seed", range(2))
def test_the_settings_in_force_would_have_raised_what_they_did_raise(
    database: Database, environment: dict[str, str], seed: int
) -> None:
    settings = Settings.from_environment(environment | {"SWEEP_AFTER_HOURS": "12"})
    _history(database, settings, seed)
    raised = _raised(database)
    answer = _preview(database, settings)
    assert {day["day"]: day["alerts"] for day in answer["days"]} == raised
    assert answer["alerts"] == sum(raised.values()) > 5
    assert not answer["is_estimate"]
    waiting = rows(database, "SELECT COUNT(*) AS n FROM customers WHERE waiting_value IS NOT NULL")
    assert answer["waiting"] == waiting[0]["n"]


def test_other_settings_are_tried_and_told(database: Database) -> None:
    settings = Settings.from_environment({"SWEEP_AFTER_HOURS": "12"})
    _history(database, settings, 1)
    whole = _preview(database, settings)
    limited = _preview(database, settings, alerts_a_day=1)
    assert limited["settings"] == whole["settings"] | {"alerts_a_day": 1}
    assert max(day["alerts"] for day in limited["days"]) == 1
    assert limited["alerts"] < whole["alerts"]
    assert limited["value_at_risk"] / limited["alerts"] > whole["value_at_risk"] / whole["alerts"]
    assert _preview(database, settings, min_value=1e9)["alerts"] == 0
    assert _preview(database, settings, from_risk="critical")["alerts"] < whole["alerts"]
    assert _preview(database, settings, high_risk=0.7)["settings"]["high_risk"] == 0.7
    assert _preview(database, settings, cooldown_hours=200)["alerts"] <= whole["alerts"]
    assert _preview(database, Settings.from_environment({"ALERT_MIN_VALUE": "1000000000"}), min_value=0) == whole


def test_of_those_whose_horizon_is_over_it_tells_who_left(database: Database) -> None:
    settings = Settings.from_environment({"HORIZON_DAYS": "5", "SWEEP_AFTER_HOURS": "12"})
    _history(database, settings, 2)
    until = _START + timedelta(days=_DAYS)
    early = preview(database, settings, RulesAsked(), until=_START + timedelta(days=2), now=_START + timedelta(days=3))
    assert (early["matured"], early["left"], early["left_rate"]) == (0, None, None)
    answer = _preview(database, settings)
    alerts = rows(
        database,
        "SELECT a.created_at, a.customer_pk FROM alerts a WHERE alert_type = 'churn_risk' "
        f"AND a.created_at <= '{until - timedelta(days=6):%Y-%m-%d %H:%M:%S}'",
    )
    stayed = sum(_ordered(database, alert, 5) for alert in alerts)
    assert 0 < answer["matured"] == len(alerts) < answer["alerts"]
    assert answer["left"] == len(alerts) - stayed
    assert answer["left_rate"] == pytest.approx(100 * answer["left"] / answer["matured"], abs=0.01)


def _ordered(database: Database, alert: Row, days: int) -> bool:
    placed = rows(database, f"SELECT placed_at FROM orders WHERE customer_pk = {alert['customer_pk']}")
    start = alert["created_at"]
    return any(start < row["placed_at"] <= start + timedelta(days=days) for row in placed)


def test_of_a_large_shop_a_part_is_looked_at_and_the_numbers_are_estimates(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.from_environment({"SWEEP_AFTER_HOURS": "12"})
    # The keys of a shop follow each other; those that other tests have used are none of this one's.
    database.run(lambda transaction: transaction.execute("ALTER TABLE customers AUTO_INCREMENT = 1"))
    _history(database, settings, 1, customers=40)
    whole = _preview(database, settings)
    monkeypatch.setattr(alert_preview, "MOST_SCORES", 500)
    monkeypatch.setattr(alert_preview, "_KEYS_AT_ONCE", 4)
    read, asked = Transaction.rows, []

    def counted(transaction: Transaction, statement: str, parameters: Any = ()) -> list[Row]:
        found = read(transaction, statement, parameters)
        if "FROM predictions" in statement:
            asked.append(len(found))
            plans = read(transaction, f"EXPLAIN FORMAT=TRADITIONAL {statement}", parameters)
            for plan in [one for one in plans if one["table"] == "predictions"]:
                assert plan["key"] in {"predictions_by_customer", "predictions_by_time"}
                assert "filesort" not in plan["Extra"]
        return found

    monkeypatch.setattr(Transaction, "rows", counted)
    part = _preview(database, settings)
    assert part["is_estimate"]
    assert 0 < part["share"] < 1
    assert sum(asked) <= 1 + 500 + 4 * 120
    assert part["alerts"] == pytest.approx(whole["alerts"], rel=0.7)
    assert part == _preview(database, settings), "the same customers each time"
    limited = _preview(database, settings, alerts_a_day=1)
    assert limited["alerts"] <= _DAYS / part["share"]


def test_scores_of_before_are_left_out_and_counted(database: Database) -> None:
    settings = Settings.from_environment({"SWEEP_AFTER_HOURS": "12"})
    _history(database, settings, 1)
    database.run(
        lambda transaction: transaction.execute("UPDATE predictions SET is_active = NULL, value_at_risk = NULL")
    )
    answer = _preview(database, settings)
    assert (answer["alerts"], answer["left"]) == (0, None)
    assert answer["unknown_predictions"] == rows(database, "SELECT COUNT(*) AS n FROM predictions")[0]["n"]


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"medium_risk": 0.7}, ["medium_risk"]),
        ({"high_risk": 0.3, "critical_risk": 0.2}, ["high_risk", "critical_risk"]),
        ({"hysteresis": 0.45}, ["hysteresis"]),
        ({"critical_risk": 0.61}, ["hysteresis"]),
    ],
)
def test_settings_that_do_not_fit_are_refused(database: Database, asked: dict[str, float], fields: list[str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        _preview(database, Settings.from_environment({}), **asked)
    assert [error.field for error in caught.value.errors] == fields
