"""Whom a record is about that is no event."""

import base64
import gzip
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
        (None, b'{"events": [{"customer_id": "A"}, {"customer_id": "B"}]}', ["A", "B"]),
        (None, json.dumps('{"customer_id": "CUST-1"}').encode(), ["CUST-1"]),
        (None, b'\0\0\0\0\1{"customer_id": "CUST-1"}', ["CUST-1"]),
        (None, b'{"customer_id": "CUST-1", "data": {"na', ["CUST-1"]),
        (None, b'{"customer_id": "\\u0141-1", "data"', ["Ł-1"]),
        (None, b"customer_id=CUST-1&x=2", ["CUST-1"]),
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
        (None, b'{"customer_id": "CUST-9", "data": {"email": "ann@example.org"}}', True),
        (None, '{"customer_id": "CUST-9", "data": {"name": "Ann Łee"}}'.encode(), False),
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
    names = customers_perhaps_named(b"K", b"CUST-1;ann@example.org, 3")
    assert {"K", "CUST-1", "ann@example.org"} <= set(names)
    assert "3" not in names, "it stands in anybody's records"
    assert customers_perhaps_named(None, b'{"customer_id": "CUST-1", "data": {"a": "b"}}') == ["CUST-1"]


_IN_A_FIELD = b'{"customer_id": "Doe, Jane"}'
_DEEP = b'{"payload": [{"customer": {"ref": "Doe, Jane"}}]}'


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b'"Doe, Jane"', b"?"),
        (b'{"customer_id": "Doe, Jane"}', b'{"event_type": "login"}'),
        (b'\0\0\0\0\7"Doe, Jane"', b"?"),
        (b"Doe, Jane", b'{"customer_id": "K-9"}'),
        (b"Doe, Jane", None),
        (None, b'{"customerId": "Doe, Jane"}'),
        (None, b'{"customer_id": ["Doe, Jane"]}'),
        (None, b'{"customer": {"id": "Doe, Jane", "email": "j@example.org"}}'),
        (None, b'{"Doe, Jane": {"orders": 3}}'),
        (None, b'"Doe, Jane"'),
        (None, b"2026-01-01; Doe, Jane ;9.90"),
        (None, b'login,"Doe, Jane",9.90'),
        (None, b"a\nDoe, Jane\nb"),
        (None, b"https://shop.example/?customer_id=Doe%2C%20Jane&x=2"),
        (None, json.dumps({"payload": _IN_A_FIELD.decode()}).encode()),
        (None, json.dumps(json.dumps(_IN_A_FIELD.decode()))[:-6].encode()),
        (None, base64.b64encode(_IN_A_FIELD)),
        (None, gzip.compress(_DEEP)),
        (None, base64.b64encode(gzip.compress(_DEEP))),
        (None, base64.urlsafe_b64encode(gzip.compress(_DEEP)).rstrip(b"=")),
        (None, gzip.compress(_DEEP + b" " * 1000)[:-9]),
        (None, _DEEP.decode().encode("utf-16")),
        (None, _IN_A_FIELD.decode().encode("utf-16-be")),
        (None, b"\xef\xbb\xbf" + _DEEP),
    ],
)
def test_an_id_is_found_in_every_writing_before_and_after_erasing_alike(key: bytes | None, value: bytes | None) -> None:
    assert "Doe, Jane" in customers_perhaps_named(key, value)
    assert is_about(Person("Doe, Jane", frozenset()), key, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("12345", b'{"customer_id": 12345.0, "data": {"na'),
        ("12345", b'{"customer_id": 12345, "data": {"na'),
        ('a"b', b'{"customer_id": "a\\"b", "data": {"na'),
        ("a\\b", b'{"customer_id": "a\\\\b", "data": {"na'),
        ("\N{GRINNING FACE}-1", b'{"customer_id": "\\ud83d\\ude00-1", "data": {"na'),
        ("Zo\u00eb", '{"customer_id": "Zo\u00eb"}'.encode("latin-1")),
        ("Zo\u00eb", '{"customer_id": "Zoe\u0308"}'.encode()),
        ("1", b'{"customerId": 1}'),
        ("1", b'{"customer": {"id": 1}}'),
        ("1", b"1;login;9.90"),
    ],
)
def test_ids_that_are_hard_to_write_are_found(name: str, value: bytes) -> None:
    assert name in customers_perhaps_named(None, value)
    assert is_about(Person(name, frozenset()), None, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("1", b'{"customer_id": "K-5", "data": {"quantity": 1, "x'),
        ("1", b'{"customer_id": "K-5", "data": {"id": 1}}'),
        ("1", b'{"event_type": "order_placed", "data": {"quantity": 1}}'),
        ("1", b"K-5;login;1;9.90"),
        ("login", b'{"event_type": "login"}'),
        ("login", b'{"customer_id": "K-5", "event_type": "login", "x'),
        ("login", b"K-5;login;1;9.90"),
        ("123456", b'{"customer_id": "K-5", "data": {"order_value": 123456}}'),
        ("Ann", b'{"customer_id": "K-5", "data": {"name": "Ann"}}'),
    ],
)
def test_what_stands_in_anybodys_records_makes_none_of_them_a_persons(name: str, value: bytes) -> None:
    assert name not in customers_perhaps_named(b"K-5", value)
    assert not is_about(Person(name, frozenset({"Ann", "login"})), b"K-5", value)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps({"note": "please call ANN \u0141EE, soon"}).encode(),
        json.dumps({"note": "write to <Ann@Example.org>."}).encode(),
        json.dumps({"first": "Ann", "last": "\u0141ee"}).encode(),
        json.dumps({"payload": json.dumps({"name": "Ann \u0141ee"})}).encode(),
        json.dumps(json.dumps({"name": "Ann \u0141ee"}))[:-3].encode(),
        json.dumps({"ann@example.org": {"opened": 3}}).encode(),
        json.dumps({"phone": "+45-1234.5678"}).encode(),
        json.dumps({"phone": 4512345678}).encode(),
        b"call 0045 (12) 345678 now",
        b"mail=ann%40example.org&x=1",
        "Ann  \u0141ee".encode("utf-16"),
        base64.b64encode(b'{"email": "ann@example.org"}'),
        gzip.compress(b'{"email": "ann@example.org"}'),
    ],
)
def test_a_name_an_e_mail_or_a_phone_is_found_within_any_text(value: bytes) -> None:
    person = Person("CUST-1", frozenset({"Ann \u0141ee", "ann@example.org", "+45 12 34 56 78"}))
    assert is_about(person, None, value)


