"""The common frame of the benchmarks: what each measures is rows of one table.

A module `bench_NAME` has a function `measure`, which takes a `Bench` and yields rows. Every figure is a cost, so that
less is better; peers run in turns with what they are compared with.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from churn.adapters.mysql import Database
from churn.adapters.mysql.migrations import migrate, read_migrations
from churn.ml.loading import read_model
from churn.ml.random_forest import ChurnModel
from infra.local.options import ROOT
from tests.support.large_shop import schema

SIZES = tuple(int(size) for size in os.environ.get("SIZES", "10000,100000,1000000").split(","))
"""How many customers the shops have; the first is what the others are compared with."""
MOST_GROWTH = 1.5
"""What a read may take of the largest shop, as a multiple of the smallest."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A median, and the 5th and 95th percentile."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, taken: Sequence[float]) -> Spread:
        """Return the spread of what was measured."""
        ordered = sorted(taken)
        last = len(ordered) - 1
        return cls(statistics.median(ordered), ordered[round(0.05 * last)], ordered[round(0.95 * last)])


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, in its unit; against what, and what is asked of it.

    `at_most`: of the median, or with `is_of_95th` of the 95th percentile. `times`: how often this median goes into the
    peer's at least. `growth`: what this median may be of the peer's at most. `size`: the customers of the shop.
    """

    what: str
    unit: str
    taken: Spread
    against: str = ""
    peer: Spread | None = None
    at_most: float | None = None
    is_of_95th: bool = False
    times: float | None = None
    growth: float | None = None
    size: int | None = None

    @property
    def ratio(self) -> float | None:
        """The peer's median as a multiple of this one; where growth is asked about, this one as a multiple of it."""
        if self.peer is None or not self.taken.median or not self.peer.median:
            return None
        ratio = self.peer.median / self.taken.median
        return ratio if self.growth is None else 1 / ratio

    @property
    def goal(self) -> str:
        """What is asked, in words."""
        parts = []
        if self.at_most is not None:
            parts.append(f"{'p95 ' if self.is_of_95th else ''}≤ {self.at_most:g} {self.unit}")
        if self.times is not None:
            parts.append(f"{self.times:g} times faster")
        if self.growth is not None:
            parts.append(f"≤ {self.growth:g} times")
        return ", ".join(parts)

    @property
    def is_met(self) -> bool | None:
        """Whether it is as is asked, None where nothing is asked or the peer is missing."""
        kept = []
        if self.at_most is not None:
            kept.append((self.taken.high if self.is_of_95th else self.taken.median) <= self.at_most)
        if self.ratio is not None and self.times is not None:
            kept.append(self.ratio >= self.times)
        if self.ratio is not None and self.growth is not None:
            kept.append(self.ratio <= self.growth)
        return all(kept) if kept else None


@dataclass(frozen=True, slots=True)
class Bench:
    """What benchmarks share: a model's file, a database server, and a database on it for each size of a shop."""

    model_path: str
    server_url: str
    server_pid: int
    urls: Mapping[int, str]

    @property
    def model(self) -> ChurnModel:
        """The forest that scored the shops."""
        model = read_model(Path(self.model_path).read_bytes())
        assert isinstance(model, ChurnModel)
        return model

    @contextmanager
    def databases(self) -> Iterator[dict[int, Database]]:
        """Yield the database of each shop by its size."""
        with ExitStack() as stack:
            yield {size: stack.enter_context(self.database(size)) for size in SIZES}

    @contextmanager
    def database(self, size: int) -> Iterator[Database]:
        """Yield a shop's database."""
        with closing(Database(self.urls[size], statement_timeout=1200)) as database:
            yield database

    @contextmanager
    def empty_url(self) -> Iterator[str]:
        """Yield the address of a database without customers, which is dropped at the end of the block."""
        with schema(self.server_url, f"empty_{os.getpid()}") as url:
            with closing(Database(url)) as database:
                migrate(database, read_migrations(ROOT / "infra" / "migrations"))
            yield url

    @contextmanager
    def empty(self) -> Iterator[Database]:
        """Yield a database without customers, which is dropped at the end of the block."""
        with self.empty_url() as url, closing(Database(url, statement_timeout=1200)) as database:
            yield database

    def server_seconds(self) -> float:
        """Return what the database server has used of processors."""
        return seconds_of(self.server_pid)


def seconds_of(pid: int) -> float:
    """Return what a process has used of processors, in seconds."""
    user, system = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds that work took."""
    begun = clock()
    work()
    return clock() - begun


def in_turns(
    works: Sequence[Callable[[int], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> list[Spread]:
    """Return what each of several works took, in seconds, by turns; each is told the number of the round.

    Others may use the machine: by default the time is the processor's, and not a clock's.
    """
    for work in works:
        work(0)
    taken: list[list[float]] = [[] for _ in works]
    for number in range(rounds):
        for work, seconds in zip(works, taken, strict=True):
            seconds.append(timed(partial(work, number), clock))
    return [Spread.of(seconds) for seconds in taken]


def by_size(works: Mapping[int, Callable[[], object]], rounds: int = 20, seconds: float = 6) -> dict[int, Spread]:
    """Return the milliseconds of reads of shops of several sizes, by turns; fewer of them if they take long."""
    for work in works.values():
        work()
    taken: dict[int, list[float]] = {size: [] for size in works}
    until = time.perf_counter() + seconds
    for number in range(rounds):
        if number >= 3 and time.perf_counter() > until:
            break
        for size, work in works.items():
            taken[size].append(timed(work) * 1000)
    return {size: Spread.of(values) for size, values in taken.items()}


def scaled(spread: Spread, factor: float) -> Spread:
    """Return a spread in another unit."""
    return Spread(spread.median * factor, spread.low * factor, spread.high * factor)


def one(value: float) -> Spread:
    """Return what was measured once."""
    return Spread(value, value, value)


def grown(
    what: str, taken: Mapping[int, Spread], *, at_most: float | None = None, growth: float | None = MOST_GROWTH
) -> Iterator[Row]:
    """Yield a row of milliseconds for each size of a shop; the goals are those of the largest."""
    first, last = min(taken), max(taken)
    for size, spread in taken.items():
        if size != last or first == last:
            yield Row(what, "ms", spread, size=size)
        else:
            against = f"with {first:,} customers"
            yield Row(what, "ms", spread, against, taken[first], at_most=at_most, growth=growth, size=size)
