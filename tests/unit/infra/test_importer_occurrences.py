"""Lines that repeat each other are found in memory that does not grow with them."""

import gzip
import random
import tracemalloc
import zipfile
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.tools.importer import orders
from infra.tools.importer.history import Options
from infra.tools.importer.parser import read_history
from infra.tools.importer.reading_progress import EVERY
from infra.tools.importer.tallies import Occurrences
from tests.support.imports import read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5)), st.integers(0, 4))
def test_what_lies_on_disk_is_counted_as_what_lies_in_memory(keys: list[int], in_memory: int) -> None:
    counts: Counter[int] = Counter()
    with closing(Occurrences(in_memory)) as occurrences:
        for key in keys:
            assert occurrences.add(key) == counts[key]
            counts[key] += 1


def test_memory_stays_the_same_however_many_keys_there_are() -> None:
    chance = random.Random(1)
    tracemalloc.start()
    try:
        with closing(Occurrences(1000)) as occurrences:
            for _ in range(20_000):
                occurrences.add(chance.randrange(-(2**63), 2**63))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 500_000


@pytest.mark.parametrize("number", ["", "7"])
def test_a_file_with_one_order_or_one_customer_is_read_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    chance = random.Random(2)
    lines = [f"ann,2026-01-0{chance.randrange(1, 9)},{chance.randrange(1, 20)}.50,1,{number}" for _ in range(300)]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(["customer,date,price,quantity,order", *lines]) + "\n")
    expected = read_file(path, now=NOW).events
    monkeypatch.setattr(orders, "Occurrences", partial(Occurrences, 3))
    assert read_file(path, now=NOW).events == expected
    assert len({event.event_id for event in expected}) == (1 if number else 300)


@pytest.mark.parametrize("ending", ["csv", "gz", "zip"])
def test_reading_tells_what_share_of_its_work_is_done(tmp_path: Path, ending: str) -> None:
    chance = random.Random(3)
    # So that little of it can be packed, and a buffer holds but a part.
    lines = [f"{chance.getrandbits(200):x},2026-01-01,{number % 90 + 1},{number}" for number in range(4 * EVERY)]
    content = "\n".join(["customer,date,total,order", *lines]).encode()
    path = tmp_path / f"orders.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("orders.csv", content)
    else:
        path.write_bytes(gzip.compress(content) if ending == "gz" else content)
    shown: list[tuple[int, float | None]] = []
    with read_history(path, Options(), now=NOW, progress=lambda *told: shown.append(told)):
        pass
    assert [done for done, _ in shown] == [EVERY * part for part in range(1, 9)]
    shares = [share for _, share in shown if share is not None]
    assert len(shares) == 8
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[3] <= 0.3 < shares[4] < shares[7] == 1
