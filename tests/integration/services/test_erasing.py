"""The rest of erasing: what older versions left, what came beside it, and the bucket of failed batches."""

import base64
import json
from typing import Any

import pytest

from churn.adapters.failed_batches import FailedBatches
from churn.adapters.mysql import Database, dead_letters, totals
from churn.adapters.mysql.database import Row
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.adapters.mysql.erasure_key import ErasureKeyChangedError
from churn.domain.tombstones import PREFIX, Tombstones
from churn.entrypoints.kafka import decode, score_records
from churn.services import erasing
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.registry import BUCKET

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})
_TOMBSTONES = Tombstones(lambda: _SETTINGS.erasure_key)


@pytest.fixture
def scoring(database: Database) -> Scoring:
    return Scoring(database, RecencyModel(), _SETTINGS)


def _rows(database: Database, query: str) -> list[Row]:
    return database.run(lambda transaction: transaction.rows(query))


def test_who_was_erased_by_an_older_version_gets_a_tombstone_and_stays_erased(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_CUSTOMERS", 2)
    ids = [f"K-{number}" for number in range(5)]
    scoring.apply([order(name) for name in (*ids, "living")], now=NOW)
    scoring.apply([event("customer_deleted", name) for name in ids], now=NOW)
    for name in ids:
        # As they stood before there were tombstones.
        grave = _TOMBSTONES.of(name)
        database.run(
            lambda transaction, name=name, grave=grave: transaction.execute(  # type: ignore[misc]
                "UPDATE customers SET customer_id = %s WHERE customer_id = %s", (name, grave)
            )
        )
    assert scoring.apply([order("K-0")], now=NOW).repeated == 1
    assert erasing.bury(database, _TOMBSTONES, time_left=lambda: True) == 5
    assert erasing.bury(database, _TOMBSTONES, time_left=lambda: True) == 0
    rows = _rows(database, "SELECT customer_id, deleted FROM customers ORDER BY id")
    assert [row["customer_id"].startswith(PREFIX) for row in rows] == [True] * 5 + [False]
    assert scoring.apply([order(name) for name in ids], now=NOW).repeated == 5
    assert len(_rows(database, "SELECT 1 AS one FROM customers")) == 6


def test_dead_letters_that_name_an_erased_customer_lose_their_content_afterwards_too(
    database: Database, scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasing, "_LETTERS", 2)
    scoring.apply([order("K-1"), order("K-2")], now=NOW)
    scoring.apply([event("customer_deleted", "K-1")], now=NOW)
    contents = [b'{"customer_id": "K-1"}', b'{"customer_id": "K-2"}', b"K-1;9", b'{"user_id": "K-1"', b"K-11"]
    letters = [DeadLetter("t", 0, number, None, content, "why") for number, content in enumerate(contents)]
    letters.append(DeadLetter("t", 0, 9, b"K-1", b"?", "why"))
    # Stored by a transaction that did not see the erasing yet.
    database.run(lambda transaction: dead_letters.add(transaction, letters, NOW, _TOMBSTONES))
    assert erasing.clear_dead_letters(database, _TOMBSTONES, time_left=lambda: True) == 4
    left = _rows(database, "SELECT record_value, reason FROM dead_letters ORDER BY record_offset")
    assert [row["record_value"] for row in left] == [None, contents[1], None, None, contents[4], None]
    assert {row["reason"] for row in left} == {"why"}
    assert erasing.clear_dead_letters(database, _TOMBSTONES, time_left=lambda: True) == 0


def _record(customer_id: str, offset: int) -> dict[str, Any]:
    value = json.dumps({"customer_id": customer_id, "event_type": "login"}).encode()
    return {"topic": "t", "partition": 0, "offset": offset, "value": base64.b64encode(value).decode()}


@pytest.mark.parametrize("versioned", [True, False])
def test_failed_batches_lose_the_records_of_erased_customers(
    database: Database, scoring: Scoring, s3: Any, versioned: bool
) -> None:
    if versioned:
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    scoring.apply([event("customer_deleted", "K-1")], now=NOW)
    batches = {
        "aws/lambda/mixed": {"t-0": [_record("K-1", 1), _record("K-2", 2)], "t-1": [_record("K-1", 1)]},
        "aws/lambda/whole": {"t-0": [_record("K-1", 3)]},
        "aws/lambda/other": {"t-0": [_record("K-2", 4)]},
    }
    for key, records in batches.items():
        body = {"requestContext": {}, "payload": json.dumps({"eventSource": "aws:kafka", "records": records})}
        s3.put_object(Bucket=BUCKET, Key=key, Body=json.dumps(body).encode())
    bucket = FailedBatches(BUCKET, s3)
    assert erasing.clear_batches(database, _TOMBSTONES, bucket, time_left=lambda: True) == 3
    assert {batch.key: batch.batch["records"] for batch in bucket} == {
        "aws/lambda/mixed": {"t-0": [_record("K-2", 2)], "t-1": []},
        "aws/lambda/other": batches["aws/lambda/other"],
    }
    versions = s3.list_object_versions(Bucket=BUCKET)
    for version in versions["Versions"]:
        found = s3.get_object(Bucket=BUCKET, Key=version["Key"], VersionId=version["VersionId"])["Body"].read()
        assert _record("K-1", 1)["value"].encode() not in found
    assert erasing.clear_batches(database, _TOMBSTONES, bucket, time_left=lambda: True) == 0


def test_with_another_key_nothing_is_applied_until_the_key_is_back(database: Database, scoring: Scoring) -> None:
    scoring.apply([order("K-1")], now=NOW)
    scoring.apply([event("customer_deleted", "K-1")], now=NOW)
    key = ["another-key-than-the-one-of-the-tombstones"]
    other = Scoring(database, RecencyModel(), Settings.from_environment({"ERASURE_KEY": key[0]}))
    late = _record("K-1", 7)
    records = decode({"records": {"t-0": [late]}}, NOW)
    done, failed = score_records(records, other, NOW)
    assert (done, failed) == ([], records), "the events wait"
    with pytest.raises(ErasureKeyChangedError):
        erasing.bury(database, Tombstones(lambda: key[0]), time_left=lambda: True)
    assert len(_rows(database, "SELECT 1 AS one FROM customers")) == 1
    assert scoring.apply([order("K-1")], now=NOW).repeated == 1


@pytest.mark.parametrize("is_erased_by_older", [True, False])
def test_who_was_made_again_by_an_older_version_can_be_erased_again(
    database: Database, scoring: Scoring, is_erased_by_older: bool
) -> None:
    def rename(old: str, new: str) -> None:
        statement = "UPDATE customers SET customer_id = %s WHERE customer_id = %s"
        database.run(lambda transaction: transaction.execute(statement, (new, old)))

    scoring.apply([order("K-1")], now=NOW)
    scoring.apply([event("customer_deleted", "K-1")], now=NOW)
    # While a deployment moves, the version before does not look for tombstones.
    rename(_TOMBSTONES.of("K-1"), "hidden")
    scoring.apply([order("K-1"), event("payment_failed", "K-1")], now=NOW)
    if is_erased_by_older:
        scoring.apply([event("customer_deleted", "K-1")], now=NOW)
        rename(_TOMBSTONES.of("K-1"), "K-1")
    rename("hidden", _TOMBSTONES.of("K-1"))
    if is_erased_by_older:
        assert erasing.bury(database, _TOMBSTONES, time_left=lambda: True) == 1
    else:
        assert scoring.apply([order("K-1")], now=NOW).events == 1
        assert scoring.apply([event("customer_deleted", "K-1")], now=NOW).events == 1
    rows = _rows(database, "SELECT customer_id, deleted FROM customers")
    assert rows == [{"customer_id": _TOMBSTONES.of("K-1"), "deleted": 1}]
    assert len(_rows(database, "SELECT 1 AS one FROM customer_states")) == 1
    assert database.run(lambda transaction: +totals.read(transaction, "")) == {}
    assert scoring.apply([order("K-1")], now=NOW).repeated == 1


def test_an_id_that_looks_like_a_tombstone_is_an_id(database: Database, scoring: Scoring) -> None:
    scoring.apply([order("K-1"), order(f"{PREFIX}me")], now=NOW)
    scoring.apply([event("customer_deleted", "K-1"), order(f"{PREFIX}me")], now=NOW)
    # Whoever sends a real one is passed over, as the erased customer is; also beside the erased customer's own id.
    result = scoring.apply([order(_TOMBSTONES.of("K-1")), order("K-1")], now=NOW)
    assert (result.events, result.repeated) == (0, 2)
    rows = _rows(database, "SELECT customer_id, deleted, total_orders FROM customers ORDER BY deleted")
    assert [(row["customer_id"], row["deleted"], row["total_orders"]) for row in rows] == [
        (f"{PREFIX}me", 0, 2),
        (_TOMBSTONES.of("K-1"), 1, 0),
    ]
