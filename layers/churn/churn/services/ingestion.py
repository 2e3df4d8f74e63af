"""What comes in: how fast events do, how far behind scoring is, records that are no events, and imported files."""

from __future__ import annotations

import base64
import codecs
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from churn.adapters import event_source
from churn.adapters.event_source import EventSourceUnavailableError, SourceStatus
from churn.adapters.mysql import (
    Database,
    Transaction,
    component_reports,
    dead_letters,
    event_counts,
    events,
    imports,
    migrations,
)
from churn.adapters.mysql.database import Row
from churn.domain.customer import EVENT_TYPES_OF_KIND, LOYALTY
from churn.domain.events import EVENT_TYPES, PROFILE_EVENTS
from churn.domain.features import KIND_OF_FEATURE, Observed
from churn.domain.timestamps import from_millis, hour_of, iso, to_millis
from churn.services.cursors import read_dead_letter_cursor, write_dead_letter_cursor

if TYPE_CHECKING:
    from churn.domain.ingestion_answers import (
        DeadLetter,
        DeadLetterCounts,
        DeadLetterPage,
        EventCount,
        FeatureSource,
        ImportRun,
        Imports,
        Ingestion,
        KindOfEvent,
        Redrive,
    )

VALUE_BYTES = 2000
"""So many bytes of a dead letter's key and value are shown."""

_MOST_COUNTED = 10_000
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_MINUTES_SHOWN, _HOURS_SHOWN = 60, 24
# The migration that made the counts.
_COUNTED_SINCE = "0024_ingestion"


@dataclass(frozen=True, slots=True)
class IngestionReports:
    """What one database, and the event source at an address, tell of what comes in."""

    database: Database
    event_source_url: str
    redrive_later: Callable[[Mapping[str, Any]], None]
    """Invokes scoring, and does not wait."""

    def overview(self, now: datetime) -> Ingestion:
        """Return how events come in. Raises DatabaseUnavailableError."""
        source = self._source()
        late = [one.cause for one in source.sources if one.cause] if source else []

        def work(transaction: Transaction) -> Ingestion:
            since = migrations.applied_at(transaction, _COUNTED_SINCE)
            minute, hour = now.replace(second=0, microsecond=0), hour_of(now)
            minutes = event_counts.since(transaction, event_counts.MINUTE, minute - _MINUTES_SHOWN * _MINUTE)
            hours = event_counts.since(transaction, event_counts.HOUR, hour - _HOURS_SHOWN * _HOUR)
            scoring = component_reports.stored(transaction).get("scoring")
            last = imports.newest(transaction, 1)
            return {
                "counted_at": iso(now),
                "counted_since": None if since is None else iso(since),
                "per_minute": _series(minutes, minute, _MINUTE, _MINUTES_SHOWN, since),
                "per_hour": _series(hours, hour, _HOUR, _HOURS_SHOWN, since),
                "waiting": source.waiting if source else None,
                "behind_seconds": source.behind_seconds if source else None,
                "cause": "; ".join(late) or None,
                "last_applied": iso(scoring.done_at) if scoring and scoring.done_at else None,
                "dead_letters": _counted(transaction, now),
                "kinds": _kinds(hours),
                "features": _features(events.observed(transaction), now),
                "last_import": _import_json(last[0]) if last else None,
            }

        return self.database.read(work)

    def dead_letters(self, *, limit: int, cursor: str | None, only_waiting: bool, with_values: bool) -> DeadLetterPage:
        """Return a page of the records that could not be applied, the newest first; their contents if asked for.

        Raises InvalidCursorError, DatabaseUnavailableError.
        """
        after = None if cursor is None else read_dead_letter_cursor(cursor)
        rows = self.database.read(
            lambda transaction: dead_letters.newest(
                transaction,
                after=after,
                limit=limit + 1,
                only_waiting=only_waiting,
                value_bytes=VALUE_BYTES if with_values else 0,
            )
        )
        shown = rows[:limit]
        return {
            "dead_letters": [_letter_json(row) for row in shown],
            "next_cursor": write_dead_letter_cursor(dead_letters.place_of(shown[-1])) if len(rows) > limit else None,
        }

    def redrive(self, now: datetime) -> Redrive:
        """Let scoring try the dead letters again, later. Raises InvocationError, DatabaseUnavailableError."""
        counts = self.database.read(lambda transaction: _counted(transaction, now))
        if counts["waiting"]:
            self.redrive_later({"redrive": None, "whole": True})
        return {
            "status": "started",
            "waiting": counts["waiting"],
            "waiting_is_lower_bound": counts["waiting_is_lower_bound"],
        }

    def imports(self, limit: int) -> Imports:
        """Return the files that were imported last. Raises DatabaseUnavailableError."""
        rows = self.database.read(lambda transaction: imports.newest(transaction, limit))
        return {"imports": [_import_json(row) for row in rows]}

    def _source(self) -> SourceStatus | None:
        if not self.event_source_url:
            return None
        try:
            return event_source.ask(self.event_source_url)
        except EventSourceUnavailableError:
            return None


