"""Erasing customers: nothing is left of them, and the totals stay right."""

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from churn.adapters.mysql import (
    Database,
    Transaction,
    alert_budget,
    alerts,
    audit,
    component_reports,
    erasures,
    imports,
    models,
    prediction_subscriptions,
    training_runs,
    websocket_connections,
)
from churn.adapters.mysql.alert_work import acknowledge, resolve, work_on
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.adapters.redis_cache import Cache
from churn.domain.alert_work import Work
from churn.domain.audit import AuditEntry
from churn.domain.events import Event
from churn.domain.features import FEATURE_NAMES
from churn.domain.prediction_filter import PredictionFilter
from churn.domain.tombstones import PREFIX, Tombstones
from churn.entrypoints.kafka import redrive
from churn.ml.drift import reference
from churn.services import api_keys
from churn.services.audit import link_entries
from churn.services.customer_filters import CustomerFilters
from churn.services.customer_notes import CustomerNotes
from churn.services.hourly_stats import refresh
from churn.services.model_monitoring import compare_challengers, evaluate_weeks, watch_drift
from churn.services.scoring import Scoring
from churn.services.segments import Segments, count_every
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.personal_data import empty_columns, tables_that_hold

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})
_ID, _NAME, _EMAIL, _PHONE = "KUNDE-ø-4711", "Zoë Qvist Łarsen", "zoe.qvist@example.org", "+45 12 34 56 78"
_OLD_EMAIL = "zoe.larsen@example.net"
_MARKS = (_ID, _NAME, "Qvist", _EMAIL, _OLD_EMAIL, _PHONE)
# Somebody whose id has the erased customer's within it.
_OTHER = "KUNDE-ø-47112"
# Tables that the migrations keep for themselves.
_OF_THE_SCHEMA = {"schema_migrations"}
# Columns that stay empty here, and why they need no mark of a customer.
_LEFT_EMPTY = {
    **dict.fromkeys(
        (f"customers.{name}" for name in ("alerted_level", "level_before", "pending_level")), "one of four levels"
    ),
    "customers.earlier_version": "the version of a model",
    "sockets.lease": "random, while somebody posts to the socket",
}


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _rows(database: Database, query: str) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query))


def _where_found(database: Database, marks: Sequence[str] = _MARKS) -> set[str]:
    return tables_that_hold(database, marks)


def _empty_tables(database: Database) -> set[str]:
    tables = [
        row["tab"]
        for row in _rows(
            database, "SELECT table_name AS tab FROM information_schema.tables WHERE table_schema = DATABASE()"
        )
    ]
    return {table for table in tables if not _rows(database, f"SELECT 1 AS present FROM `{table}` LIMIT 1")}


def _wire(event: Event, **others: Any) -> bytes:
    record = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "customer_id": event.customer_id,
        "timestamp": event.timestamp.isoformat(),
        "data": dict(event.data),
    }
    return json.dumps(record | others).encode()


def _bad_records() -> list[DeadLetter]:
    """Return records that are no events, each of which tells in its own way that it is about the customer."""
    profile = event("customer_registered", _ID, name=_NAME, email=_EMAIL)
    contents: list[tuple[bytes | None, bytes]] = [
        (None, _wire(profile, timestamp="yesterday")),
        (None, json.dumps({"user_id": _ID, "metadata": {"phone": _PHONE}}, ensure_ascii=False).encode()),
        (None, json.dumps(_wire(profile).decode()).encode()),
        (None, b"\0\0\0\0\7" + _wire(profile)),
        (None, _wire(profile)[:-20]),
        (None, json.dumps({"event_type": "profile_updated", "data": {"email": _OLD_EMAIL}}).encode()),
        (b"order-17", json.dumps({"event_type": "profile_updated", "data": {"name": _NAME}}).encode()),
        (None, f"{_ID};{_NAME};{_PHONE}".encode()),
        (_ID.encode(), b"no json"),
    ]
    return [
        DeadLetter("user-events", 0, offset, key, value, "customer_id: why")
        for offset, (key, value) in enumerate(contents)
    ]


