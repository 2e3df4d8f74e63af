"""Whom a record is about that is no event."""

import json

import pytest

from churn.domain.record_subjects import Person, customers_named, customers_perhaps_named, is_about
from churn.domain.tombstones import PREFIX, Tombstones

_ANN = Person("CUST-1", frozenset({"Ann Łee", "ann@example.org"}))


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        (None, b'{"customer_id": "CUST-1"}', ["CUST-1"]),
        (b"CUST-2", b'{"user_id": " CUST-1 "}', ["CUST-1", "CUST-2"]),
        (None, b'{"customer_id": 7}', ["7"]),
        (None, b'{"events": [{"customer_id": "A"}, {"customer_id": "B"}]}', ["B", "A"]),
        (None, json.dumps('{"customer_id": "CUST-1"}').encode(), ["CUST-1"]),
        (None, b'\0\0\0\0\1{"customer_id": "CUST-1"}', ["CUST-1"]),
        (None, b'{"customer_id": "CUST-1", "data": {"na', ["CUST-1"]),
        (None, b'{"customer_id": "\\u0141-1", "data"', ["Ł-1"]),
        (None, b"customer_id=CUST-1&x=2", ["CUST-1&x=2"]),
        (None, b"customer_id: CUST-1, x: 2", ["CUST-1"]),
        (None, b'{"customer_id": true}', []),
        (None, b'{"customer_id": ' + b"9" * 65 + b"}", []),
        (None, b"[" * 100_000, []),
        (None, None, []),
    ],
)
def test_a_record_names_its_customers(key: bytes | None, value: bytes | None, named: list[str]) -> None:
    assert customers_named(key, value) == named


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (None, b'{"customer_id": "CUST-1"}', True),
        (None, b'{"customer_id": "CUST-12"}', False),
        (b"CUST-1", b"\xff", True),
        (b"CUST-12", b"\xff", False),
        (None, b'{"customer_id": "CUST-9", "data": {"email": "ann@example.org"}}', False),
        (None, b'{"data": {"email": "ann@example.org"}}', True),
        (None, json.dumps({"data": [{"name": "Ann Łee"}]}).encode(), True),
        (None, "2026;Ann Łee;CUST-7".encode(), True),
        (None, b'{"name": "Ann \\u0141ee", ', True),
        (None, b"x CUST-1 y", True),
        (None, b"x CUST-12 y", False),
        (None, b"x CUST-1-2 y", False),
        (None, b"12", False),
        (None, None, False),
    ],
)
def test_a_record_is_about_a_customer(key: bytes | None, value: bytes | None, expected: bool) -> None:
    assert is_about(_ANN, key, value) == expected


def test_of_what_cannot_be_parsed_every_word_may_be_a_customer() -> None:
    assert customers_perhaps_named(b"K", b"CUST-1;ann@example.org, 3") == ["K", "CUST-1", "ann@example.org", "3"]
    assert customers_perhaps_named(None, b'{"customer_id": "CUST-1", "data": {"a": "b"}}') == ["CUST-1"]


def test_a_tombstone_is_of_one_customer_under_one_key_and_tells_nothing() -> None:
    tombstones, others = Tombstones(lambda: "a" * 32), Tombstones(lambda: "b" * 32)
    assert tombstones.of("CUST-1") == tombstones.of("CUST-1")
    assert len({tombstones.of("CUST-1"), tombstones.of("CUST-2"), others.of("CUST-1")}) == 3
    assert tombstones.of("x" * 64).startswith(PREFIX)
    assert len(tombstones.of("x" * 64)) <= 64
    assert tombstones.of(tombstones.of("CUST-1")) == tombstones.of("CUST-1")