def _series(
    counts: Mapping[datetime, Mapping[str, int]],
    running: datetime,
    length: timedelta,
    number: int,
    since: datetime | None,
) -> list[EventCount]:
    """Return the full minutes, or hours, before the running one; those that were not counted whole are left out."""
    starts = [running - length * back for back in range(number, 0, -1)]
    return [
        {"start": iso(start), "events": sum(counts.get(start, {}).values())}
        for start in starts
        if since is not None and start >= since
    ]


def _kinds(hours: Mapping[datetime, Mapping[str, int]]) -> list[KindOfEvent]:
    numbers: Counter[str] = Counter()
    for by_type in hours.values():
        numbers.update(by_type)
    return [{"event_type": name, "last_24_hours": numbers[name]} for name in [*sorted(EVENT_TYPES), event_counts.OTHER]]


def _features(observed: Observed, now: datetime) -> list[FeatureSource]:
    """Return since when each feature that counts events is known; a first event that lies ahead tells nothing yet."""
    return [
        {
            "feature": feature,
            "event_types": [EVENT_TYPES_OF_KIND[kind], *(PROFILE_EVENTS if kind == LOYALTY else [])],
            "known_since": iso(from_millis(observed[kind]))
            if observed.get(kind, to_millis(now) + 1) <= to_millis(now)
            else None,
        }
        for feature, kind in KIND_OF_FEATURE.items()
    ]


def _counted(transaction: Transaction, now: datetime) -> DeadLetterCounts:
    waiting = dead_letters.count_waiting(transaction, _MOST_COUNTED)
    return {
        "last_hour": dead_letters.count_since(transaction, now - _HOUR),
        "waiting": min(waiting, _MOST_COUNTED),
        "waiting_is_lower_bound": waiting > _MOST_COUNTED,
    }


def _import_json(row: Row) -> ImportRun:
    has_ended = row["ended_at"] is not None
    return {
        "id": row["id"],
        "file_name": row["file_name"],
        "kind": row["kind"],
        "started_at": iso(row["started_at"]),
        "ended_at": iso(row["ended_at"]) if has_ended else None,
        "lines": row["file_lines"] if has_ended else None,
        "rejected": row["rejected"] if has_ended else None,
        "events": row["events"] if has_ended else None,
        "repeated": row["repeated"] if has_ended else None,
        "too_late": row["too_late"] if has_ended else None,
        "refused": row["refused"] if has_ended else None,
        "customers": row["customers"] if has_ended else None,
    }


def _letter_json(row: Row) -> DeadLetter:
    key, value = row.get("record_key"), row.get("record_value")
    texts = [_text(part, is_whole=part is None or len(part) < VALUE_BYTES) for part in (key, value)]
    is_text = None not in [text for text, part in zip(texts, (key, value), strict=True) if part is not None]
    if not is_text:
        texts = [None if part is None else base64.b64encode(part).decode() for part in (key, value)]
    return {
        "topic": row["topic"],
        "partition": row["partition_id"],
        "offset": row["record_offset"],
        "failed_at": iso(row["failed_at"]),
        "reason": row["reason"],
        "redriven_at": None if row["redriven_at"] is None else iso(row["redriven_at"]),
        "has_content": row["bytes"] is not None,
        "bytes": row["bytes"],
        "customer_id": row.get("customer_id"),
        "key": texts[0],
        "value": texts[1],
        "encoding": None if key is None and value is None else "utf-8" if is_text else "base64",
    }


def _text(content: bytes | None, *, is_whole: bool) -> str | None:
    """Return bytes as text, None if they are none; a character that was cut at the end is left out."""
    try:
        return None if content is None else codecs.getincrementaldecoder("utf-8")().decode(content, final=is_whole)
    except UnicodeDecodeError:
        return None
