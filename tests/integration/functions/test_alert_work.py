"""Alerts that people work on, over REST and on open sockets, against a real database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, totals
from churn.adapters.mysql.websocket_connections import Since
from churn.domain.timestamps import iso
from churn.entrypoints.http.app import Api
from churn.observability import metrics
from churn.services.alert_delivery import deliver, subscribe
from churn.services.scoring import Scoring
from churn.settings import Settings, settings
from tests.support.events import NOW, event
from tests.support.http import Answer
from tests.support.models import RecencyModel
from tests.support.rest import Context, ask, load
from tests.support.sockets import FakePush, open_socket
from tests.support.stored import kept_and_counted, rows

_SCORING = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database) -> Iterator[ModuleType]:
    """Yield the function of alerts."""
    assert database
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.setenv("JWT_SECRET", "only-a-test-knows-this-secret-of-32-bytes")
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    yield load("alerts")
    settings.cache_clear()


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SCORING)


class _Person:
    """Somebody who works with the alerts."""

    def __init__(self, function: ModuleType, name: str) -> None:
        self._function = function
        self._name = name

    def get(self, query: str = "") -> dict[str, Any]:
        answer = ask(self._function.app, "GET", f"/api/alerts{query}", subject=self._name)
        assert answer.status == 200, answer.body
        page: dict[str, Any] = answer.json
        return page

    def ids(self, query: str = "") -> list[int]:
        page = self.get(query)
        assert page["total"] == len(page["alerts"])
        return [alert["id"] for alert in page["alerts"]]

    def patch(self, number: int | None, if_match: str | None = None, **work: Any) -> Answer:
        path = "/api/alerts" if number is None else f"/api/alerts/{number}"
        headers = {} if if_match is None else {"if-match": if_match}
        return ask(self._function.app, "PATCH", path, work, subject=self._name, headers=headers)

    def post(self, path: str, body: object = None) -> Answer:
        return ask(self._function.app, "POST", path, body, subject=self._name)


@pytest.fixture
def anna(function: ModuleType) -> _Person:
    return _Person(function, "anna")


@pytest.fixture
def ben(function: ModuleType) -> _Person:
    return _Person(function, "ben")


def _raise(scoring: Scoring, *customers: str) -> list[int]:
    return [number for who in customers for number in scoring.apply([event("payment_failed", who)], now=NOW).alert_ids]


def _later(**age: int) -> str:
    return iso(datetime.now(UTC) + timedelta(**age))


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({"status": "dismissed", "reason": "  "}, "reason"),
        ({"assigned_to": "  "}, "assigned_to"),
        ({"assigned_to": "a\nb"}, "assigned_to"),
        ({"assigned_to": " anna"}, "assigned_to"),
        ({"note": "\n "}, "note"),
        ({"note": "\u0000a"}, "note"),
    ],
)
def test_text_that_says_nothing_is_refused(scoring: Scoring, anna: _Person, work: dict[str, Any], field: str) -> None:
    (number,) = _raise(scoring, "C-1")
    answer = anna.patch(number, **work)
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [field])
    assert anna.get(f"/{number}")["status"] == "new"


def test_two_people_work_an_alert_off_and_the_answers_show_who_did_what(
    scoring: Scoring, anna: _Person, ben: _Person, database: Database
) -> None:
    (number,) = _raise(scoring, "C-1")
    taken = anna.patch(number, status="in_progress", assigned_to="me", note="She asks for a call.").json
    assert (taken["status"], taken["assigned_to"], taken["acknowledged_by"]) == ("in_progress", "anna", "anna")
    until = _later(days=2)
    anna.patch(number, snoozed_until=until)
    assert anna.ids() == []
    ben.patch(number, snoozed_until=None, assigned_to="ben")
    assert anna.ids() == [number]
    done = ben.patch(number, status="resolved", note="Called, new card.").json
    assert (done["status"], done["resolved_by"], done["resolution_notes"]) == ("resolved", "ben", "Called, new card.")
    told = [(action["by"], action["changed"], action["note"]) for action in done["actions"]]
    assert told == [
        ("ben", {"status": "resolved"}, "Called, new card."),
        ("ben", {"assigned_to": "ben", "snoozed_until": None}, None),
        ("anna", {"snoozed_until": until}, None),
        ("anna", {"status": "in_progress", "assigned_to": "anna"}, "She asks for a call."),
    ]
    numbers = [action["change"] for action in done["actions"]]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == done["change"]
    assert ask(anna._function.app, "GET", f"/api/alerts/{number}").json == done
    (listed,) = anna.get()["alerts"]
    assert listed["last_action"] == done["actions"][0]
    assert listed.keys() == done.keys() - {"actions", "resolution_notes"}
    kept, counted = kept_and_counted(database)
    assert kept == counted


def test_the_old_routes_are_recorded_and_answer_as_they_did(scoring: Scoring, anna: _Person, ben: _Person) -> None:
    (number,) = _raise(scoring, "C-1")
    first = anna.post(f"/api/alerts/{number}/acknowledge").json
    assert first.keys() == {"message", "acknowledged_at"}
    assert ben.post(f"/api/alerts/{number}/acknowledge").json == first
    ben.post(f"/api/alerts/{number}/resolve", {"resolution_notes": "called"})
    actions = ask(anna._function.app, "GET", f"/api/alerts/{number}").json["actions"]
    assert [(action["by"], action["changed"]["status"], action["note"]) for action in actions] == [
        ("ben", "resolved", "called"),
        ("anna", "acknowledged", None),
    ]


def test_a_long_note_is_whole_with_the_alert_and_begins_in_lists(scoring: Scoring, anna: _Person) -> None:
    (number,) = _raise(scoring, "C-1")
    note = "é" * 4000
    assert anna.patch(number, note=note).json["actions"][0]["note"] == note
    (listed,) = anna.get()["alerts"]
    assert listed["last_action"]["note"] == note[:200] + "…"
    refused = anna.patch(number, note="\U0001f600" * 3001)
    assert (refused.status, [error["field"] for error in refused.json["errors"]]) == (400, ["note"])


def test_a_change_of_what_has_changed_meanwhile_is_refused(scoring: Scoring, anna: _Person, ben: _Person) -> None:
    (number,) = _raise(scoring, "C-1")
    read = ask(anna._function.app, "GET", f"/api/alerts/{number}")
    version = read.headers["ETag"]
    assert version == f'"{read.json["change"]}"'
    assert ben.patch(number, version, status="in_progress").status == 200
    refused = anna.patch(number, version, status="dismissed", reason="a test")
    assert (refused.status, refused.json["code"]) == (412, 412)
    for stale in (version, '"0"', "nonsense", ""):
        assert anna.patch(number, stale, note="late").status == 412
    now = ben.get()["alerts"][0]["change"]
    assert str(now) in refused.json["detail"]
    assert anna.patch(number, f'"1", "{now}"', note="in time").headers["ETag"] == f'"{now + 1}"'
    assert anna.patch(number, "*", note="whatever it is").status == 200
    assert anna.patch(number, note="old clients").status == 200


def test_of_changes_at_once_with_one_version_one_is_done(
    scoring: Scoring, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The threads stand for processes, each of which has metrics of its own.
    monkeypatch.setattr(Api, "_observe", lambda *_: None)
    monkeypatch.setattr(metrics.provider, "flush_metrics", lambda **_: None)
    (number,) = _raise(scoring, "C-1")
    version = ask(function.app, "GET", f"/api/alerts/{number}").headers["ETag"]
    people = [_Person(load("alerts"), f"p{n}") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda person: person.patch(number, version, assigned_to="me").status, people))
    assert sorted(statuses) == [200, 412, 412, 412, 412, 412]


def test_back_to_new_beside_another_open_alert_of_the_kind_is_a_conflict(
    scoring: Scoring, anna: _Person, database: Database
) -> None:
    (first,) = _raise(scoring, "C-1")
    anna.patch(first, status="dismissed", reason="a mistake")
    reopened = anna.patch(first, status="new").json
    assert (reopened["status"], reopened["acknowledged_at"]) == ("new", None)
    assert _raise(scoring, "C-1") == []
    anna.patch(first, status="resolved")
    (second,) = _raise(scoring, "C-1")
    refused = anna.patch(first, status="new")
    assert refused.status == 409
    assert str(second) in refused.json["detail"]
    anna.patch(second, status="resolved")
    results = anna.patch(None, ids=[second, first], status="new").json["results"]
    assert [(result["id"], result["outcome"], result["code"]) for result in results] == [
        (second, "refused", 409),
        (first, "changed", None),
    ]
    kept, counted = kept_and_counted(database)
    assert kept == counted


def test_opening_again_and_raising_at_once_leave_one_open_alert(
    scoring: Scoring, function: ModuleType, mysql_url: str, database: Database
) -> None:
    for turn in range(6):
        who = f"C-{turn}"
        (first,) = _raise(scoring, who)
        person, own = _Person(function, "anna"), Database(mysql_url)
        person.patch(first, status="resolved")
        other = Scoring(own, RecencyModel(), _SCORING)
        with ThreadPoolExecutor(2) as pool:
            opened = pool.submit(person.patch, first, status="new")
            raised = pool.submit(_raise, other, who)
            assert (opened.result().status, len(raised.result())) in {(200, 0), (409, 1)}
        own.close()
    assert rows(database, "SELECT COUNT(*) AS n FROM alerts WHERE is_open = 1") == [{"n": 6}]
    kept, counted = kept_and_counted(database)
    assert kept == counted


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({}, ""),
        ({"status": "open"}, "status"),
        ({"status": "dismissed"}, "reason"),
        ({"status": "new", "reason": "x"}, "reason"),
        ({"note": ""}, "note"),
        ({"note": "x" * 4001}, "note"),
        ({"assigned_to": ""}, "assigned_to"),
        ({"snoozed_until": "2026-01-01T00:00:00Z"}, "snoozed_until"),
        ({"snoozed_until": "soon"}, "snoozed_until"),
        ({"unheard_of": 1}, "unheard_of"),
    ],
)
def test_bad_work_is_a_400_that_names_the_field(scoring: Scoring, anna: _Person, work: Any, field: str) -> None:
    (number,) = _raise(scoring, "C-1")
    for target, body in ((number, work), (None, {"ids": [number], **work})):
        answer = anna.patch(target, **body)
        assert answer.status == 400, answer.body
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert ask(anna._function.app, "GET", f"/api/alerts/{number}").json["actions"] == []


@pytest.mark.parametrize("ids", [[], [1] * 501, ["1"], [-1], None])
def test_a_bad_list_of_alerts_is_a_400(anna: _Person, ids: Any) -> None:
    assert anna.patch(None, ids=ids, note="x").status == 400


def test_of_several_those_that_have_changed_stay(scoring: Scoring, anna: _Person, ben: _Person) -> None:
    numbers = _raise(scoring, "C-1", "C-2", "C-3")
    versions = {alert["id"]: alert["change"] for alert in anna.get()["alerts"]}
    ben.patch(numbers[1], assigned_to="me")
    answer = anna.patch(None, ids=numbers, versions=[versions[number] for number in numbers], status="resolved").json
    outcomes = [(one["code"], one["alert"]["status"]) for one in answer["results"]]
    assert outcomes == [(None, "resolved"), (412, "new"), (None, "resolved")]
    assert anna.patch(None, ids=numbers, versions=[None] * 3, status="new").json["changed"] == 2
    for wrong in ([1], ["1", 2, 3], [-1, 2, 3]):
        assert "versions" in anna.patch(None, ids=numbers, versions=wrong, note="x").json["errors"][0]["field"]


def test_what_is_so_already_is_no_change(scoring: Scoring, anna: _Person) -> None:
    (number,) = _raise(scoring, "C-1")
    before = anna.patch(number, status="in_progress", assigned_to="me").json
    assert anna.patch(number, status="in_progress", assigned_to="anna", snoozed_until=None).json == before
    (result,) = anna.patch(None, ids=[number], assigned_to="anna").json["results"]
    assert result["outcome"] == "unchanged"


def test_five_hundred_at_once_each_with_an_outcome_and_a_number(
    scoring: Scoring, anna: _Person, database: Database
) -> None:
    customers = [f"C-{number}" for number in range(499)]
    numbers = scoring.apply([event("payment_failed", who) for who in customers], now=NOW).alert_ids
    start = anna.get()["newest_change"]
    answer = anna.patch(None, ids=[*numbers, 10**12], status="in_progress", assigned_to="ben", note="campaign").json
    assert (answer["changed"], answer["refused"]) == (499, 1)
    assert [result["id"] for result in answer["results"]] == [*numbers, 10**12]
    last = answer["results"][-1]
    assert (last["outcome"], last["code"], last["alert"]) == ("refused", 404, None)
    changes = [result["alert"]["change"] for result in answer["results"][:-1]]
    assert sorted(changes) == list(range(start + 1, start + 500))
    assert all(result["alert"]["last_action"]["note"] == "campaign" for result in answer["results"][:-1])
    assert anna.get(f"?changes_since={start}&limit=1")["total"] == 499
    sums = database.run(lambda transaction: +totals.read(transaction, "alerts:"))
    assert sums == {"alerts:in_progress:high": 499}


def test_lists_by_status_person_customer_and_snooze(scoring: Scoring, anna: _Person, ben: _Person) -> None:
    a, b, c, d = _raise(scoring, "C-1", "C-2", "C-3", "C-4")
    anna.patch(a, status="in_progress", assigned_to="me")
    anna.patch(b, status="dismissed", reason="a test", assigned_to="ben")
    anna.patch(c, snoozed_until=_later(hours=1))
    assert anna.ids("?status=in_progress,dismissed") == [b, a]
    assert anna.ids("?status=new&status=dismissed") == [d, b]
    assert anna.ids("?status=new,dismissed&snoozed=true&priority=high") == [d, c, b]
    assert anna.ids("?assigned_to=me") == [a]
    assert ben.ids("?assigned_to=me") == anna.ids("?assigned_to=ben") == [b]
    assert anna.ids("?customer_id=C-2") == [b]
    assert anna.ids("?customer_id=nobody") == []
    assert anna.ids() == anna.ids("?snoozed=false") == [d, b, a]
    assert anna.ids("?snoozed=true") == [d, c, b, a]
    assert anna.ids("?snoozed=only") == [c]
    assert anna.ids("?customer_id=C-3") == []
    assert anna.ids("?customer_id=C-3&snoozed=true") == [c]
    assert sorted(anna.ids("?changes_since=0")) == [a, b, c, d]

    seen, cursor = [], ""
    for _ in range(4):
        page = anna.get(f"?status=new,in_progress,dismissed&snoozed=true&limit=1{cursor}")
        seen += [alert["id"] for alert in page["alerts"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert (seen, page["next_cursor"]) == ([d, c, b, a], None)


def test_a_snooze_ends_by_itself(scoring: Scoring, anna: _Person, database: Database) -> None:
    (number,) = _raise(scoring, "C-1")
    anna.patch(number, snoozed_until=_later(hours=1))
    past = "UPDATE alerts SET snoozed_until = UTC_TIMESTAMP(3) - INTERVAL 1 SECOND"
    database.run(lambda transaction: transaction.execute(past))
    assert anna.ids() == anna.ids("?status=new") == [number]
    assert anna.ids("?snoozed=only") == []


def test_each_open_socket_hears_of_what_is_done_once_and_in_order(
    scoring: Scoring, anna: _Person, database: Database
) -> None:
    push = FakePush()
    open_socket(database, "silent")
    open_socket(database, "urgent")
    subscribe(database, "urgent", "urgent", None, lambda _: None)
    a, b = _raise(scoring, "C-1", "C-2")
    open_socket(database, "listener")
    subscribe(database, "listener", "low", a, lambda _: None)
    deliver(database, push)
    anna.patch(a, status="in_progress", assigned_to="me")
    anna.patch(None, ids=[b, a], note="both")
    for _ in range(2):
        deliver(database, push)

    def updates(connection: str) -> list[tuple[int, str | None]]:
        told = [message["data"] for message in push.messages(connection) if message["event"] == "alert_updated"]
        return [(alert["id"], alert["assigned_to"]) for alert in told]

    assert updates("silent") == updates("listener") == [(a, "anna"), (b, None)]
    assert updates("urgent") == []
    assert push.alert_ids("listener") == [b]
    assert push.alert_ids("silent") == []
    anna.patch(b, status="resolved")
    deliver(database, push)
    (data,) = [m["data"] for m in push.messages("silent") if m["data"].get("status") == "resolved"]
    assert data == anna.get("?status=resolved")["alerts"][0]


def test_a_socket_that_was_away_hears_of_what_was_done_by_the_changes(
    scoring: Scoring, anna: _Person, database: Database
) -> None:
    a, b = _raise(scoring, "C-1", "C-2")
    seen = anna.get()["newest_change"]
    anna.patch(a, snoozed_until=_later(hours=1))
    push = FakePush()
    open_socket(database, "away")
    subscribe(database, "away", "low", Since(change=seen), lambda _: None)
    deliver(database, push)
    assert [(m["event"], m["data"]["id"]) for m in push.messages("away")] == [("churn_alert", a)]
    anna.patch(b, note="called")
    deliver(database, push)
    assert [m["event"] for m in push.messages("away")[1:]] == ["churn_alert", "alert_updated"]


def test_with_a_customer_go_the_notes_and_the_names_on_their_alerts(
    scoring: Scoring, anna: _Person, database: Database
) -> None:
    a, b = _raise(scoring, "C-1", "C-2")
    anna.patch(None, ids=[a, b], assigned_to="me", note="Zoë asks for a call")
    scoring.apply([event("customer_deleted", "C-1")], now=NOW)
    assert rows(database, "SELECT alert_id FROM alert_actions") == [{"alert_id": b}]
    assert anna.patch(a, note="late").status == 404
    assert anna.get("?customer_id=C-1")["total"] == 0


def test_only_who_may_act_works_on_alerts(function: ModuleType) -> None:
    answer = ask(function.app, "PATCH", "/api/alerts/1", {"note": "x"}, role=None)
    assert answer.status == 401
    assert json.loads(answer.body)["code"] == 401


def test_a_socket_to_which_nothing_could_be_posted_is_not_opened(function: ModuleType, database: Database) -> None:
    context = {"connectionId": "a", "eventType": "CONNECT", "authorizer": {"sub": "anna", "role": "read"}}
    assert function.handler({"requestContext": context}, Context())["statusCode"] == 503
    assert rows(database, "SELECT connection_id FROM sockets") == []
