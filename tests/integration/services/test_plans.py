"""What is asked often reads ranges of indexes in a shop of 100,000 customers: nothing is scanned, sorted or copied."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from churn.adapters.mysql import Database, customer_search
from churn.adapters.mysql.alert_pages import Wanted
from churn.adapters.mysql.conditions import MOST_COUNTED
from churn.adapters.redis_cache import Cache
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.services.alerts import list_alerts
from churn.services.customer_story import CustomerStory, RiskQuery, TimelineQuery
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.predictions import PredictionQuery, list_predictions
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.services.segments import Segments
from tests.support.events import event, order
from tests.support.large_shop import NOW, SETTINGS, build, schema
from tests.support.list_queries import filters, orders
from tests.support.models import RecencyModel
from tests.support.plans import every_plan, faults, rows_read

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2700)]
_SIZE = 100_000
_WHO = "C-7"


@pytest.fixture(scope="module")
def large(mysql_url: str) -> Iterator[Database]:
    with schema(mysql_url, "large_shop") as url:
        build(url, _SIZE, RecencyModel(), lived=1000)
        with closing(Database(url, statement_timeout=600)) as database:
            yield database


def _faults(work: Callable[[], object]) -> list[str]:
    """Return what is wrong with the plans of what some work reads, each with its statement."""
    with every_plan() as plans:
        work()
    assert plans
    return [f"{fault}: {statement[:500]}" for statement, plan in plans.items() for fault in faults(statement, plan)]


def test_every_filter_in_every_order(large: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same statements as for a longer walk, only fewer of them.
    monkeypatch.setattr(customer_search, "MOST_WALKED", 500)
    customers = Customers(large, SETTINGS)

    def pages(sort: CustomerSort, direction: SortOrder) -> None:
        for asked in filters(NOW).values():
            query = CustomerQuery(sort=sort, order=direction, limit=20, **asked)
            cursor = customers.page(query, NOW)["next_cursor"]
            # A place further down is found in one direction as in the other.
            if cursor is not None and direction == "desc":
                customers.page(replace(query, cursor=cursor), NOW)

    for sort, direction in orders():
        assert _faults(partial(pages, sort, direction)) == [], (sort, direction)


def test_reads_of_one_customer_and_figures(large: Database) -> None:
    customers, story = Customers(large, SETTINGS), CustomerStory(large, SETTINGS.retention)
    dashboard = Dashboard(large, Cache(""), SETTINGS)
    reads: dict[str, Callable[[], object]] = {
        "customer": lambda: customers.get(_WHO, NOW),
        "stored": lambda: customers.stored([_WHO], NOW, [_WHO]),
        "events": lambda: customers.events(_WHO, limit=50),
        "timeline": lambda: story.timeline(_WHO, TimelineQuery(), NOW),
        "risk": lambda: story.predictions(_WHO, RiskQuery()),
        "then": lambda: story.then(_WHO, NOW - timedelta(days=3), NOW),
        "stats": lambda: dashboard.stats(NOW),
        "trends": lambda: dashboard.trends("30d", "day", NOW),
        "predictions": lambda: list_predictions(large, PredictionQuery(limit=50)),
        "predictions of days": lambda: list_predictions(
            large, PredictionQuery(limit=50, risk_level="high", date_from=NOW - timedelta(days=3))
        ),
        "segments": lambda: Segments(large, Cache(""), SETTINGS).every(),
    }
    found = {name: wrong for name, read in reads.items() if (wrong := _faults(read))}
    assert found == {}


def test_every_choice_of_alerts(large: Database) -> None:
    pressing: dict[str, Any] = {"status": ("new", "acknowledged"), "priority": "high"}
    day = {"created_from": NOW - timedelta(days=1), "created_to": NOW}
    quarter = {"created_from": NOW - timedelta(days=200), "created_to": NOW - timedelta(days=110)}
    choices: dict[str, dict[str, Any]] = {
        "all": {},
        "awake": {"awake_at": NOW},
        "snoozed": {"snoozed_at": NOW},
        "an inbox": pressing | {"awake_at": NOW},
        "mine": pressing | {"assigned_to": "anna"},
        "a kind": {"alert_type": "churn_risk"},
        "a kind of a priority": {"alert_type": "churn_risk", "priority": "low"},
        "an outcome": {"outcome": ("left",)},
        "a customer": {"customer_pk": 7},
        "a handling": {"handling": "worked"},
        "after an id": {"since": 50_000},
        "changes": {"changes_since": 50_000},
        "changes of a customer": {"changes_since": 0, "customer_pk": 7},
        "changes of a person's": {"changes_since": 0, "assigned_to": "anna"},
        "a kind of a day": day | {"alert_type": "churn_risk"},
        "a status of a quarter": quarter | {"status": ("resolved",), "priority": "low"},
        "a figure": quarter | {"alert_type": "payment_failed", "handling": "worked", "outcome": ("left", "stayed")},
        "seldom met": {"status": ("new",), "outcome": ("left",)},
    }

    def pages(choice: Wanted) -> None:
        cursor = list_alerts(large, choice, limit=20)["next_cursor"]
        if cursor is not None:
            list_alerts(large, choice, limit=20, cursor=cursor)

    found = {name: wrong for name, choice in choices.items() if (wrong := _faults(partial(pages, Wanted(**choice))))}
    assert found == {}
    # The first page and its count, with the lengths of the ranges that they are chosen by.
    most = dict.fromkeys(choices, 7 * MOST_COUNTED)
    most |= dict.fromkeys(("all", "awake", "mine", "a customer", "changes of a customer", "a kind of a day"), 3000)
    for name, choice in choices.items():
        before = large.run(rows_read)
        list_alerts(large, Wanted(**choice), limit=20)
        assert large.run(rows_read) - before < most[name], name


def test_scoring_and_the_sweep(large: Database) -> None:
    scoring = Scoring(large, RecencyModel(), SETTINGS)
    events = [order(f"C-{number}", days_ago=1) for number in range(50)]
    events += [event("payment_failed", f"C-{number}", days_ago=1, order_id="o") for number in range(50)]
    assert _faults(lambda: scoring.apply(events, now=NOW)) == []
    asked = iter([True])
    assert _faults(lambda: sweep(scoring, now=NOW, time_left=lambda: next(asked, False))) == []