class _Challenger(RecencyModel):
    version = "challenger-1"


def _import(database: Database) -> None:
    key = database.run(lambda transaction: imports.begin(transaction, "shop.csv", "orders", NOW, "0" * 64))
    database.run(lambda transaction: imports.end(transaction, key, dict.fromkeys(imports.COUNTS, 1), NOW))


def _fill(database: Database) -> None:
    """Bring something into every table, through the doors that the service itself uses."""
    model = RecencyModel()
    spread = np.linspace(0, 1, 40)
    model.metadata = {"reference": reference(dict.fromkeys(FEATURE_NAMES, spread), spread)}
    challenger = _Challenger()
    scoring = Scoring(database, model, _SETTINGS, lambda: challenger)
    database.run(lambda transaction: models.record_serving(transaction, "the one before", {"source": "history"}, NOW))
    opened = NOW - timedelta(days=120)
    scoring.apply([order(f"C-{number}", days_ago=130) for number in range(30)], now=opened)
    history = [
        event("customer_registered", _ID, days_ago=200, name="Zoë Łarsen", email=_OLD_EMAIL),
        event("profile_updated", _ID, days_ago=100, name=_NAME, email=_EMAIL, phone=_PHONE, address=f"{_NAME}, Åvej 1"),
        order(_ID, days_ago=90),
        event("login", _ID, days_ago=3),
    ]
    failed = event("payment_failed", _ID)
    numbers = scoring.apply([*history, failed], now=NOW, dead=_bad_records()).alert_ids
    work = Work(changes_assignee=True, assigned_to="ben", note=f"for {_NAME}")
    database.run(lambda transaction: work_on(transaction, numbers, work, "ann", NOW))
    acknowledge(database, numbers[0], "ann", NOW)
    resolve(database, numbers[0], "ann", f"called {_NAME} at {_PHONE}", NOW)
    refresh(database, _SETTINGS, NOW)
    evaluate_weeks(database, _SETTINGS, now=NOW, time_left=lambda: True)
    compare_challengers(database, _SETTINGS, now=NOW)
    watch_drift(database, model, _SETTINGS, now=NOW)
    database.run(_train)
    database.run(
        lambda transaction: websocket_connections.register(
            transaction, "socket", "ann", "read", until=NOW + timedelta(hours=1), limit=5, ticket_id="1" * 32
        )
    )
    wanted = PredictionFilter((_ID, "C-1"), 0.5, segment=1)
    database.run(lambda transaction: prediction_subscriptions.subscribe(transaction, "socket", wanted))
    CustomerNotes(database).add(_ID, f"{_NAME} moves to Århus", "ann", NOW)
    _import(database)
    api_keys.make(database, "warehouse", "write", 30, by="ann", now=NOW)
    report = component_reports.Report(
        "scorer", NOW, NOW, failed_at=NOW, failure="kind", model_version="v1", model_refused="why"
    )
    database.run(lambda transaction: component_reports.note(transaction, report))
    database.run(lambda transaction: component_reports.try_write(transaction, NOW, timedelta(seconds=10)))
    database.run(lambda transaction: alerts.advance_reader(transaction, "output", 100, lambda _: None))
    Segments(database, Cache(""), _SETTINGS).add("everybody", CustomerFilters(), "ann", NOW)
    assert count_every(database, _SETTINGS, now=NOW, time_left=lambda: True) == 1
    database.run(alert_budget.lock)
    _audit(database)


def _audit(database: Database) -> None:
    """Store and link an entry of the audit trail, and note that somebody was erased."""
    grave = Tombstones(lambda: _SETTINGS.erasure_key).hmac_of(_ID)
    audit.append(database, AuditEntry(NOW, "ann", "read", "read", "get_alert", grave, "1", 200, "r-1"))
    database.run(lambda transaction: erasures.add(transaction, NOW, NOW))
    assert link_entries(database, _SETTINGS, NOW, lambda _: None) == 1


def _train(transaction: Transaction) -> None:
    """Store a training run that has ended."""
    run_id = "0" * 32
    training_runs.enqueue(transaction, run_id, "ann", NOW)
    training_runs.begin(transaction, run_id, NOW)
    training_runs.advance(transaction, run_id, "fitting", NOW)
    training_runs.succeed(transaction, run_id, "v2", "is no better", NOW)


