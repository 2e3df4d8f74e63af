"""Redriving all dead letters: page by page in one invocation, and in the next where the time is up."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from churn.adapters.mysql import Database, dead_letters
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.domain.tombstones import Tombstones
from churn.entrypoints.kafka import PAGE
from churn.settings import settings
from tests.support.events import NOW
from tests.support.forests import small_model
from tests.support.rest import Context, load

_KEY = "only-a-test-knows-this-key-of-32-bytes"


@dataclass(frozen=True, slots=True)
class _Timed(Context):
    """An invocation with so many milliseconds left."""

    milliseconds: int = 60_000

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left."""
        return self.milliseconds


@pytest.fixture
def function(
    monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database, tmp_path: Path
) -> Iterator[ModuleType]:
    """Yield the function of scoring, and more dead letters than a page has."""
    path = tmp_path / "model.npz"
    path.write_bytes(small_model().to_bytes())
    for name, value in {"DATABASE_URL": mysql_url, "ERASURE_KEY": _KEY, "MODEL_PATH": str(path)}.items():
        monkeypatch.setenv(name, value)
    for name in ("REDIS_URL", "MODEL_BUCKET", "KAFKA_BOOTSTRAP_SERVERS", "SOCKET_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    letters = [DeadLetter("t", 0, place, None, b"no event", "why") for place in range(PAGE + 5)]
    tombstones = Tombstones(lambda: _KEY)
    database.run(lambda transaction: dead_letters.add(transaction, letters, NOW, tombstones))
    settings.cache_clear()
    yield load("scoring")
    settings.cache_clear()


def test_pages_follow_each_other_while_there_is_time(function: ModuleType) -> None:
    done = function.handler({"redrive": None, "whole": True}, _Timed())
    assert done == {"applied": 0, "left": PAGE + 5, "after": None}


def test_what_is_left_goes_to_an_invocation_of_its_own(function: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    handed_on: list[tuple[str, Mapping[str, Any]]] = []

    def invoke_later(arn: str) -> Callable[[Mapping[str, Any]], None]:
        return lambda payload: handed_on.append((arn, payload))

    monkeypatch.setattr(function, "invoke_later", invoke_later)
    context = _Timed(milliseconds=1000)
    first = function.handler({"redrive": None, "whole": True}, context)
    assert first["left"] == PAGE
    ((arn, payload),) = handed_on
    assert (arn, payload["redrive"], payload["whole"]) == (context.invoked_function_arn, first["after"], True)
    assert function.handler(dict(payload), context) == {"applied": 0, "left": 5, "after": None}
    assert len(handed_on) == 1