@pytest.mark.parametrize(
    "value",
    [
        b'{"email": "joann@example.org"}',
        b'{"email": "ann@example.org.uk"}',
        b'{"phone": "+45 12 34 56 789"}',
        b'{"name": "Ann"}',
        '{"name": "Joann \u0141eeds"}'.encode(),
    ],
)
def test_who_is_called_nearly_so_is_somebody_else(value: bytes) -> None:
    person = Person("CUST-1", frozenset({"Ann", "Ann \u0141ee", "login", "ann@example.org", "+45 12 34 56 78"}))
    assert not is_about(person, None, value)


def test_looking_at_a_large_record_is_bounded() -> None:
    words = b" ".join(b"word-%d" % number for number in range(100_000))
    assert len(customers_perhaps_named(None, words)) <= 2000
    bomb = gzip.compress(b"x" * 50_000_000)
    assert not is_about(_ANN, None, bomb)
    assert not is_about(_ANN, None, b'"' * 500_000 + b"\\" * 500_000)


def test_a_tombstone_is_of_one_customer_under_one_key_and_tells_nothing() -> None:
    tombstones, others = Tombstones(lambda: "a" * 32), Tombstones(lambda: "b" * 32)
    assert tombstones.of("CUST-1") == tombstones.of("CUST-1")
    assert len({tombstones.of("CUST-1"), tombstones.of("CUST-2"), others.of("CUST-1")}) == 3
    assert tombstones.of("x" * 64).startswith(PREFIX)
    assert len(tombstones.of("x" * 64)) <= 64
    assert tombstones.of(tombstones.of("CUST-1")) == tombstones.of("CUST-1")
