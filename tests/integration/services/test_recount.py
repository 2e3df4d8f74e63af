"""Everything at once: scoring, sweeps, alert actions and erasures in processes of their own, then a full recount."""

import random
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from typing import get_args

from churn.adapters.mysql import Database, alert_work
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.alert_work import Work
from churn.domain.alerts import AlertStatus
from churn.domain.errors import ConflictError, NotFoundError
from churn.domain.events import Event
from churn.domain.record_subjects import customers_perhaps_named
from churn.domain.tombstones import Tombstones
from churn.services import erasing
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support import eventually
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import compare_with_histories, rows

_CUSTOMERS = 40
_SETTINGS = Settings.from_environment({})
_STATUSES = get_args(AlertStatus)
_LAST = NOW + timedelta(minutes=50)


def _history(seed: int) -> list[Event]:
    """Return events of all customers: late and ahead of time, corrections, cancellations; every tenth is erased."""
    chance = random.Random(seed)
    events: list[Event] = []
    for number in range(1200):
        who, days = (
            f"C-{chance.randrange(_CUSTOMERS)}",
            chance.choice([chance.uniform(0, 200), -chance.uniform(0, 0.03)]),
        )
        events.append(
            chance.choice(
                [
                    order(who, days_ago=days, value=chance.choice([0, 5, 80]), order_id=f"o{number}"),
                    order(who, days_ago=days, value=7, order_id=f"o{max(0, number - 30)}"),
                    event("order_cancelled", who, days_ago=days, order_id=f"o{chance.randrange(1200)}"),
                    event("login", who, days_ago=days),
                    event("loyalty_points_changed", who, days_ago=days, balance=chance.choice([0, 120.5])),
                    event("payment_failed", who, days_ago=days),
                    event("loyalty_points_changed", who, days_ago=days, points=1.5),
                    event("profile_updated", who, days_ago=days, name=f"Name {number}"),
                ]
            )
        )
    # An id that comes again with another content: the one that is stored first stays.
    events += [replace(one, data={**one.data, "again": True}) for one in chance.sample(events, 60)]
    events += [event("customer_deleted", f"C-{number}") for number in range(0, _CUSTOMERS, 10)]
    return events


def _score(url: str, delivered: list[Event], seed: int) -> None:
    chance, database = random.Random(seed), Database(url)
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    chance.shuffle(delivered)
    for start in range(0, len(delivered), 20):
        number = start // 20
        dead = [
            DeadLetter("t", seed, number, None, b'{"customer_id": "C-%d", "x' % (number % _CUSTOMERS), "cut"),
            DeadLetter("t", 0, number, b"C-%d" % (number % _CUSTOMERS), b"?", "delivered to each"),
        ]
        scoring.apply(delivered[start : start + 20], now=NOW + timedelta(seconds=start), dead=dead)
    database.close()


def _sweep(url: str, times: int) -> None:
    database = Database(url)
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    for number in range(times):
        sweep(scoring, now=NOW + timedelta(minutes=number % 50), time_left=lambda: True)
    database.close()


def _work_on_alerts(url: str, times: int) -> None:
    chance, database = random.Random(9), Database(url)
    # Who scores takes longer to begin.
    eventually(lambda: rows(database, "SELECT id FROM alerts LIMIT 1"))
    for _ in range(times):
        ids = [row["id"] for row in rows(database, "SELECT id FROM alerts")]
        if not ids:
            continue
        at: datetime = NOW + timedelta(minutes=chance.randint(0, 50))
        try:
            if chance.random() < 0.5:
                work = Work(chance.choice(_STATUSES), reason="why", note="what")
                some = chance.sample(ids, min(len(ids), 5))
                database.run(partial(alert_work.work_on, alert_ids=some, work=work, by="ann", now=at))
            elif chance.random() < 0.5:
                alert_work.acknowledge(database, chance.choice(ids), "ann", at)
            else:
                alert_work.resolve(database, chance.choice(ids), "ann", None, at)
        except (ConflictError, NotFoundError):
            # Another process was quicker: erased, or closed.
            continue
    database.close()


def test_after_scoring_sweeps_actions_and_erasures_at_once_everything_equals_a_recount(
    mysql_url: str, database: Database
) -> None:
    events = _history(4)
    with ProcessPoolExecutor(6, mp_context=get_context("spawn")) as pool:
        # Each scoring process is delivered two thirds of the events: most come twice, in another order.
        third = len(events) // 3
        running = [
            pool.submit(_score, mysql_url, events[: 2 * third], 1),
            pool.submit(_score, mysql_url, events[third:], 2),
            pool.submit(_score, mysql_url, events[2 * third :] + events[:third], 3),
            pool.submit(_sweep, mysql_url, 60),
            pool.submit(_sweep, mysql_url, 60),
            pool.submit(_work_on_alerts, mysql_url, 200),
        ]
        for future in running:
            future.result()
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    applied = scoring.apply(events, now=_LAST)
    assert applied.events == 0
    sweep(scoring, now=_LAST, time_left=lambda: True)
    assert compare_with_histories(database) == _CUSTOMERS * 9 // 10
    stored = rows(database, "SELECT COUNT(*) AS n, COUNT(DISTINCT event_id) AS ids FROM events")
    erased = {f"C-{number}" for number in range(0, _CUSTOMERS, 10)}
    expected = len({one.event_id for one in events if one.customer_id not in erased})
    assert stored == [{"n": expected, "ids": expected}]
    assert rows(database, "SELECT alert_id FROM alert_actions WHERE alert_id NOT IN (SELECT id FROM alerts)") == []
    tombstones = Tombstones(lambda: _SETTINGS.erasure_key)
    erasing.clear_dead_letters(database, tombstones, time_left=lambda: True)
    letters = rows(database, "SELECT record_key, record_value FROM dead_letters")
    names = [name for row in letters for name in customers_perhaps_named(row["record_key"], row["record_value"])]
    batches = -(-2 * third // 20)
    assert len(letters) == 4 * batches, "those that were delivered to each are stored once"
    assert erased.isdisjoint(names)
    assert len(names) > batches
    numbers = rows(database, "SELECT change_number FROM alert_actions ORDER BY change_number")
    assert len({row["change_number"] for row in numbers}) == len(numbers) > 50
    told = rows(database, "SELECT id, created_at FROM alerts ORDER BY id")
    assert [row["created_at"] for row in told] == sorted({row["created_at"] for row in told})
