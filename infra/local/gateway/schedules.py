"""EventBridge rules on one machine: `rate(…)` and `cron(…)` expressions, in UTC."""

import asyncio
import calendar
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra.local.gateway.environment import Log
from infra.local.gateway.runtime import FunctionPool
from infra.local.template.specs import ACCOUNT, ScheduleSpec

_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((.+)\)")
_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
# Days of the week as EventBridge counts them: 1 is Sunday.
_WEEKDAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_YEARS_AHEAD = 8


class ScheduleError(ValueError):
    """The expression is not one that EventBridge, or this reader of it, takes."""


@dataclass(frozen=True, slots=True)
class Cron:
    """The instants of a cron expression, as sets of what each field allows; None = any."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int] | None

    def after(self, moment: datetime) -> datetime | None:
        """Return the first instant later than `moment`, or None when there is none within eight years."""
        day = (moment + timedelta(minutes=1)).replace(second=0, microsecond=0)
        for offset in range(366 * _YEARS_AHEAD):
            start = day if offset == 0 else (day + timedelta(days=offset)).replace(hour=0, minute=0)
            if not self._on(start):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    instant = start.replace(hour=hour, minute=minute)
                    if instant >= start:
                        return instant
        return None

    def _on(self, day: datetime) -> bool:
        weekday = day.isoweekday() % 7 + 1
        return (
            day.month in self.months
            and (self.days is None or day.day in self.days)
            and (self.weekdays is None or weekday in self.weekdays)
            and (self.years is None or day.year in self.years)
        )


def parse(expression: str) -> timedelta | Cron:
    """Return the interval of a rate, or the instants of a cron expression. Raises ScheduleError."""
    rate = _RATE.fullmatch(expression.strip())
    if rate:
        count = int(rate[1])
        if count < 1:
            raise ScheduleError(f"{expression}: a rate of zero")
        return timedelta(**{f"{rate[2]}s": count})
    cron = _CRON.fullmatch(expression.strip())
    fields = cron[1].split() if cron else []
    if len(fields) != 6:
        raise ScheduleError(f"{expression}: neither rate(…) nor cron(…) with six fields")
    minutes, hours, days, months, weekdays, years = fields
    try:
        return Cron(
            _field(minutes, 0, 59),
            _field(hours, 0, 23),
            None if days in "?*" else _field(days, 1, 31),
            _field(months, 1, 12, _MONTHS),
            None if weekdays in "?*" else _field(weekdays, 1, 7, _WEEKDAYS),
            None if years == "*" else _field(years, 1970, 2199),
        )
    except ValueError as error:
        raise ScheduleError(f"{expression}: {error}") from error


def next_run(schedule: timedelta | Cron, moment: datetime) -> datetime | None:
    """Return when the schedule is due next after `moment`."""
    return moment + schedule if isinstance(schedule, timedelta) else schedule.after(moment)


def scheduled_event(spec: ScheduleSpec, moment: datetime, region: str) -> bytes:
    """Return what EventBridge sends at that instant: the template's own input, or its scheduled event."""
    if spec.payload is not None:
        return spec.payload.encode()
    event: Mapping[str, object] = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:events:{region}:{ACCOUNT}:rule/{spec.name}"],
        "detail": {},
    }
    return json.dumps(event).encode()


async def run(spec: ScheduleSpec, pool: FunctionPool, region: str, log: Log) -> None:
    """Invoke the function whenever it is due, until cancelled."""
    schedule = parse(spec.expression)
    due = next_run(schedule, datetime.now(UTC))
    while due is not None:
        await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()))
        result = await pool.invoke(scheduled_event(spec, due, region))
        if result.error:
            log("schedule", f"{spec.name}: {result.payload.decode('utf-8', 'replace')[:2000]}")
        due = next_run(schedule, max(due, datetime.now(UTC) - timedelta(seconds=1)))


def _field(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    def number(word: str) -> int:
        value = (names or {}).get(word.upper())
        value = int(word) if value is None else value
        if not low <= value <= high:
            raise ValueError(f"{word} is not between {low} and {high}")
        return value

    allowed: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, final = low, high
        elif "-" in span:
            first, final = (number(word) for word in span.split("-", 1))
        else:
            first = number(span)
            final = high if step else first
        allowed.update(range(first, final + 1, int(step or 1)))
    return frozenset(allowed)
