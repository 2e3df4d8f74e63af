"""What settings of alerts would have raised, replayed on stored scores by the rules that scoring itself follows."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from heapq import nlargest

from churn.domain.alerts import AlertPriority, AlertRules, Rise, RiskState, Score, decide, priority_of

RELEASE_EVERY = timedelta(minutes=15)
"""How often alerts that wait are released: at the end of each rescoring sweep."""


@dataclass(frozen=True, slots=True)
class StoredScore:
    """A score that was stored of a customer, by key: when, what it said, and what there was to lose."""

    customer: int
    stored_at: datetime
    score: Score
    value: float


@dataclass(frozen=True, slots=True)
class Closing:
    """People closed a customer's alert on the risk, or opened it again with its priority (None: closed)."""

    customer: int
    at: datetime
    opened: AlertPriority | None = None


@dataclass(frozen=True, slots=True)
class PreviewedAlert:
    """An alert that the settings would have raised."""

    customer: int
    at: datetime
    value: float


@dataclass(slots=True)
class _Customer:
    state: RiskState = field(default_factory=RiskState)
    open_priority: AlertPriority | None = None
    value: float = 0


class Replay:
    """The alerts on the risk that rules raise, from scores in the order in which they were stored.

    An alert stays open until people closed one of the customer; nobody knows when they would have closed others.
    `share`: the part of all customers whose scores are replayed, who have the same part of the alerts a day.
    """

    def __init__(self, rules: AlertRules, opened: Mapping[int, AlertPriority], share: float = 1) -> None:
        """Begin with the alerts that are `opened` then, by customer's key."""
        self.raised: list[PreviewedAlert] = []
        self._rules = rules
        self._share = share
        self._customers = {key: _Customer(open_priority=priority) for key, priority in opened.items()}
        self._waiting: set[int] = set()
        self._used: Counter[date] = Counter()
        self._first: date | None = None

    @property
    def waiting(self) -> int:
        """How many alerts wait at the end."""
        return len(self._waiting)

    def run(self, scores: Iterable[StoredScore], closings: Sequence[Closing], until: datetime) -> None:
        """Replay scores and closings, each in the order of its time, up to an instant."""
        for tick, steps in _by_tick(scores, closings, until):
            for step in steps:
                if isinstance(step, Closing):
                    self._customer(step.customer).open_priority = step.opened
                else:
                    self._take(step)
            if self._rules.a_day:
                self._release(tick)

    def _customer(self, key: int) -> _Customer:
        return self._customers.setdefault(key, _Customer())

    def _take(self, stored: StoredScore) -> None:
        customer = self._customer(stored.customer)
        customer.value = stored.value
        customer.state, rise = customer.state.weighed(stored.score, self._rules)
        if rise is not None:
            self._decide(stored.customer, rise, stored.score.at, stored.stored_at, has_room=not self._rules.a_day)
        customer.state = customer.state.with_stored(stored.score)
        if customer.state.pending_level is None:
            self._waiting.discard(stored.customer)
        else:
            self._waiting.add(stored.customer)

    def _decide(self, key: int, rise: Rise, at: datetime, raised_at: datetime, *, has_room: bool) -> None:
        customer = self._customer(key)
        customer.state, decision = decide(
            customer.state,
            rise,
            at,
            self._rules,
            open_priority=customer.open_priority,
            value=customer.value,
            has_room=has_room,
        )
        if decision in {"new", "raised"}:
            customer.open_priority = priority_of(rise.level)
        if decision == "new":
            self.raised.append(PreviewedAlert(key, raised_at, customer.value))

    def _release(self, tick: datetime) -> None:
        """Raise the most valuable of what waits, as far as the day has room."""
        day = tick.astimezone(UTC).date()
        self._first = self._first or day
        room = self._room(day) - self._used[day] if self._waiting else 0
        if room <= 0:
            return
        ready = ((self._customers[key].value, key) for key in self._waiting if self._is_ready(key, tick))
        for _, key in nlargest(room, ready):
            state = self._customers[key].state
            if state.pending_level is not None and state.pending_from is not None:
                before = len(self.raised)
                self._decide(key, Rise(state.pending_level, state.pending_from), tick, tick, has_room=True)
                self._used[day] += len(self.raised) - before
            if self._customers[key].state.pending_level is None:
                self._waiting.discard(key)

    def _room(self, day: date) -> int:
        """Return how many alerts a day has room for; of a part of the customers, so many that the days add up."""
        passed = (day - (self._first or day)).days
        each = self._rules.a_day * self._share
        return int((passed + 1) * each) - int(passed * each)

    def _is_ready(self, key: int, tick: datetime) -> bool:
        customer = self._customers[key]
        level = customer.state.pending_level
        is_cooling = level is not None and customer.state.is_cooling(level, self._rules, tick)
        return customer.value >= self._rules.min_value and not is_cooling


def _by_tick(
    scores: Iterable[StoredScore], closings: Sequence[Closing], until: datetime
) -> Iterator[tuple[datetime, list[StoredScore | Closing]]]:
    """Yield, for each end of a sweep, what happened since the one before; the last ends at `until`."""
    steps: list[tuple[datetime, StoredScore | Closing]] = [(closing.at, closing) for closing in closings]
    steps += ((score.stored_at, score) for score in scores)
    # Stable: what people did at an instant comes before what was scored then.
    steps.sort(key=lambda step: step[0])
    if not steps:
        return
    tick, place = _tick_after(steps[0][0]), 0
    while place < len(steps) or tick <= until:
        since: list[StoredScore | Closing] = []
        while place < len(steps) and steps[place][0] <= tick:
            since.append(steps[place][1])
            place += 1
        yield tick, since
        tick += RELEASE_EVERY


def _tick_after(instant: datetime) -> datetime:
    """Return the first end of a sweep that is not before an instant."""
    start = instant.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start + -(-(instant - start) // RELEASE_EVERY) * RELEASE_EVERY
