"""API keys over REST, and what the authorizer makes of them."""

import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, DatabaseUnavailableError
from churn.domain.api_keys import MOST_KEYS
from churn.domain.roles import ROLES
from churn.services import api_keys
from churn.settings import settings
from tests.support.events import NOW
from tests.support.http import Answer
from tests.support.rest import Context, ask, load
from tests.support.sockets import open_socket
from tests.support.stored import rows

# The authorizer has metrics where it starts cold alone.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics to publish")
_ARN = "arn:aws:execute-api:eu-central-1:123456789012:abc/live"
_WAREHOUSE = {"name": "warehouse", "role": "write", "expires_in_days": 30}


@pytest.fixture
def functions(
    monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database
) -> Iterator[tuple[ModuleType, ModuleType]]:
    """Yield the functions that make keys, and that admit by them."""
    assert database
    monkeypatch.setenv("DATABASE_URL", mysql_url)
    monkeypatch.setenv("JWT_SECRET", "only-a-test-knows-this-secret-of-32-bytes")
    monkeypatch.delenv("REDIS_URL", raising=False)
    settings.cache_clear()
    yield load("alerts"), load("authorizer")
    settings.cache_clear()


@pytest.fixture
def function(functions: tuple[ModuleType, ModuleType]) -> ModuleType:
    return functions[0]


@pytest.fixture
def authorizer(functions: tuple[ModuleType, ModuleType]) -> ModuleType:
    return functions[1]


def _make(function: ModuleType, **body: Any) -> Answer:
    return ask(function.app, "POST", "/api/keys", {**_WAREHOUSE, **body}, subject="anna")


def _admit(authorizer: ModuleType, text: str, *, socket: bool = False) -> dict[str, Any]:
    event = {"methodArn": f"{_ARN}/GET/api/customers", "headers": {"Authorization": f"Bearer {text}"}}
    event["requestContext"] = {"eventType": "CONNECT"} if socket else {}
    answer: dict[str, Any] = authorizer.handler(event, Context())
    return answer


def test_a_key_is_shown_once_and_listed_without_its_text(function: ModuleType, database: Database) -> None:
    made = _make(function)
    assert (made.status, made.headers["Location"]) == (201, f"/api/keys/{made.json['id']}")
    left = datetime.fromisoformat(made.json["expires_at"]) - datetime.fromisoformat(made.json["created_at"])
    assert left == timedelta(days=30)
    listed = ask(function.app, "GET", "/api/keys").json["keys"]
    assert listed == [{name: value for name, value in made.json.items() if name != "key"}]
    assert (listed[0]["created_by"], listed[0]["role"], listed[0]["last_used_at"]) == ("anna", "write", None)
    secret = made.json["key"].rpartition("_")[2]
    (row,) = rows(database, "SELECT * FROM api_keys")
    assert secret not in json.dumps(row, default=str)


@pytest.mark.parametrize("role", ROLES)
def test_a_key_opens_what_its_role_opens(function: ModuleType, authorizer: ModuleType, role: str) -> None:
    made = _make(function, role=role).json
    policy = _admit(authorizer, made["key"])
    resources = policy["policyDocument"]["Statement"][0]["Resource"]
    assert (f"{_ARN}/GET/api/keys" in resources) == (role == "admin")
    assert (f"{_ARN}/POST/api/events" in resources) == (role in {"write", "admin"})
    assert (policy["context"]["sub"], policy["context"]["role"]) == ("key:warehouse", role)
    assert policy["context"]["exp"] == pytest.approx(time.time() + 30 * 86400, abs=5)


def test_a_use_is_noted(function: ModuleType, authorizer: ModuleType) -> None:
    made = _make(function).json
    _admit(authorizer, made["key"])
    (listed,) = ask(function.app, "GET", "/api/keys").json["keys"]
    assert datetime.fromisoformat(listed["last_used_at"]) >= datetime.fromisoformat(made["created_at"])
    # To the minute: each note is a write.
    _admit(authorizer, made["key"])
    assert ask(function.app, "GET", "/api/keys").json["keys"] == [listed]


def test_a_key_that_is_revoked_expired_or_altered_opens_nothing(
    function: ModuleType, authorizer: ModuleType, database: Database
) -> None:
    made = _make(function).json
    for text in (made["key"][:-1] + ("a" if made["key"][-1] != "a" else "b"), "churn_", "churn_" + "x" * 60):
        with pytest.raises(Exception, match=r"^Unauthorized$"):
            _admit(authorizer, text)
    assert api_keys.holder_of(database, made["key"], datetime.fromisoformat(made["expires_at"])) is None
    _admit(authorizer, made["key"])
    assert ask(function.app, "DELETE", f"/api/keys/{made['id']}").status == 204
    with pytest.raises(Exception, match=r"^Unauthorized$"):
        _admit(authorizer, made["key"])
    assert ask(function.app, "DELETE", f"/api/keys/{made['id']}").status == 404
    assert ask(function.app, "GET", "/api/keys").json == {"keys": []}


def test_with_a_key_its_sockets_end(function: ModuleType, database: Database) -> None:
    made = _make(function, role="read").json
    open_socket(database, "a", subject="key:warehouse")
    open_socket(database, "b", subject="anna")
    ask(function.app, "DELETE", f"/api/keys/{made['id']}")
    over = "SELECT connection_id FROM sockets WHERE expires_at <= UTC_TIMESTAMP(3)"
    assert rows(database, over) == [{"connection_id": "a"}]


def test_a_key_that_cannot_be_checked_now_is_not_called_a_bad_one(
    authorizer: ModuleType, function: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = _make(function).json["key"]
    away = Database("mysql://root@127.0.0.1:9/churn", connect_timeout=0.2, attempts=1)
    monkeypatch.setattr(authorizer, "_database", lambda: away)
    with pytest.raises(DatabaseUnavailableError):
        _admit(authorizer, key)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": " warehouse"}, "name"),
        ({"name": "ware\u200bhouse"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": 7}, "name"),
        ({"role": "owner"}, "role"),
        ({"role": None}, "role"),
        ({"expires_in_days": 0}, "expires_in_days"),
        ({"expires_in_days": 1826}, "expires_in_days"),
        ({"expires_in_days": "30"}, "expires_in_days"),
        ({"key": "churn_mine"}, "key"),
    ],
)
def test_a_bad_request_for_a_key_names_the_field(function: ModuleType, change: dict[str, Any], field: str) -> None:
    answer = _make(function, **change)
    assert (answer.status, [error["field"] for error in answer.json["errors"]]) == (400, [field])


def test_names_are_given_once_and_keys_are_not_without_number(function: ModuleType, database: Database) -> None:
    assert _make(function).status == 201
    taken = _make(function)
    assert (taken.status, taken.json["errors"][0]["field"]) == (409, "name")
    for number in range(MOST_KEYS - 1):
        api_keys.make(database, f"machine {number}", "read", 1, by="anna", now=NOW)
    assert "200 API keys" in _make(function, name="another").json["detail"]


def test_keys_are_an_admins(function: ModuleType) -> None:
    for method, path, body in (("GET", "/api/keys", None), ("POST", "/api/keys", _WAREHOUSE)):
        assert ask(function.app, method, path, body, role="act").status == 403