def test_erasing_leaves_nothing_in_any_column_of_any_table(database: Database, scoring: Scoring) -> None:
    _fill(database)
    assert _empty_tables(database) == set(), "fill the new table above: what it holds of a customer must be erased"
    assert empty_columns(database) == set(_LEFT_EMPTY), "fill the new column above, or say why it needs none"
    assert {"customers", "customer_states", "customer_words", "events", "alerts", "dead_letters"} <= _where_found(
        database
    )
    reasons = _rows(database, "SELECT reason FROM dead_letters")

    scoring.apply([event("customer_deleted", _ID)], now=NOW)
    assert _where_found(database) == set()
    assert _rows(database, "SELECT reason FROM dead_letters") == reasons, "why records failed is still known"


def test_what_comes_later_of_an_erased_customer_is_passed_over_and_leaves_nothing(
    database: Database, scoring: Scoring
) -> None:
    scoring.apply([event("customer_registered", _ID, name=_NAME), order(_ID)], now=NOW)
    deletion = event("customer_deleted", _ID)
    scoring.apply([deletion], now=NOW)
    for sent in (deletion, event("profile_updated", _ID, name=_NAME, email=_EMAIL), order(_ID)):
        result = scoring.apply([sent], now=NOW)
        assert (result.events, result.repeated) == (0, 1)
    bad = _bad_records()
    named = [letter for letter in bad if _ID.encode() in (letter.value or b"") + (letter.key or b"")]
    assert scoring.apply([], now=NOW, dead=named).dead_letters == len(named)
    assert scoring.apply([], now=NOW, dead=named).dead_letters == 0
    assert _where_found(database, (_ID, _NAME, _EMAIL)) == set()
    (row,) = _rows(database, "SELECT customer_id, deleted FROM customers")
    assert (row["customer_id"][: len(PREFIX)], row["deleted"]) == (PREFIX, 1)
    assert _ID not in row["customer_id"]


def test_dead_letters_of_others_keep_their_contents(database: Database, scoring: Scoring) -> None:
    others = [
        DeadLetter("user-events", 1, 1, _OTHER.encode(), _wire(event("login", _OTHER), timestamp="?"), "why"),
        DeadLetter("user-events", 1, 2, None, f"{_OTHER};1".encode(), "why"),
        # They share a name, but the record says whose it is.
        DeadLetter("user-events", 1, 3, None, _wire(event("profile_updated", "K-9", name=_NAME), timestamp="?"), "why"),
        DeadLetter("user-events", 1, 4, None, b"\xff\xfe", "why"),
    ]
    scoring.apply([event("customer_registered", _ID, name=_NAME)], now=NOW, dead=[*others, *_bad_records()])
    scoring.apply([event("customer_deleted", _ID)], now=NOW)
    _, left = redrive(database, scoring, NOW)
    assert [letter for letter in left if letter.partition == 1] == others


def test_a_batch_that_brings_and_erases_a_customer_leaves_nothing(database: Database, scoring: Scoring) -> None:
    bad = [DeadLetter("user-events", 0, 1, None, json.dumps({"data": {"email": _EMAIL}}).encode(), "why")]
    scoring.apply([], now=NOW, dead=bad)
    profile = event("customer_registered", _ID, name=_NAME, email=_EMAIL)
    scoring.apply([profile, event("customer_deleted", _ID), order(_ID)], now=NOW)
    assert _where_found(database) == set()
    assert scoring.apply([profile], now=NOW).repeated == 1


