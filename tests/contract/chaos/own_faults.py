"""Faults of what the service holds itself: its processes, their memory and time, and the model."""

import json
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from tests.contract.chaos.fault import Fault
from tests.contract.chaos.load import Load
from tests.contract.chaos.processes import kill, repeated, stopped
from tests.contract.chaos.shop import Shop

_HOLD_A_MODEL = ("prediction", "scoring", "health")
# A request in a process that is ended is answered by 502.
_IS_ENDED = frozenset({"predict"})
_SCORING_SECONDS = 60


def _scoring_killed(shop: Shop, _: Load) -> AbstractContextManager[None]:
    return repeated(lambda: kill(shop.stack.functions()["scoring"]), 0.4)


def _scoring_past_its_time(shop: Shop, _: Load) -> AbstractContextManager[None]:
    """Stop scoring in its transactions until the gateway ends it, as Lambda does."""
    return stopped(lambda: shop.stack.functions()["scoring"])


@contextmanager
def _scoring_without_memory(shop: Shop, _: Load) -> Iterator[None]:
    """Refuse every piece of memory that scoring asks the system for."""

    def limit(most: int) -> None:
        for pid in shop.stack.functions()["scoring"]:
            with suppress(ProcessLookupError):
                hard = resource.prlimit(pid, resource.RLIMIT_AS)[1]
                resource.prlimit(pid, resource.RLIMIT_AS, (most, hard))

    try:
        with repeated(lambda: limit(1), 0.2):
            yield
    finally:
        limit(resource.RLIM_INFINITY)


@contextmanager
def _clock_off(offset: str, shop: Shop, _: Load) -> Iterator[None]:
    """Let the clock of all functions jump, and jump back."""
    if shop.clock is None:
        pytest.skip("libfaketime is not installed here, which would change the functions' clock")
    shop.clock.write_text(offset)
    try:
        yield
    finally:
        shop.clock.write_text("+0")


@contextmanager
def _model(change: Callable[[bytes], bytes | None], shop: Shop, _: Load) -> Iterator[None]:
    """Change the file of the model that serves, and end those who hold it, so that they look for it again."""
    s3 = shop.stack.s3
    bucket = shop.stack.bucket
    version = json.loads(_read(s3, bucket, "current.json"))["version"]
    key = f"models/{version}/model.npz"
    content = _read(s3, bucket, key)
    changed = change(content)
    if changed is None:
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        s3.put_object(Bucket=bucket, Key=key, Body=changed)
    try:
        _start_again(shop)
        yield
    finally:
        s3.put_object(Bucket=bucket, Key=key, Body=content)
        _start_again(shop)


def _read(s3: Any, bucket: str, key: str) -> bytes:
    content: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def _start_again(shop: Shop) -> None:
    for name in _HOLD_A_MODEL:
        kill(shop.stack.functions()[name])


def _swapped(content: bytes) -> bytes:
    """Return the file with one byte in its middle exchanged for another."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


OF_ITS_OWN = (
    Fault("scoring killed in its transactions", _scoring_killed),
    Fault("scoring past its time-out", _scoring_past_its_time, seconds=_SCORING_SECONDS + 5),
    Fault("scoring out of memory", _scoring_without_memory),
    Fault("clock an hour ahead, and back", partial(_clock_off, "+1h"), seconds=8),
    Fault("clock an hour behind, and back", partial(_clock_off, "-1h"), seconds=8),
    Fault("model missing", partial(_model, lambda _: None), _IS_ENDED, "model", 8),
    Fault("model cut", partial(_model, lambda content: content[: len(content) // 2]), _IS_ENDED, "model", 8),
    Fault("model exchanged", partial(_model, _swapped), _IS_ENDED, "model", 8),
)
