"""The audit trail from the request to the chain: stored, listed, linked, verified, pruned."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, audit
from churn.adapters.mysql.audit import AuditFilter
from churn.domain.audit import LINKED_WITHIN, AlteredTrailError, AuditEntry, Break
from churn.domain.tombstones import Tombstones
from churn.services.audit import link_entries, page, prune, verify
from churn.services.scoring import Scoring
from churn.settings import Settings, settings
from infra.tools import audit as command
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.plans import rows_of, watch_plans
from tests.support.rest import Context, ask, load
from tests.support.stored import rows

_KEY = "only-a-test-knows-this-key-of-32-bytes"
_SETTINGS = Settings.from_environment({"ERASURE_KEY": _KEY})
_GRAVE = Tombstones(lambda: _KEY).hmac_of("C-1")
_CHANGE = {"status": "resolved"}
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database) -> Iterator[dict[str, ModuleType]]:
    """Yield the functions of a shop with a customer who has an alert."""
    for name, value in {
        "DATABASE_URL": mysql_url,
        "ERASURE_KEY": _KEY,
        "JWT_SECRET": "only-a-test-knows-this-secret-of-32-bytes",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    Scoring(database, RecencyModel(), _SETTINGS).apply(
        [order("C-1", days_ago=50), event("payment_failed", "C-1")], now=NOW
    )
    yield {name: load(name) for name in ("customers", "alerts", "audit")}
    settings.cache_clear()


def _entries(shop: dict[str, ModuleType], query: str = "") -> list[dict[str, Any]]:
    answer = ask(shop["audit"].app, "GET", f"/api/audit{query}", subject="auditor")
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.json["entries"]
    return found


def _alert(database: Database) -> int:
    return int(rows(database, "SELECT MIN(id) AS id FROM alerts")[0]["id"])


def _link(database: Database, now: datetime | None = None) -> int:
    return link_entries(database, _SETTINGS, now or datetime.now(UTC), lambda _: None)


def _work(shop: dict[str, ModuleType], database: Database) -> int:
    """Read a list and a customer and resolve an alert; return its number."""
    number = _alert(database)
    assert ask(shop["customers"].app, "GET", "/api/customers", subject="anna", role="read").status == 200
    assert ask(shop["customers"].app, "GET", "/api/customers/C-1", subject="anna", role="read").status == 200
    assert ask(shop["alerts"].app, "PATCH", f"/api/alerts/{number}", _CHANGE, subject="ben").status == 200
    return number


def test_who_did_what_is_told_the_newest_first(shop: dict[str, ModuleType], database: Database) -> None:
    number = _work(shop, database)
    told = [
        tuple(entry[name] for name in ("subject", "action", "operation", "customer_hmac", "object", "status"))
        for entry in _entries(shop)
    ]
    assert told == [
        ("ben", "change", "work_on_alert", _GRAVE, str(number), 200),
        ("ben", "change", "work_on_alert", None, None, None),
        ("anna", "read", "get_customer", _GRAVE, None, 200),
        ("anna", "read", "list_customers", None, None, 200),
    ]
    # What was just asked for is an entry, too.
    assert _entries(shop)[0]["operation"] == "list_audit_entries"


@pytest.mark.parametrize(
    ("query", "operations"),
    [
        ("?subject=ben", ["work_on_alert", "work_on_alert"]),
        ("?action=change", ["work_on_alert", "work_on_alert"]),
        ("?customer_id=C-1", ["work_on_alert", "get_customer"]),
        ("?customer_id=C-1&subject=anna", ["get_customer"]),
        ("?until=2020-01-01", []),
        ("?since=2020-01-01&action=read", ["get_customer", "list_customers"]),
    ],
)
def test_the_list_is_filtered(
    shop: dict[str, ModuleType], database: Database, query: str, operations: list[str]
) -> None:
    _work(shop, database)
    assert [entry["operation"] for entry in _entries(shop, query)] == operations


def test_pages_hold_each_entry_once(shop: dict[str, ModuleType], database: Database) -> None:
    for number in range(7):
        at = NOW + timedelta(seconds=number // 3)
        audit.append(database, AuditEntry(at, "anna", "read", "read", "get_alert", object=str(number), status=200))
    seen, cursor = [], ""
    while True:
        answer = ask(shop["audit"].app, "GET", f"/api/audit?limit=2&subject=anna{cursor}")
        seen += [entry["object"] for entry in answer.json["entries"]]
        if answer.json["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.json['next_cursor']}"
    assert seen == [str(number) for number in reversed(range(7))]


@pytest.mark.parametrize(
    ("query", "field"), [("?action=peek", "action"), ("?cursor=x", "cursor"), ("?since=x", "since"), ("?who=x", "who")]
)
def test_a_wrong_query_is_a_400_that_names_the_field(shop: dict[str, ModuleType], query: str, field: str) -> None:
    answer = ask(shop["audit"].app, "GET", f"/api/audit{query}")
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [field])


def test_an_admin_alone_reads_the_trail(shop: dict[str, ModuleType]) -> None:
    assert ask(shop["audit"].app, "GET", "/api/audit", role="act").status == 403


def test_an_erasure_by_an_event_is_told_and_what_stood_there_before_stays(
    shop: dict[str, ModuleType], database: Database
) -> None:
    _work(shop, database)
    Scoring(database, RecencyModel(), _SETTINGS).apply([event("customer_deleted", "C-1")], now=NOW)
    found = _entries(shop, "?customer_id=C-1")
    assert [
        (entry["action"], entry["operation"], entry["subject"]) for entry in found if entry["action"] == "erasure"
    ] == [("erasure", "customer_deleted", None)]
    assert {"work_on_alert", "get_customer"} <= {entry["operation"] for entry in found}
    assert rows(database, "SELECT customer_id FROM customers") == [{"customer_id": f"erased:{_GRAVE}"}]


def test_an_erasure_that_cannot_be_told_is_not_done(
    shop: dict[str, ModuleType], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop

    def fail(*_: object) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr(audit, "add", fail)
    with pytest.raises(RuntimeError, match="full"):
        Scoring(database, RecencyModel(), _SETTINGS).apply([event("customer_deleted", "C-1")], now=NOW)
    assert rows(database, "SELECT customer_id FROM customers") == [{"customer_id": "C-1"}]


def test_a_change_is_not_done_without_its_entry_and_a_read_goes_on(
    shop: dict[str, ModuleType], database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    number = _alert(database)
    database.run(lambda transaction: transaction.execute("RENAME TABLE audit TO audit_away"))
    try:
        read = ask(shop["customers"].app, "GET", "/api/customers/C-1")
        changed = ask(shop["alerts"].app, "PATCH", f"/api/alerts/{number}", _CHANGE)
        handed_over = ask(shop["customers"].app, "GET", "/api/customers/C-1/export")
    finally:
        database.run(lambda transaction: transaction.execute("RENAME TABLE audit_away TO audit"))
    assert (read.status, changed.status, handed_over.status) == (200, 503, 503)
    assert rows(database, f"SELECT status FROM alerts WHERE id = {number}") == [{"status": "new"}]
    (lost,) = [record for record in caplog.records if "could not be stored" in record.message]
    assert lost.__dict__["entry"]["operation"] == "get_customer"


def test_each_minute_new_entries_are_linked_and_copied_to_the_log(
    shop: dict[str, ModuleType], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    _work(shop, database)
    assert [entry["position"] for entry in _entries(shop)] == [None] * 4
    capsys.readouterr()
    assert shop["audit"].handler({"source": "aws.events"}, Context()) == {"linked": 5}
    copied = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"audit"')]
    assert [line["position"] for line in copied] == [1, 2, 3, 4, 5]
    assert [line["audit"]["operation"] for line in copied[:2]] == ["list_customers", "get_customer"]
    assert shop["audit"].handler({}, Context()) == {"linked": 0}
    assert [entry["position"] for entry in _entries(shop)] == [5, 4, 3, 2, 1]
    verdict = verify(database, _SETTINGS, datetime.now(UTC))
    assert (verdict.end.position, verdict.end.digest, verdict.broken) == (5, copied[-1]["digest"], None)


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("UPDATE audit SET subject = 'eve' WHERE id = {second}", Break(2, 0, "the entry or its link was altered")),
        ("DELETE FROM audit WHERE id = {second}", Break(2, 0, "the entry is gone")),
        ("DELETE FROM audit_links WHERE entry_id = {second}", Break(2, None, "the link is gone")),
        ("DELETE FROM audit_links WHERE position = 4", Break(4, None, "the chain ends elsewhere than it was noted")),
    ],
)
def test_the_first_broken_link_is_named(
    shop: dict[str, ModuleType],
    database: Database,
    mysql_url: str,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    broken: Break,
) -> None:
    assert mysql_url
    _work(shop, database)
    assert _link(database) == 4
    assert command.main([]) == 0
    second = rows(database, "SELECT entry_id FROM audit_links WHERE position = 2")[0]["entry_id"]
    database.run(lambda transaction: transaction.execute(statement.format(second=second)))
    expected = broken._replace(entry_id=second) if broken.entry_id == 0 else broken
    assert verify(database, _SETTINGS, datetime.now(UTC)).broken == expected
    assert command.main([]) == 1
    assert f"the chain is broken at link {broken.position}" in capsys.readouterr().err


def test_an_entry_that_was_slipped_in_later_is_told(shop: dict[str, ModuleType], database: Database) -> None:
    _work(shop, database)
    # A number below those of all entries, and one that the server takes as it is: 0 it would not.
    free = rows(database, "SELECT MIN(id) AS id FROM audit")[0]["id"]
    database.run(lambda transaction: transaction.execute("DELETE FROM audit WHERE id = %s", (free,)))
    _link(database, datetime.now(UTC) - timedelta(hours=1))
    forged = "INSERT INTO audit (id, at, action, operation) VALUES (%s, %s, 'read', 'get_alert')"
    database.run(lambda transaction: transaction.execute(forged, (free, NOW)))
    assert _link(database) == 0
    assert verify(database, _SETTINGS, datetime.now(UTC)).missed == [free]
    assert command.main([]) == 1


_FORGED = "INSERT INTO audit (at, action, operation) VALUES ('2026-01-01', 'export', 'hand_over_customer')"


def test_an_entry_that_says_an_earlier_time_is_told_after_it_was_linked(
    shop: dict[str, ModuleType], database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    _work(shop, database)
    _link(database)
    database.run(lambda transaction: transaction.execute(_FORGED))
    assert _link(database) == 1
    forged = rows(database, "SELECT MAX(id) AS id FROM audit")[0]["id"]
    verdict = verify(database, _SETTINGS, datetime.now(UTC))
    assert (verdict.broken, verdict.missed, verdict.late) == (None, [], [forged])
    assert command.main([]) == 1
    assert f"entries that came later than they say, the first of them: {forged}" in capsys.readouterr().err


def test_entries_of_the_time_when_the_job_was_away_are_not_late(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("churn.services.audit._LINKS", 2)
    _link(database, NOW - 9 * LINKED_WITHIN)
    for _ in range(5):
        audit.append(database, AuditEntry(NOW - 5 * LINKED_WITHIN, "anna", "read", "read", "get_alert"))
    assert _link(database, NOW) == 5
    verdict = verify(database, _SETTINGS, NOW)
    assert (verdict.end.position, verdict.broken, verdict.missed, verdict.late) == (5, None, [], [])


_MOVE = "UPDATE audit_ends SET position = 2, digest = (SELECT digest FROM audit_links WHERE position = 2) WHERE side = "
_SHORTER = {
    "the head is gone": [
        "DELETE audit FROM audit JOIN audit_links ON entry_id = id WHERE audit_links.position <= 2",
        _MOVE + "'begin'",
        "DELETE FROM audit_links WHERE position <= 2",
    ],
    "the tail is gone": [
        "DELETE audit FROM audit JOIN audit_links ON entry_id = id WHERE audit_links.position > 2",
        _MOVE + "'end'",
        "DELETE FROM audit_links WHERE position > 2",
    ],
    "all is gone": ["DELETE FROM audit", "DELETE FROM audit_links", "DELETE FROM audit_ends"],
    "the ends are gone": ["DELETE FROM audit_ends"],
}


@pytest.mark.parametrize("statements", _SHORTER.values(), ids=_SHORTER)
def test_a_chain_that_was_made_shorter_is_told(
    shop: dict[str, ModuleType], database: Database, capsys: pytest.CaptureFixture[str], statements: list[str]
) -> None:
    _work(shop, database)
    _link(database)
    assert command.main([]) == 0
    for statement in statements:
        database.run(lambda transaction, statement=statement: transaction.execute(statement))  # type: ignore[misc]
    assert command.main([]) == 1
    assert "of the chain" in capsys.readouterr().err


@pytest.mark.parametrize("statements", [_SHORTER["the tail is gone"], _SHORTER["the ends are gone"]])
def test_what_was_altered_is_not_signed_again(
    shop: dict[str, ModuleType], database: Database, statements: list[str]
) -> None:
    _work(shop, database)
    _link(database)
    for statement in statements:
        database.run(lambda transaction, statement=statement: transaction.execute(statement))  # type: ignore[misc]
    with pytest.raises(AlteredTrailError):
        _link(database)


def test_a_link_behind_the_end_is_told(shop: dict[str, ModuleType], database: Database) -> None:
    _link(database)
    signed = rows(database, "SELECT * FROM audit_ends WHERE side = 'end'")[0]
    _work(shop, database)
    _link(database)
    restore = "UPDATE audit_ends SET position = %s, digest = %s, at = %s, signature = %s WHERE side = 'end'"
    values = [signed[name] for name in ("position", "digest", "at", "signature")]
    database.run(lambda transaction: transaction.execute(restore, values))
    verdict = verify(database, _SETTINGS, datetime.now(UTC))
    assert verdict.broken == Break(4, None, "a link lies outside the ends that were noted")


def test_what_only_says_that_it_is_old_is_not_pruned(shop: dict[str, ModuleType], database: Database) -> None:
    _work(shop, database)
    _link(database)
    database.run(lambda transaction: transaction.execute("UPDATE audit_links SET linked_at = '2020-01-01'"))
    verdict = verify(database, _SETTINGS, datetime.now(UTC))
    assert verdict.broken is not None
    assert verdict.broken.position == 1
    with pytest.raises(AlteredTrailError, match="link 1: the entry or its link was altered"):
        prune(database, _SETTINGS, now=datetime.now(UTC), time_left=lambda: True)
    assert len(rows(database, "SELECT id FROM audit")) == 4


def test_an_entry_that_was_committed_late_is_linked_the_next_minute(database: Database) -> None:
    entry = AuditEntry(NOW, "anna", "read", "read", "get_alert")
    for _ in range(3):
        audit.append(database, entry)
    ids = [row["id"] for row in rows(database, "SELECT id FROM audit ORDER BY id")]
    late = "UPDATE audit SET id = %s WHERE id = %s"
    database.run(lambda transaction: transaction.execute(late, (ids[2] + 1, ids[1])))
    assert _link(database) == 3
    audit.append(database, entry)
    database.run(lambda transaction: transaction.execute(late, (ids[1], ids[2] + 2)))
    assert _link(database) == 1
    assert verify(database, _SETTINGS, NOW).broken is None


def test_pruning_keeps_the_chain_verifiable(database: Database) -> None:
    entry = AuditEntry(NOW, "anna", "read", "read", "get_alert")
    for days in (900, 801, 3, 0):
        audit.append(database, entry)
        _link(database, NOW - timedelta(days=days))
    assert prune(database, _SETTINGS, now=NOW, time_left=lambda: True) == 2
    verdict = verify(database, _SETTINGS, NOW)
    assert (verdict.begin.position, verdict.end.position, verdict.broken, verdict.missed) == (2, 4, None, [])
    assert len(rows(database, "SELECT id FROM audit")) == 2
    # Whoever drops more than was pruned is told of.
    database.run(lambda transaction: transaction.execute("DELETE FROM audit_links WHERE position = 3"))
    assert verify(database, _SETTINGS, NOW).broken == Break(3, None, "the link is gone")


def test_an_entry_costs_an_insert_and_a_commit(database: Database, mysql_url: str) -> None:
    asks = Database.for_requests(mysql_url)
    asks.read(lambda transaction: transaction.rows("SELECT 1 AS one"))
    own = asks.run(lambda transaction: transaction.row("SELECT CONNECTION_ID() AS id"))
    assert own is not None
    log = "SET GLOBAL log_output = 'TABLE', GLOBAL general_log = "
    database.run(lambda transaction: transaction.execute(log + "ON"))
    try:
        audit.append(asks, AuditEntry(NOW, "anna", "read", "read", "get_alert"))
    finally:
        database.run(lambda transaction: transaction.execute(log + "OFF"))
    sent = rows(
        database,
        "SELECT CONVERT(argument USING utf8mb4) AS argument FROM mysql.general_log "
        f"WHERE thread_id = {own['id']} AND command_type = 'Query'",
    )
    asks.close()
    assert [str(row["argument"])[:12] for row in sent[-2:]] == ["INSERT INTO ", "COMMIT"]
    assert len(sent) == 2


def test_every_list_is_a_range_of_an_index(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = AuditEntry(NOW, "anna", "read", "read", "get_alert", _GRAVE)
    for _ in range(50):
        audit.append(database, entry)
    plans = watch_plans(monkeypatch, lambda statement: "FROM audit FORCE" in statement)
    for wanted in (
        AuditFilter(),
        AuditFilter(subject="anna"),
        AuditFilter(action="read"),
        AuditFilter(customer_hmac=_GRAVE),
        AuditFilter(since=NOW, until=NOW),
    ):
        first = page(database, wanted, cursor=None, limit=5)
        page(database, wanted, cursor=first["next_cursor"], limit=5)
    assert len(plans) == 10
    for row in rows_of(plans):
        assert row["key"], row
        assert "filesort" not in (row["Extra"] or ""), row
