"""The progress of commands: how much is done, and how much longer it takes."""

import io

import pytest

from infra.tools.progress import Progress
from tests.support.clock import FakeClock


def _said(monkeypatch: pytest.MonkeyPatch, total: int | None, after: float, *done: float) -> str:
    clock = FakeClock(100.0)
    monkeypatch.setattr("infra.tools.progress.time.monotonic", clock)
    out = io.StringIO()
    with Progress("orders", total, out) as shown:
        clock.now += after
        shown(int(done[0]), *done[1:])
    return out.getvalue()


@pytest.mark.parametrize(
    ("done", "after", "said"),
    [
        (250, 5, "orders: 250 of 1,000 (25%), 15 s left\n"),
        (10, 5, "orders: 10 of 1,000 (1%), 8 min left\n"),
        (1000, 5, "orders: 1,000 of 1,000 (100%)\n"),
        (0, 5, "orders: 0 of 1,000 (0%)\n"),
        (250, 1, ""),
    ],
)
def test_the_time_left_is_that_of_the_rate_until_now(
    monkeypatch: pytest.MonkeyPatch, done: int, after: float, said: str
) -> None:
    assert _said(monkeypatch, 1000, after, done) == said


def test_a_share_stands_in_for_a_total_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _said(monkeypatch, None, 5, 2000, 0.2) == "orders: 2,000 (20%), 20 s left\n"
    assert _said(monkeypatch, None, 5, 2000) == "orders: 2,000\n"
