"""Faults under load: nothing is lost, nothing counts twice, what can be answered is, and it is over in ten seconds.

``make chaos`` runs all of them and prints the table of docs/reliability.md. A few are part of all tests, on any
machine: how long anything takes is held by ``make chaos`` alone. RECOVERS=60 gives a busy machine so many seconds.
"""

import gc
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.chaos.fault import Fault
from tests.contract.chaos.faults import OF_DEPENDENCIES
from tests.contract.chaos.listener import Listener
from tests.contract.chaos.load import NO_ANSWER, REQUESTS, Load
from tests.contract.chaos.own_faults import OF_ITS_OWN
from tests.contract.chaos.shop import Shop, running_shop
from tests.contract.conftest import Stack
from tests.support import eventually
from tests.support.stored import compare_with_histories

_IS_WHOLE = bool(os.environ.get("CHAOS"))
_RECOVERS = float(os.environ.get("RECOVERS") or 0)
_IN_ALL_TESTS = {"MySQL stopped", "connections to MySQL cut", "Redis poisoned", "scoring killed in its transactions"}
_FAULTS = [fault for fault in OF_DEPENDENCIES + OF_ITS_OWN if _IS_WHOLE or fault.name in _IN_ALL_TESTS]
_SETTLED_SECONDS = 90.0
_HELD_SECONDS = 6
_PATIENCE = 1 if _IS_WHOLE else 4
_GOOD = {200, 202}
_FAILED = {502, 503, 504}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, buckets: Path, stack: Stack) -> Iterator[Shop]:
    """Return the shop that every fault happens to; the session's stack is there, so that it copies its model."""
    # Of a stack that has just started on a busy machine a check may take longer than it may at first.
    eventually(lambda: stack.get("/health", role=None).status == 200, within=120, every=0.5)
    with running_shop(tmp_path_factory.mktemp("chaos"), buckets, is_whole=_IS_WHOLE) as running:
        yield running


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Collect the rows of the table, and write it to the file that CHAOS_TABLE names."""
    columns = ("fault", "events", "alerts", "answers while it lasts", "slowest", "`/health`", "recovered after")
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    yield lines
    target = Path(os.environ.get("CHAOS_TABLE") or tmp_path_factory.mktemp("table") / "faults.md")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")


# Kafka's client forgets sockets of a broker that is away.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.slow
# Of each fault alone: the shop that is started for the first has limits of its own.
@pytest.mark.timeout(300 * _PATIENCE, func_only=True)
@pytest.mark.parametrize("fault", _FAULTS, ids=lambda one: one.name)
def test_a_fault_costs_nothing_that_was_accepted(shop: Shop, fault: Fault, table: list[str]) -> None:
    name = fault.name.replace(" ", "-")
    newest = max(_alerts(shop, 0), default=0)
    listener = Listener(shop.stack, newest)
    listener.start()
    try:
        with Load(shop.stack, name) as load:
            eventually(lambda: len(load.replies) > 30 and _stored(shop, name) > 20)
            began = time.monotonic()
            told = _hold(shop, fault, load)
            # Not those of before: a function's first answer loads what it needs.
            replies = [reply for reply in list(load.replies) if reply.at + reply.seconds >= began]
            during, slowest = load.statuses(), max(reply.seconds for reply in replies)
            recovered = _recover(shop, fault, load)
        eventually(lambda: _stored(shop, name) == len(load.accepted), within=_SETTLED_SECONDS * _PATIENCE, every=0.2)
        alerts = _alerts(shop, newest)
        # Those of a process that ended while it posted come by the call of each minute.
        eventually(lambda: len(listener.shown) >= len(alerts), within=75)
    finally:
        listener.stop()
    with closing(shop.mysql.owner) as database:
        compare_with_histories(database)
    _assert_alerts(shop, load, name)
    # What was posted, and could not be noted before a process or a connection ended, is posted again: clients drop it.
    assert listener.shown == _alerts(shop, newest)
    _assert_answers(fault, load)
    gc.collect()
    errors = {kind: dict(sorted(found.items())) for kind, found in during.items() if set(found) - _GOOD}
    heard = f"{len(alerts)}, {len(listener.ids) - len(alerts)} posted twice"
    cells = (
        fault.name,
        str(len(load.accepted)),
        heard,
        _worded(errors),
        f"{slowest:.1f} s",
        told,
        f"{recovered:.1f} s",
    )
    table.append(f"| {' | '.join(cells)} |")


def _hold(shop: Shop, fault: Fault, load: Load) -> str:
    """Hold a fault for its time; return what `/health` said of it."""
    with fault.begin(shop, load):
        until = time.monotonic() + (fault.seconds if _IS_WHOLE else min(fault.seconds, _HELD_SECONDS))
        said = ""
        if fault.check is not None and _IS_WHOLE:
            check = fault.check
            said = eventually(lambda: _not_up(shop, check), within=fault.seconds, every=0.2)
        time.sleep(max(0.0, until - time.monotonic()))
    return f"{fault.check}: {said.partition(' ')[0]}" if said else "as before"


def _not_up(shop: Shop, check: str) -> str:
    checks = shop.health().get("checks")
    found = checks[check] if checks else {"status": "up"}
    return "" if found["status"] == "up" else f"{found['status']} ({found['detail']})"


def _recover(shop: Shop, fault: Fault, load: Load) -> float:
    """Wait until everything is as before, and return how many seconds that took."""
    ended, applied = time.monotonic(), _stored(shop, load.name)
    within = max(fault.recovers, _RECOVERS) if _IS_WHOLE else _SETTLED_SECONDS * _PATIENCE
    while missing := _missing(shop, fault, load, ended, applied):
        assert time.monotonic() < ended + within, missing
        # InnoDB ends its server where its disk is full; that takes seconds, and may be over after the fault alone.
        shop.mysql.keep_running()
        time.sleep(0.1)
    return time.monotonic() - ended


def _missing(shop: Shop, fault: Fault, load: Load, ended: float, applied: int) -> list[str]:
    """Return what is not as before: requests that do not succeed, events that wait, what `/health` tells."""
    newest = {reply.kind: reply.status for reply in list(load.replies) if reply.at > ended}
    missing = [kind for kind in (*REQUESTS, "events") if newest.get(kind) not in _GOOD]
    if _stored(shop, load.name) <= applied:
        missing.append("no event has been applied since")
    if fault.check and (status := _not_up(shop, fault.check)):
        missing.append(f"{fault.check}: {status}")
    return missing


def _stored(shop: Shop, name: str) -> int:
    rows = shop.mysql.rows("SELECT COUNT(*) AS n FROM events WHERE event_id LIKE %s", f"{name}-%")
    return int(rows[0]["n"]) if rows else -1


def _alerts(shop: Shop, since: int) -> list[int]:
    return [row["id"] for row in shop.mysql.rows("SELECT id FROM alerts WHERE id > %s ORDER BY id", since)]


def _assert_alerts(shop: Shop, load: Load, name: str) -> None:
    """Assert one alert for each customer whose payments failed, and no other."""
    failed = {event["customer_id"] for event in load.accepted.values() if event["event_type"] == "payment_failed"}
    raised = shop.mysql.rows(
        "SELECT c.customer_id FROM alerts a JOIN customers c ON c.id = a.customer_pk "
        "WHERE a.alert_type = 'payment_failure' AND c.customer_id LIKE %s ORDER BY 1",
        f"{name}-%",
    )
    assert [row["customer_id"] for row in raised] == sorted(failed)


def _assert_answers(fault: Fault, load: Load) -> None:
    """Assert that errors came where they may, each with the time to wait, and that nothing was left unanswered."""
    for reply in load.replies:
        assert not _IS_WHOLE or reply.status != NO_ANSWER, reply
        if reply.status not in _GOOD | {NO_ANSWER}:
            assert reply.status in _FAILED, reply
            assert not _IS_WHOLE or reply.kind in fault.fails or reply.kind == "health", reply
            assert reply.retry_after or reply.kind == "health", reply


def _worded(errors: dict[str, dict[int, int]]) -> str:
    if not errors:
        return "all 200 and 202"
    counts = {kind: ", ".join(f"{n} of {status}" for status, n in found.items()) for kind, found in errors.items()}
    return "; ".join(f"`{kind}`: {found}" for kind, found in counts.items())
