"""What became of alerts: judged as predictions are, and counted by week as they change, always equal to a recount."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.alert_work import Work
from churn.domain.errors import InvalidInputError
from churn.domain.events import Event
from churn.services.alert_outcomes import Judged, judge_alerts, performance
from churn.services.alerts import get_alert, list_alerts, work_on
from churn.services.dashboard import Dashboard
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.settings import Retention, Settings
from tests.support.clock import set_clock
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import watch_plans
from tests.support.stored import kept_and_counted, rows

_SETTINGS = Settings.from_environment({"HORIZON_DAYS": "30"})


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _apply(database: Database, scoring: Scoring, days: float, *events: Event) -> list[int]:
    """Apply events so many days after NOW by the service's clock and by the database's."""
    now = NOW + timedelta(days=days)
    set_clock(database, now)
    return scoring.apply(events, now=now).alert_ids


def _judge(database: Database, days: float) -> Judged:
    now = NOW + timedelta(days=days)
    set_clock(database, now)
    return judge_alerts(database, _SETTINGS, now=now, time_left=lambda: True)


def _outcomes(database: Database) -> list[tuple[str, str | None]]:
    return [(row["outcome"], row["handling"]) for row in rows(database, "SELECT * FROM alerts ORDER BY id")]


def _performance(database: Database, days: float, **asked: Any) -> Any:
    query = {"by": ("kind", "week"), "first": None, "last": None} | asked
    return performance(database, _SETTINGS, now=NOW + timedelta(days=days), **query)


def _agrees(database: Database) -> bool:
    kept, counted = kept_and_counted(database)
    return kept == counted


def test_an_alert_matures_when_its_horizon_and_a_day_are_over(database: Database, scoring: Scoring) -> None:
    _apply(database, scoring, 0, order("GOES", days_ago=20), order("STAYS", days_ago=20))
    _apply(database, scoring, 0, event("payment_failed", "GOES"), event("payment_failed", "STAYS"))
    # Somebody who has never ordered cannot leave.
    _apply(database, scoring, 0, event("payment_failed", "NEVER"))
    _apply(database, scoring, 29, order("STAYS", days_ago=-29), order("GOES", days_ago=-30.5))
    assert _judge(database, 30.9) == Judged()
    assert _outcomes(database) == [("pending", "untouched")] * 3
    assert _performance(database, 30)["total"]["left_rate"] is None
    assert _judge(database, 31.1) == Judged(judged=3)
    assert Counter(_outcomes(database)) == Counter(
        {("left", "untouched"): 1, ("stayed", "untouched"): 1, ("none", "untouched"): 1}
    )
    total = _performance(database, 31)["total"]
    assert (total["alerts"], total["matured"], total["left"], total["left_rate"]) == (3, 2, 1, 50.0)
    assert (total["without_outcome"], total["worked"]["left"], total["worked"]["left_rate"]) == (1, None, None)
    assert _judge(database, 31.5) == Judged()
    assert _agrees(database)


def test_what_came_late_corrects_an_outcome_once_more(database: Database, scoring: Scoring) -> None:
    (number,) = _apply(database, scoring, 0, order(days_ago=20), event("payment_failed"))
    _judge(database, 31.1)
    assert _outcomes(database) == [("left", "untouched")]
    work_on(database, number, Work("resolved"), "ann", NOW + timedelta(days=35))
    _apply(database, scoring, 40, order(days_ago=-10))
    assert _judge(database, 58) == Judged()
    assert _judge(database, 59.1) == Judged(corrected=1)
    assert _outcomes(database) == [("stayed", "untouched")]
    assert _agrees(database)


def test_what_is_made_of_an_alert_counts_until_its_outcome_is_known(database: Database, scoring: Scoring) -> None:
    names = ("WORKED", "DISMISSED", "UNDONE", "LATER")
    _apply(database, scoring, 0, *(order(name, days_ago=20) for name in names))
    ids = [_apply(database, scoring, 0, event("payment_failed", name))[0] for name in names]
    works: list[tuple[int, Work]] = [
        (ids[0], Work("resolved", note="called")),
        (ids[1], Work("dismissed", reason="a test")),
        (ids[2], Work("in_progress")),
        (ids[2], Work("new")),
    ]
    for number, work in works:
        work_on(database, number, work, "ann", NOW)
        assert _agrees(database)
    assert [handling for _, handling in _outcomes(database)] == ["worked", "dismissed", "untouched", "untouched"]
    _judge(database, 31.1)
    work_on(database, ids[3], Work("resolved"), "ann", NOW + timedelta(days=32))
    work_on(database, ids[0], Work("new"), "ann", NOW + timedelta(days=32))
    assert _outcomes(database) == [("left", name) for name in ("worked", "dismissed", "untouched", "untouched")]
    (group,) = _performance(database, 40)["groups"]
    assert (group["alert_type"], group["week"], group["left"]) == ("payment_failure", "2026-11-23", 4)
    assert group["worked"] == group["dismissed"] == {"alerts": 1, "matured": 1, "left": 1, "left_rate": 100.0}
    assert group["untouched"]["matured"] == 2
    assert get_alert(database, ids[0])["outcome"] == "left"
    assert _agrees(database)


def _shop(database: Database, scoring: Scoring, chance: random.Random) -> None:
    """Let alerts of several kinds and weeks be raised, worked on, judged, erased and pruned."""
    names = [f"C-{number}" for number in range(24)]
    _apply(database, scoring, 0, *(order(name, days_ago=chance.uniform(5, 40)) for name in names))
    for day in range(1, 70, 3):
        who = chance.sample(names, 6)
        kinds = ("payment_failed", "refund_requested", "subscription_cancelled")
        _apply(database, scoring, day, *(event(chance.choice(kinds), name, days_ago=-day) for name in who[:4]))
        _apply(database, scoring, day, *(order(name, days_ago=-day) for name in who[4:]))
        for alert in list_alerts(database, limit=500)["alerts"]:
            if alert["status"] == "new" and chance.random() < 0.3:
                work = chance.choice([Work("resolved"), Work("dismissed", reason="no"), Work("acknowledged")])
                work_on(database, alert["id"], work, "ann", NOW + timedelta(days=day))
        _judge(database, day)
    _apply(database, scoring, 70, event("customer_deleted", "C-1"), event("customer_deleted", "C-2"))
    prune(database, Retention(0, 0, 65, 0, 0), now=NOW + timedelta(days=70), time_left=lambda: True)


@pytest.mark.parametrize("seed", range(2))
def test_the_figures_equal_a_recount_and_open_their_alerts(database: Database, scoring: Scoring, seed: int) -> None:
    _shop(database, scoring, random.Random(seed))
    assert _agrees(database)
    answer = _performance(database, 70)
    assert len({group["week"] for group in answer["groups"]}) > 5
    assert len({group["alert_type"] for group in answer["groups"]}) == 4
    stored = rows(database, "SELECT alert_type, outcome, handling, created_at FROM alerts")
    assert {row["outcome"] for row in stored} == {"pending", "left", "stayed", "none"}
    for group in [answer["total"], *answer["groups"]]:
        own = [row for row in stored if _is_of(row, group.get("alert_type"), group.get("week"))]
        _assert_counted(group, own)
        for handling in ("worked", "dismissed", "untouched"):
            _assert_counted(group[handling], [row for row in own if row["handling"] == handling])
        for name, figure in (("alerts", group["alerts"]), ("matured", group["matured"]), ("left", group["left"] or 0)):
            assert _opened(database, group["links"][name]) == figure
    by_kind = _performance(database, 70, by=("kind",))
    assert {group["week"] for group in by_kind["groups"]} == {None}
    assert sum(group["alerts"] for group in by_kind["groups"]) == by_kind["total"]["alerts"] == len(stored)


def _is_of(row: Row, kind: str | None, week: str | None) -> bool:
    day = row["created_at"].date()
    monday = day - timedelta(days=day.weekday())
    return kind in {None, row["alert_type"]} and week in {None, monday.isoformat()}


def _assert_counted(figures: Any, own: Sequence[Row]) -> None:
    counts = Counter(row["outcome"] for row in own)
    matured = counts["left"] + counts["stayed"]
    assert (figures["alerts"], figures["matured"]) == (len(own), matured)
    assert figures["left"] == (counts["left"] if matured else None)
    assert figures["left_rate"] == (pytest.approx(100 * counts["left"] / matured, abs=0.01) if matured else None)


def _opened(database: Database, link: str) -> int:
    """Return how many alerts a link lists."""
    query = dict(part.split("=") for part in link.partition("?")[2].split("&"))
    first, last = (datetime.fromisoformat(query[name]).replace(tzinfo=UTC) for name in ("created_from", "created_to"))
    wanted = Wanted(
        alert_type=query.get("alert_type"),
        outcome=tuple(query["outcome"].split(",")) if "outcome" in query else (),  # type: ignore[arg-type]
        created_from=first,
        created_to=last + timedelta(days=1, milliseconds=-1),
    )
    page = list_alerts(database, wanted, limit=500)
    assert page["total"] == len(page["alerts"])
    return page["total"]


def test_alerts_of_before_are_counted_in_the_next_night(database: Database, scoring: Scoring) -> None:
    _apply(database, scoring, 0, order(days_ago=20), event("payment_failed"), event("refund_requested"))
    database.run(lambda transaction: transaction.execute("DELETE FROM alert_weeks"))
    # So a version that knew no outcomes left them, and so it closes one.
    database.run(lambda transaction: transaction.execute("UPDATE alerts SET handling = NULL, status = 'resolved'"))
    database.run(lambda transaction: transaction.execute("DELETE FROM totals"))
    assert _performance(database, 1)["groups"] == []
    assert _judge(database, 1) == Judged(counted=2)
    assert _performance(database, 1)["total"]["worked"]["alerts"] == 2
    assert _judge(database, 1) == Judged()


def test_the_dashboard_tells_of_the_newest_weeks_with_outcomes(database: Database, scoring: Scoring) -> None:
    dashboard = Dashboard(database, Cache(""), _SETTINGS)
    _apply(database, scoring, 0, order(days_ago=20), event("payment_failed"))
    assert dashboard.stats(NOW)["alert_outcomes"] is None
    for week in range(1, 7):
        failed = event("payment_failed", f"C-{week}", days_ago=-7 * week)
        _apply(database, scoring, 7 * week, order(f"C-{week}", days_ago=1 - 7 * week), failed)
    _judge(database, 62)
    figures = dashboard.stats(NOW + timedelta(days=62))["alert_outcomes"]
    assert figures is not None
    assert (figures["matured"], figures["left_rate"]) == (4, 100.0)
    assert _opened(database, figures["links"]["matured"]) == 4


def test_weeks_that_cannot_be_told_are_refused(database: Database) -> None:
    with pytest.raises(InvalidInputError, match="date_to"):
        _performance(database, 0, first=NOW, last=NOW - timedelta(days=8))
    with pytest.raises(InvalidInputError, match="date_from"):
        _performance(database, 0, first=NOW - timedelta(weeks=106))
    whole = _performance(database, 0, first=NOW - timedelta(weeks=105))
    assert (whole["first_day"], whole["last_day"]) == ("2024-11-18", "2026-11-29")
    assert whole["total"]["left"] is None


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(outcome=("left",)),
        Wanted(outcome=("left", "stayed"), created_from=NOW, created_to=NOW + timedelta(days=7)),
        Wanted(alert_type="payment_failure"),
        Wanted(alert_type="payment_failure", outcome=("left",), created_from=NOW),
    ],
)
def test_lists_by_kind_and_outcome_are_read_from_their_index(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch, wanted: Wanted
) -> None:
    _shop(database, scoring, random.Random(1))
    database.run(lambda transaction: transaction.rows("ANALYZE TABLE alerts"))
    plans = watch_plans(monkeypatch, lambda statement: "FROM alerts " in statement and "LIMIT" in statement)
    assert list_alerts(database, wanted, limit=3)["alerts"]
    for plan in plans:
        for row in plan:
            if row["table"] == "alerts":
                assert row["key"] in {"alerts_by_kind", "alerts_by_outcome"}, plan
                assert "filesort" not in (row["Extra"] or ""), plan