def _writings() -> list[tuple[bytes | None, bytes]]:
    """Return key and value of records that name the customer in ways of which none is that of an event."""
    named = json.dumps({"customerId": _ID}).encode()
    return [
        (json.dumps(_ID).encode(), b"?"),
        (json.dumps({"customer_id": _ID}).encode(), b"?"),
        (b"\0\0\0\0\7" + json.dumps(_ID).encode(), b"?"),
        (None, named),
        (None, json.dumps({"customer_id": [_ID]}).encode()),
        (None, json.dumps({"customer": {"id": _ID, "email": _EMAIL}}).encode()),
        (None, json.dumps({"events": [{"customer_id": "K-9"}, {"customer_id": _ID}]}).encode()),
        (None, f"login,{_ID},9.90".encode()),
        (None, f"customer_id={quote(_ID)}&x=2".encode()),
        (None, named.decode().encode("utf-16")),
        (None, base64.b64encode(named)),
        (None, gzip.compress(named)),
    ]


@pytest.mark.parametrize("is_late", [False, True], ids=["stored before", "come later"])
def test_a_record_is_cleared_whenever_it_comes_and_however_it_names_the_customer(
    database: Database, scoring: Scoring, is_late: bool
) -> None:
    letters = [
        DeadLetter("user-events", 2, offset, key, value, "why") for offset, (key, value) in enumerate(_writings())
    ]
    scoring.apply([order(_ID)], now=NOW, dead=[] if is_late else letters)
    scoring.apply([event("customer_deleted", _ID)], now=NOW)
    assert scoring.apply([], now=NOW, dead=letters).dead_letters == (len(letters) if is_late else 0)
    assert scoring.apply([], now=NOW, dead=letters).dead_letters == 0, "a repeated delivery makes no second row"
    kept = _rows(database, "SELECT record_offset, content_hash, record_key, record_value FROM dead_letters")
    assert [row["record_offset"] for row in kept if row["record_key"] or row["record_value"]] == []
    hashes = {letter.position[-1] for letter in letters}
    assert not hashes & {row["content_hash"] for row in kept}, "a hash would confirm an id that somebody guesses"


def test_a_record_that_was_cleared_does_not_come_back_with_a_repeated_delivery(
    database: Database, scoring: Scoring
) -> None:
    contents = [{"data": {"email": _EMAIL}}, {"data": {"phone": _PHONE}}, {"order": 5, "note": f"for {_NAME}"}]
    letters = [
        DeadLetter("user-events", 4, offset, None, json.dumps(content).encode(), "why")
        for offset, content in enumerate(contents)
    ]
    profile = event("customer_registered", _ID, name=_NAME, email=_EMAIL, phone=_PHONE)
    assert scoring.apply([profile], now=NOW, dead=letters).dead_letters == len(letters)
    scoring.apply([event("customer_deleted", _ID)], now=NOW)
    assert _where_found(database) == set()
    new = replace(letters[0], value=b"of somebody else")
    assert scoring.apply([], now=NOW, dead=[*letters, new]).dead_letters == 1
    assert _where_found(database) == set()
    assert len(_rows(database, "SELECT 1 AS one FROM dead_letters")) == len(letters) + 1


def test_of_others_only_the_records_that_hold_the_persons_e_mail_or_phone_are_cleared(
    database: Database, scoring: Scoring
) -> None:
    cut = b'{"customer_id": "K-5", "event_type": "order_placed", "data": {"quantity": 1, "x'
    kept = [cut, b"K-5;login;1;9.90", b'{"event_type": "login"}', b'{"customer_id": "K-5", "data": {"name": "login"}}']
    cleared = [
        json.dumps({"customer_id": "K-5", "data": {"note": f"call {_PHONE}"}}).encode(),
        json.dumps({"customer_id": "K-5", "data": {"referred_by": _EMAIL.upper()}}).encode(),
    ]
    letters = [DeadLetter("user-events", 3, place, b"K-5", one, "why") for place, one in enumerate([*kept, *cleared])]
    known = [
        event("customer_registered", "1", name="login"),
        event("customer_registered", _ID, email=_EMAIL, phone=_PHONE),
    ]
    scoring.apply([*known, order("login")], now=NOW, dead=letters)
    scoring.apply([event("customer_deleted", one) for one in ("1", "login", _ID)], now=NOW)
    left = _rows(
        database, "SELECT record_value FROM dead_letters WHERE record_value IS NOT NULL ORDER BY record_offset"
    )
    assert [row["record_value"] for row in left] == kept
