"""The rescoring sweep: customers who send no events are scored again as time passes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from churn.services.scoring import BatchResult, Scoring

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Swept:
    """The result of a rescoring sweep, and the key to continue from if its time ran out (None: all are done)."""

    scored: int
    alerts: int
    resume_after: int | None


def sweep(
    scoring: Scoring,
    *,
    now: datetime,
    time_left: Callable[[], bool],
    resume_after: int = 0,
    done: Callable[[BatchResult], None] = lambda _: None,
) -> Swept:
    """Score all customers whose score is out of date, page by page, each a transaction of its own.

    `done` is called after each page, to push what it raised. Stops between two pages if no time is left: customers who
    were scored stay scored, and the next rescoring sweep finds only the others. Raises DatabaseUnavailableError.
    """
    position: int | None = resume_after
    scored = alerts = 0
    while position is not None and time_left():
        applied, position = scoring.rescore(position, _PAGE, now=now)
        scored += applied.rescored
        alerts += len(applied.alert_ids)
        done(applied)
    return Swept(scored, alerts, position)
