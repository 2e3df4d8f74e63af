"""Alerts and customers as clients see them."""

import json
from typing import Any

import pytest

from churn.services.presentation import address_json

_LONG = {"city": "Rome", "lines": ["Via " + "x" * 200, "2"], "notes": "y" * 600}


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (None, None),
        ("", None),
        ("Åvej 1, Århus", {"text": "Åvej 1, Århus"}),
        ('{"city": "Łódź", "zip": 90001}', {"city": "Łódź", "zip": 90001}),
        ("{}", {}),
        ('["Åvej 1"]', {"text": '["Åvej 1"]'}),
        ("12345", {"text": "12345"}),
        ('"Åvej 1"', {"text": '"Åvej 1"'}),
        ("{not JSON", {"text": "{not JSON"}),
        ('{"a": NaN}', {"text": '{"a": NaN}'}),
        ('{"a":1e999}', {"text": '{"a":1e999}'}),
        ('{"a":[{"b":-1e999}]}', {"text": '{"a":[{"b":-1e999}]}'}),
        ('{"a": {"b": "c"}, "d": {"e": "f", "g": "h', {"a": {"b": "c"}}),
        (json.dumps(_LONG)[:512], {"city": "Rome", "lines": _LONG["lines"]}),
    ],
)
def test_an_address_is_an_object(stored: str | None, shown: dict[str, Any] | None) -> None:
    assert address_json(stored) == shown
