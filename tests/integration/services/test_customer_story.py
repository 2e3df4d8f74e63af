"""A customer's story over a real database: the timeline, the risk over time, and what was said at an instant."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from churn.adapters.mysql import Database, alert_actions
from churn.adapters.mysql.alert_work import work_on
from churn.domain.alert_work import Work
from churn.domain.answers import CustomerDetail
from churn.domain.errors import CustomerNotFoundError, InvalidInputError
from churn.domain.explanations import rounded
from churn.domain.timeline import TIMELINE_KINDS, TimelineKind
from churn.domain.timestamps import iso, parse_exact_timestamp
from churn.services.cursors import InvalidCursorError
from churn.services.customer_notes import CustomerNotes
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.services.customers import Customers
from churn.services.retention import prune
from churn.services.scoring import Scoring
from churn.settings import Retention, Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.stored import rows

_SETTINGS = Settings.from_environment({})
_WHO = "CUST-001"


class _Newer(RecencyModel):
    version = "recency-2"


def _days(ago: float) -> datetime:
    return NOW - timedelta(days=ago)


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


@pytest.fixture
def story(database: Database) -> CustomerStory:
    return CustomerStory(database, _SETTINGS.retention)


@pytest.fixture
def alert(scoring: Scoring, database: Database) -> int:
    """Return the id of an alert that two people worked on, of a customer who orders and has a payment that fails."""
    scoring.apply([event("customer_registered", days_ago=60), order(days_ago=40)], now=_days(40))
    scoring.apply([event("payment_failed", days_ago=20, order_id="o")], now=_days(20))
    scoring.apply([event("support_ticket_created", days_ago=5), event("login", days_ago=5)], now=_days(5))
    (raised,) = rows(database, "SELECT id FROM alerts WHERE alert_type = 'payment_failure'")
    number = int(raised["id"])
    # Alerts are raised by the clock of the machine.
    database.run(
        lambda transaction: transaction.execute(
            "UPDATE alerts SET created_at = %s - INTERVAL id MICROSECOND", (_days(20),)
        )
    )

    def work(days_ago: float, by: str, **fields: Any) -> None:
        done = database.run(lambda transaction: work_on(transaction, [number], Work(**fields), by, _days(days_ago)))
        assert done == {number: True}

    work(4, "anna", status="in_progress", changes_assignee=True, assigned_to="anna")
    work(3, "ben", status="resolved", note="New card.")
    for days_ago in (20, 5, 5):
        CustomerNotes(database).add(_WHO, "Likes to be called.", "anna", _days(days_ago))
    return number


def _pages(story: CustomerStory, limit: int, **query: Any) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        page = story.timeline(_WHO, TimelineQuery(limit=limit, cursor=cursor, **query), NOW)
        assert len(page["items"]) == limit or page["next_cursor"] is None
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def test_the_timeline_has_everything_once_in_one_order(story: CustomerStory, alert: int, database: Database) -> None:
    whole = _pages(story, 500)
    kinds = [item["kind"] for item in whole]
    stored = {
        kind: rows(database, f"SELECT COUNT(*) AS n FROM {table}")[0]["n"]
        for kind, table in [
            *(("event", "events"), ("prediction", "predictions")),
            *(("alert", "alerts"), ("action", "alert_actions"), ("note", "customer_notes")),
        ]
    }
    assert {kind: kinds.count(kind) for kind in TIMELINE_KINDS} == stored
    assert min(stored.values()) > 0
    order_of = [(parse_exact_timestamp(item["at"]), -TIMELINE_KINDS.index(item["kind"])) for item in whole]
    assert order_of == sorted(order_of, reverse=True)
    for limit in (1, 2, 3, 7):
        assert _pages(story, limit) == whole
    done = [item for item in whole if item["kind"] == "action"]
    assert [(item["action"]["by"], item["action"]["note"]) for item in done] == [("ben", "New card."), ("anna", None)]
    assert {(item["alert_id"], item["alert_type"]) for item in done} == {(alert, "payment_failure")}
    assert [item["event"]["event_type"] for item in whole if item["kind"] == "event"][-1] == "customer_registered"


def test_kinds_and_days_choose_a_part(story: CustomerStory, alert: int) -> None:
    assert alert
    whole = _pages(story, 500)
    chosen: tuple[TimelineKind, ...] = ("event", "action")
    assert _pages(story, 2, kind=chosen) == [item for item in whole if item["kind"] in chosen]
    between = {"date_from": _days(20), "date_to": _days(5)}
    expected = [
        item for item in whole if _days(20) <= parse_exact_timestamp(item["at"]) < _days(5) + timedelta(milliseconds=1)
    ]
    assert _pages(story, 1, **between) == expected
    assert 0 < len(expected) < len(whole)


def test_late_and_new_events_between_pages_show_nothing_twice(
    story: CustomerStory, alert: int, scoring: Scoring
) -> None:
    assert alert
    before = _pages(story, 500)
    first = story.timeline(_WHO, TimelineQuery(limit=4), NOW)
    scoring.apply([event("login", days_ago=0), event("login", days_ago=50), event("login", days_ago=4)], now=NOW)
    seen, cursor = [*first["items"]], first["next_cursor"]
    while cursor is not None:
        page = story.timeline(_WHO, TimelineQuery(limit=2, cursor=cursor), NOW)
        seen += page["items"]
        cursor = page["next_cursor"]
    assert [item for item in seen if item in before] == before
    assert len(seen) == len({repr(item) for item in seen}) == len(before) + 1


def test_it_says_from_when_on_everything_is_kept(story: CustomerStory, alert: int, database: Database) -> None:
    assert alert
    kept = story.timeline(_WHO, TimelineQuery(), NOW)["kept_since"]
    two_years = iso(NOW - timedelta(days=730))
    assert kept == {"note": None, "event": None, "prediction": two_years, "alert": two_years, "action": two_years}
    retention = Retention(events=30, predictions=0, alerts=0)
    prune(database, retention, now=NOW, time_left=lambda: True)
    page = CustomerStory(database, retention).timeline(_WHO, TimelineQuery(kind=("event",)), NOW)
    assert page["kept_since"] == dict.fromkeys(TIMELINE_KINDS) | {"event": iso(_days(30))}
    assert [item["at"] >= iso(_days(30)) for item in page["items"]] == [True] * 3


def test_an_action_of_a_version_of_before_gets_its_customer_at_night(
    story: CustomerStory, alert: int, database: Database
) -> None:
    whole = _pages(story, 500)
    database.run(lambda transaction: transaction.execute("UPDATE alert_actions SET customer_pk = NULL"))
    assert len(_pages(story, 500)) == len(whole) - 2
    prune(database, Retention(), now=NOW, time_left=lambda: True)
    assert _pages(story, 500) == whole
    assert database.run(lambda transaction: alert_actions.complete(transaction, 10)) == 0
    assert alert


def test_each_prediction_tells_what_changed_it(story: CustomerStory, alert: int) -> None:
    assert alert
    points = story.predictions(_WHO, RiskQuery())["predictions"]
    assert len(points) == 3
    assert [point["created_at"] for point in points] == [iso(_days(ago)) for ago in (5, 20, 40)]
    assert [point["churn_probability"] for point in points] == pytest.approx([0.45, 0.3, 0])
    newest, middle, oldest = (point["change"] for point in points)
    assert oldest is None
    assert newest is not None
    assert newest["drivers"] is not None
    assert [(driver["feature"], driver["effect"]) for driver in newest["drivers"]] == [("days_since_last_order", 0.15)]
    assert (newest["drivers"][0]["before"], newest["drivers"][0]["after"]) == (20, 35)
    assert middle is not None
    assert middle["drivers"] is not None
    assert {driver["feature"]: driver["effect"] for driver in middle["drivers"]} == {
        "days_since_last_order": 0.2,
        "payment_failures": 0.1,
    }
    paged = [story.predictions(_WHO, RiskQuery(limit=1))]
    while paged[-1]["next_cursor"]:
        paged.append(story.predictions(_WHO, RiskQuery(limit=1, cursor=paged[-1]["next_cursor"])))
    assert [point for page in paged for point in page["predictions"]] == points
    # The one before lies outside of what is asked for.
    window = story.predictions(_WHO, RiskQuery(date_from=_days(20), date_to=_days(20)))
    assert window["predictions"] == [points[1]]


def test_any_two_predictions_can_be_compared(story: CustomerStory, alert: int, scoring: Scoring) -> None:
    assert alert
    scoring.apply([order("CUST-002", days_ago=1)], now=_days(1))
    points = story.predictions(_WHO, RiskQuery())["predictions"]
    first, last = points[-1]["id"], points[0]["id"]
    change = story.predictions(_WHO, RiskQuery(limit=1, compare_from=first, compare_to=last))["comparison"]
    assert change is not None
    assert change["drivers"] is not None
    assert (change["from_id"], change["to_id"], change["change"]) == (first, last, 0.45)
    parts = [driver["effect"] for driver in change["drivers"]]
    assert rounded(sum(parts) + (change["base_change"] or 0) + (change["other_changes"] or 0)) == change["change"]
    assert story.predictions(_WHO, RiskQuery(compare_from=first))["comparison"] == change
    with pytest.raises(InvalidInputError) as refused:
        story.predictions(_WHO, RiskQuery(compare_from=first, compare_to=10**9))
    assert [error.field for error in refused.value.errors] == ["compare_to"]
    with pytest.raises(InvalidInputError) as refused:
        story.predictions("CUST-002", RiskQuery(compare_from=first, compare_to=last))
    assert [error.field for error in refused.value.errors] == ["compare_from", "compare_to"]


def test_another_version_is_told_and_what_earlier_releases_stored_has_no_reasons(
    story: CustomerStory, alert: int, database: Database
) -> None:
    assert alert
    database.run(lambda transaction: transaction.execute("UPDATE predictions SET reasons = NULL"))
    Scoring(database, _Newer(), _SETTINGS).apply([event("login", days_ago=1)], now=_days(1))
    newest, before, *_ = story.predictions(_WHO, RiskQuery())["predictions"]
    assert newest["change"] is not None
    assert before["change"] is not None
    assert (newest["change"]["model_changed"], before["change"]["model_changed"]) == (True, False)
    assert newest["change"]["change"] == pytest.approx(0.04)
    for change in (newest["change"], before["change"]):
        assert (change["base_change"], change["drivers"], change["other_changes"]) == (None, None, None)


def test_as_of_an_instant_it_tells_what_was_said_then(story: CustomerStory, alert: int, database: Database) -> None:
    then = story.then(_WHO, _days(10), NOW)
    assert (then["as_of"], then["last_prediction_at"]) == (iso(_days(10)), iso(_days(20)))
    assert (then["churn_probability"], then["risk_level"]) == (0.3, "low")
    assert (then["days_since_last_order"], then["payment_failures"]) == (20, 1)
    assert then["drivers"] is not None
    assert then["base_probability"] is not None
    assert then["other_contributions"] is not None
    contributions = sum(driver["contribution"] for driver in then["drivers"])
    assert rounded(then["base_probability"] + contributions + then["other_contributions"]) == then["churn_probability"]
    assert then["risk_change_7d"] == pytest.approx(0.3)
    (stored,) = story.predictions(_WHO, RiskQuery(date_from=_days(20), date_to=_days(20)))["predictions"]
    assert then["value_at_risk"] == stored["value_at_risk"]
    assert then["value_at_risk"] is not None
    assert then["value_at_risk"] > 0
    assert then["open_alerts"] is not None
    assert [(one["id"], one["status"], one["assigned_to"]) for one in then["open_alerts"]] == [(alert, "new", None)]
    today = Customers(database, _SETTINGS).get(_WHO, NOW)
    told = {name for name, value in then.items() if value is not None}
    assert CustomerDetail.__required_keys__ <= then.keys()
    assert told.isdisjoint({"name", "status", "expected_spend", "recommendations", "updated_at"})
    assert today["status"] is not None


@pytest.mark.parametrize(("days_ago", "expected"), [(30, None), (3.5, ("in_progress", "anna")), (3, None), (2, None)])
def test_alerts_are_told_as_they_stood(
    story: CustomerStory, alert: int, days_ago: float, expected: tuple[str, str] | None
) -> None:
    found = story.then(_WHO, _days(days_ago), NOW)["open_alerts"]
    assert found is not None
    states = [(one["status"], one["assigned_to"]) for one in found if one["id"] == alert]
    assert states == ([] if expected is None else [expected])


def test_what_an_alert_said_before_it_was_raised_is_not_known(
    story: CustomerStory, alert: int, database: Database
) -> None:
    assert alert
    database.run(lambda transaction: transaction.execute("UPDATE alerts SET raised_at = %s", (_days(2),)))
    (then,) = story.then(_WHO, _days(10), NOW)["open_alerts"] or []
    assert (then["alert_type"], then["title"], then["priority"], then["risk_score"]) == (
        *("payment_failure", None, None, None),
    )


def test_before_the_first_prediction_nothing_was_said(story: CustomerStory, alert: int) -> None:
    assert alert
    then: Any = story.then(_WHO, _days(50), NOW)
    assert {name for name, value in then.items() if value is not None} == {"customer_id", "as_of", "open_alerts"}
    assert then["open_alerts"] == []


def test_alerts_of_a_time_from_which_they_are_not_kept_are_unknown(database: Database, alert: int) -> None:
    assert alert
    story = CustomerStory(database, Retention(alerts=30))
    assert story.then(_WHO, _days(31), NOW)["open_alerts"] is None
    assert story.then(_WHO, _days(29), NOW)["open_alerts"] == []


def test_bad_questions_are_refused(story: CustomerStory, alert: int) -> None:
    assert alert
    with pytest.raises(InvalidInputError, match="as_of: lies ahead"):
        story.then(_WHO, NOW + timedelta(seconds=1), NOW)
    for cursor in ("x", story.timeline(_WHO, TimelineQuery(limit=1, kind=("event",)), NOW)["next_cursor"]):
        with pytest.raises(InvalidCursorError):
            story.predictions(_WHO, RiskQuery(cursor=cursor))
    for read in (
        lambda: story.timeline("nobody", TimelineQuery(), NOW),
        lambda: story.predictions("nobody", RiskQuery()),
        lambda: story.then("nobody", NOW, NOW),
    ):
        with pytest.raises(CustomerNotFoundError):
            read()


def test_each_kind_is_read_from_an_index_in_its_order(
    story: CustomerStory, alert: int, scoring: Scoring, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert alert
    for number in range(40):
        scoring.apply([event("payment_failed", f"OTHER-{number % 4}", order_id="o"), event("login")], now=NOW)
    database.run(
        lambda transaction: transaction.rows("ANALYZE TABLE events, predictions, alerts, alert_actions, customer_notes")
    )
    cursor = story.timeline(_WHO, TimelineQuery(limit=4), NOW)["next_cursor"]
    watched = watch_plans(monkeypatch, lambda statement: " LIMIT %s" in statement and "customer_pk = %s" in statement)
    story.timeline(_WHO, TimelineQuery(limit=4, cursor=cursor), NOW)
    indexes = {
        "events": "events_by_time",
        "predictions": "predictions_by_customer",
        "alerts": "alerts_by_customer_and_time",
        "alert_actions": "alert_actions_by_customer",
        "customer_notes": "customer_notes_by_customer",
    }
    inner = [plan for plan in rows_of(watched) if plan["table"] in indexes]
    assert {plan["table"]: plan["key"] for plan in inner} == indexes
    assert not [plan for plan in inner if "filesort" in (plan["Extra"] or "")]
