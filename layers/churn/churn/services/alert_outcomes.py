"""How good alerts were: what became of their customers, judged every night, and the figures by kind and week."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from churn.adapters.mysql import Database, Transaction, alert_outcomes, alert_weeks, customer_states
from churn.adapters.mysql.alert_counters import AlertCursor
from churn.adapters.mysql.database import Row
from churn.domain.errors import FieldError, InvalidInputError
from churn.domain.outcomes import GRACE, LATE, Outcome, PerformanceGroup, left_rate, monday, outcome_of
from churn.domain.timestamps import to_millis
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.alert_answers import AlertFigures, AlertPerformance, HandledAlerts
    from churn.domain.outcomes import Handling

MOST_WEEKS = 106
_DEFAULT_WEEKS = 26
_PAGE = 1000
_WEEK = timedelta(days=7)
_KNOWN: tuple[Outcome, ...] = ("left", "stayed")


@dataclass(frozen=True, slots=True)
class Judged:
    """How many alerts a night has counted by week, given a first outcome, and corrected for the last time."""

    counted: int = 0
    judged: int = 0
    corrected: int = 0


def judge_alerts(database: Database, settings: Settings, *, now: datetime, time_left: Callable[[], bool]) -> Judged:
    """Store the outcomes of alerts whose horizon is over, and those of older ones again with what came late.

    Stops between two pages when no time is left; the next run continues from there. Raises DatabaseUnavailableError.
    """

    def judged(rows: Sequence[Row]) -> dict[int, Outcome]:
        states = dict(customer_states.states_by_key(database, {row["customer_pk"] for row in rows}, now))
        return {
            row["id"]: outcome_of(state, to_millis(row["created_at"]), settings.horizon_days, settings.inactivity_days)
            for row in rows
            # Of a customer who cannot be read nothing is said.
            if (state := states.get(row["customer_pk"])) is not None
        }

    def through(cursor: AlertCursor, until: datetime, decide: Callable[[Sequence[Row]], Mapping[int, Outcome]]) -> int:
        changed = 0
        while time_left():
            page = database.run(lambda transaction: alert_outcomes.following(transaction, cursor, _PAGE))
            rows = page[: next((place for place, row in enumerate(page) if row["created_at"] > until), len(page))]
            if not rows:
                break
            outcomes, last = decide(rows), int(rows[-1]["id"])
            changed += database.run(
                lambda transaction, outcomes=outcomes, last=last: alert_outcomes.put(  # type: ignore[misc]
                    transaction, cursor, last, outcomes
                )
            )
        return changed

    known = now - timedelta(days=settings.horizon_days) - GRACE
    return Judged(
        through("alerts_counted", now, lambda rows: {row["id"]: "pending" for row in rows}),
        through("alerts_judged", known, judged),
        through("alerts_settled", known - LATE, judged),
    )


def performance(
    database: Database,
    settings: Settings,
    *,
    by: Collection[PerformanceGroup],
    first: datetime | None,
    last: datetime | None,
    now: datetime,
) -> AlertPerformance:
    """Return what became of the alerts of whole weeks, by kind, by week, or both; the newest half year by default.

    Raises InvalidInputError, DatabaseUnavailableError.
    """
    # No alert is raised in a week ahead.
    end = monday(min(last or now, now).date())
    start = end - (_DEFAULT_WEEKS - 1) * _WEEK if first is None else monday(first.date())
    if start > end:
        raise InvalidInputError(
            FieldError("date_from", "must not lie ahead")
            if last is None or last > now
            else FieldError("date_to", "must not be in a week before that of date_from")
        )
    if (end - start) // _WEEK >= MOST_WEEKS:
        raise InvalidInputError(FieldError("date_from", f"must be at most {MOST_WEEKS} weeks before date_to"))
    rows = database.read(lambda transaction: alert_weeks.between(transaction, start, end))
    groups: defaultdict[tuple[str | None, date | None], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["alert_type"] if "kind" in by else None, row["week"] if "week" in by else None].append(row)
    return {
        "first_day": start.isoformat(),
        "last_day": (end + timedelta(days=6)).isoformat(),
        "horizon_days": settings.horizon_days,
        "total": _figures(rows, None, (start, end)),
        "groups": [
            {
                "alert_type": kind,
                "week": None if week is None else week.isoformat(),
                **_figures(own, kind, (start, end) if week is None else (week, week)),
            }
            for (kind, week), own in sorted(groups.items(), key=lambda group: (str(group[0][1]), str(group[0][0])))
        ],
    }


def newest_known(transaction: Transaction, weeks: int) -> AlertFigures | None:
    """Return what became of the alerts of the newest weeks with outcomes, None while no outcome is known."""
    span = alert_weeks.newest_known(transaction, weeks)
    return None if span is None else _figures(alert_weeks.between(transaction, *span), None, span)


def _figures(rows: Sequence[Row], kind: str | None, weeks: tuple[date, date]) -> AlertFigures:
    whole = _handled(rows)

    def of(handling: Handling) -> HandledAlerts:
        return _handled(row for row in rows if row["handling"] == handling)

    return {
        **whole,
        "without_outcome": sum(int(row["number"]) for row in rows if row["outcome"] == "none"),
        "worked": of("worked"),
        "dismissed": of("dismissed"),
        "untouched": of("untouched"),
        "links": {
            "alerts": _link(kind, weeks),
            "matured": _link(kind, weeks, outcome=",".join(_KNOWN)),
            "left": _link(kind, weeks, outcome="left"),
        },
    }


def _handled(rows: Iterable[Row]) -> HandledAlerts:
    counts: defaultdict[Outcome, int] = defaultdict(int)
    for row in rows:
        counts[row["outcome"]] += int(row["number"])
    matured = counts["left"] + counts["stayed"]
    return {
        "alerts": sum(counts.values()),
        "matured": matured,
        "left": counts["left"] if matured else None,
        "left_rate": left_rate(counts["left"], matured),
    }


def _link(kind: str | None, weeks: tuple[date, date], **query: str) -> str:
    """Return the list of what a figure counts, as a path below the service's address."""
    first, last = weeks
    chosen = {} if kind is None else {"alert_type": kind}
    days = {"created_from": first.isoformat(), "created_to": (last + timedelta(days=6)).isoformat()}
    # What is counted are all alerts, also those that are snoozed.
    return f"/api/alerts?{urlencode({**chosen, **query, **days, 'snoozed': 'true'}, safe=',:')}"
