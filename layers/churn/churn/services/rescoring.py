"""The rescoring sweep: customers who send no events are scored again as time passes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched

from churn.observability import note_unreadable
from churn.services.alert_budget import OF_A_CUSTOMER, release
from churn.services.batch_result import BatchResult
from churn.services.scoring import Scoring

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a rescoring sweep, and the key to continue from if its time ran out (None: all are done)."""

    scored: int
    alerts: int
    resume_after: int | None
    passed_over: int = 0
    """Customers whom nothing could be worked out for; each is in the log by its key."""


def sweep(
    scoring: Scoring,
    *,
    now: datetime,
    time_left: Callable[[], bool],
    resume_after: int = 0,
    done: Callable[[BatchResult], None] = lambda _: None,
) -> Swept:
    """Score all customers whose score is out of date, page by page, each a transaction of its own.

    Indexes tell who they are, so that a sweep costs what they cost. `done` is called after each page, to push what it
    raised. Stops between two pages if no time is left: customers who were scored stay scored, and the next rescoring
    sweep finds only the others. Stops as well once the model's version serves no more. One that comes past everybody
    ends the change to the version. A page that fails for its data is halved down to the customer, who is noted and
    passed over. At the end alerts that wait are raised. Raises UnavailableError.
    """
    change = scoring.serving.open_change(now) if resume_after == 0 else None
    position: int | None = resume_after
    pages = _Pages(scoring, now, done)
    for page in batched(scoring.due(resume_after, now=now), _PAGE, strict=False):
        if pages.is_outdated or not time_left():
            break
        pages.score(page)
        position = page[-1]
    else:
        position = None
    if pages.is_outdated:
        position = None
    released = release(scoring, now=now, time_left=time_left, done=done)
    if change is not None and position is None and not pages.is_outdated:
        scoring.serving.end_change(change, now)
    return Swept(pages.scored, pages.alerts + released, position, pages.passed_over)


class _Pages:
    """The pages of one sweep, and what came of them."""

    def __init__(self, scoring: Scoring, now: datetime, done: Callable[[BatchResult], None]) -> None:
        self.scored = self.alerts = self.passed_over = 0
        self.is_outdated = False
        self._scoring = scoring
        self._now = now
        self._done = done

    def score(self, keys: Sequence[int]) -> None:
        """Score a page of customers, by their keys."""
        try:
            applied = self._scoring.rescore(keys, now=self._now)
        except OF_A_CUSTOMER as error:
            if len(keys) == 1:
                self._pass_over(keys[0], error)
            else:
                middle = len(keys) // 2
                self.score(keys[:middle])
                self.score(keys[middle:])
            return
        self.scored += applied.rescored
        self.alerts += len(applied.alert_ids)
        self.is_outdated = applied.is_outdated
        self._done(applied)

    def _pass_over(self, key: int, error: Exception) -> None:
        note_unreadable(key, error)
        self._scoring.put_off(key, self._now)
        self.passed_over += 1
