"""Segments: named filters of customers, counted when one is opened, and every night."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from churn.adapters.mysql import Database, Transaction, customer_counts, segments
from churn.adapters.mysql.customer_counts import MOST_COUNTED, ChurnSpan
from churn.adapters.mysql.database import Row
from churn.adapters.redis_cache import Cache
from churn.domain.dashboard import RATE_DAYS, churn_rate
from churn.domain.errors import DATA_ERRORS
from churn.domain.explanations import rounded
from churn.domain.segments import SegmentFigures, is_segment_id
from churn.domain.timestamps import iso
from churn.observability import logger
from churn.services.churn_rates import rates_from
from churn.services.customer_filters import CustomerFilters, filter_at
from churn.settings import Settings

if TYPE_CHECKING:
    from churn.domain.segment_answers import Segment, SegmentCount, SegmentHistory, SegmentList, SegmentNight

FIGURES_SECONDS = 50
"""So long the figures of an opened segment are kept: with the time that a count takes, no longer than a minute."""

_MOST_BY_NIGHT = 10 * MOST_COUNTED


@dataclass(frozen=True, slots=True)
class SegmentWork:
    """What becomes of a segment: None leaves the name or the filter as it is. `versions`: of which it must be."""

    name: str | None
    filters: CustomerFilters | None
    by: str
    now: datetime
    versions: frozenset[int] | None = None


class Segments:
    """The segments of one database; `cache` keeps the figures of those that are opened."""

    def __init__(self, database: Database, cache: Cache, settings: Settings) -> None:
        self._database = database
        self._cache = cache
        self._settings = settings

    def every(self) -> SegmentList:
        """Return all segments, with what was counted last night. Raises DatabaseUnavailableError."""
        return {"segments": [_json(row, _stored_figures(row)) for row in self._database.read(segments.every)]}

    def get(self, segment_id: int, now: datetime) -> Segment:
        """Return a segment with figures of the last minute. Raises SegmentNotFoundError, DatabaseUnavailableError."""
        return self._counted(self._database.read(lambda transaction: segments.get(transaction, segment_id)), now)

    def add(self, name: str, filters: CustomerFilters, by: str, now: datetime) -> Segment:
        """Make a segment. Raises SegmentNameTakenError, SegmentsFullError, DatabaseUnavailableError."""
        asked = filters.to_json()
        segment_id = self._database.run(lambda transaction: segments.add(transaction, name, asked, by, now))
        return self.get(segment_id, now)

    def change(self, segment_id: int, work: SegmentWork) -> Segment:
        """Change a segment.

        Raises SegmentNotFoundError, SegmentChangedError, SegmentNameTakenError, DatabaseUnavailableError.
        """
        asked = None if work.filters is None else work.filters.to_json()
        self._database.run(
            lambda transaction: segments.change(
                transaction,
                segment_id,
                name=work.name,
                asked=asked,
                by=work.by,
                now=work.now,
                versions=work.versions,
            )
        )
        return self.get(segment_id, work.now)

    def delete(self, segment_id: int, versions: frozenset[int] | None) -> None:
        """Delete a segment with its history.

        Raises SegmentNotFoundError, SegmentChangedError, SegmentBuiltInError, DatabaseUnavailableError.
        """
        self._database.run(lambda transaction: segments.delete(transaction, segment_id, versions))

    def history(
        self, segment_id: int, *, date_from: datetime | None, date_to: datetime | None, limit: int
    ) -> SegmentHistory:
        """Return what was counted each night between the days of two instants, None for any.

        Raises SegmentNotFoundError, DatabaseUnavailableError.
        """
        first, last = _day(date_from, date.min), _day(date_to, date.max)

        def work(transaction: Transaction) -> SegmentHistory:
            segment = segments.get(transaction, segment_id)
            rows = segments.history(transaction, segment_id, first, last, limit)
            return {"segment_id": segment_id, "nights": [_night(row, segment) for row in rows]}

        return self._database.read(work)

    def _counted(self, row: Row, now: datetime) -> Segment:
        """Return a segment with figures of now, or of the last minute."""
        figures = self._cache.get_or_make(
            f"segment:{row['id']}:{row['filter_version']}", FIGURES_SECONDS, lambda: self._counted_now(row, now)
        )
        return _json(row, figures)

    def _counted_now(self, row: Row, now: datetime) -> SegmentCount:
        figures = _figures(self._database, self._settings, row, now, MOST_COUNTED)
        if row["counted_at"] is None:
            # The list need not wait for the night.
            self._database.run(
                lambda transaction: segments.store_figures(transaction, row["id"], row["filter_version"], figures)
            )
        return _figures_json(figures)


def count_every(database: Database, settings: Settings, *, now: datetime, time_left: Callable[[], bool]) -> int:
    """Count all segments for the night of `now`, those first that were not counted for the longest time.

    A filter that cannot be read is noted and passed over. What is left when the time is up goes in the next
    night. Return how many were counted. Raises DatabaseUnavailableError.
    """
    counted = 0
    longest_ago = datetime.min.replace(tzinfo=UTC)
    for row in sorted(database.read(segments.every), key=lambda row: row["counted_at"] or longest_ago):
        if not time_left():
            break
        try:
            figures = _figures(database, settings, row, now, _MOST_BY_NIGHT)
        except DATA_ERRORS:
            logger.exception("a segment cannot be counted", extra={"segment": row["id"]})
            continue
        counted += database.run(partial(_note, row=row, figures=figures))
    return counted


def segment_id(text: str) -> int:
    """Return the id that a path writes. Raises SegmentNotFoundError if it is the id of no segment."""
    if not is_segment_id(text):
        raise segments.SegmentNotFoundError(text)
    return int(text)


def _day(instant: datetime | None, default: date) -> date:
    return default if instant is None else instant.astimezone(UTC).date()


def _figures(database: Database, settings: Settings, row: Row, now: datetime, most: int) -> SegmentFigures:
    filters, days = CustomerFilters.from_json(row["filter"]), settings.inactivity_days
    span = ChurnSpan(now - timedelta(days=RATE_DAYS), now, timedelta(days=days))

    def work(transaction: Transaction) -> SegmentFigures:
        known_from = rates_from(transaction, days)
        can_have_lapsed = not filters.status or "lapsed" in filters.status
        has_rate = can_have_lapsed and known_from is not None and known_from <= now
        asked = filter_at(transaction, filters, now, days)
        counted = customer_counts.count(transaction, asked, span if has_rate else None, most)
        return SegmentFigures(
            now,
            counted.customers,
            counted.is_lower_bound,
            counted.value_at_risk,
            counted.scored,
            counted.probability,
            counted.churned if has_rate else None,
            counted.active_before if has_rate else None,
        )

    return database.read(work)


def _note(transaction: Transaction, row: Row, figures: SegmentFigures) -> bool:
    if not segments.store_figures(transaction, row["id"], row["filter_version"], figures):
        return False
    segments.note_night(transaction, row["id"], row["filter_version"], figures.counted_at.date(), figures)
    return True


def _json(row: Row, figures: SegmentCount | None) -> Segment:
    path = f"/api/segments/{row['id']}"
    asked = f"segment={row['id']}&sort=value_at_risk"
    return {
        "id": row["id"],
        "name": row["name"],
        "filter": row["filter"],
        "is_built_in": bool(row["is_built_in"]),
        "version": row["version"],
        "changed_at": iso(row["changed_at"]),
        "changed_by": row["changed_by"],
        "figures": figures,
        "links": {
            "customers": f"/api/customers?{asked}",
            "csv": f"/api/customers.csv?{asked}",
            "history": f"{path}/history",
        },
    }


def _night(row: Row, segment: Row) -> SegmentNight:
    figures = segments.figures_of(row)
    assert figures is not None  # noqa: S101 (a night is what was counted)
    return {
        **_figures_json(figures),
        "day": row["day"].isoformat(),
        "is_of_present_filter": row["filter_version"] == segment["filter_version"],
    }


def _stored_figures(row: Row) -> SegmentCount | None:
    figures = segments.figures_of(row)
    return None if figures is None else _figures_json(figures)


def _figures_json(figures: SegmentFigures) -> SegmentCount:
    return {
        "counted_at": iso(figures.counted_at),
        "customers": figures.customers,
        "is_lower_bound": figures.is_lower_bound,
        "value_at_risk": None if figures.value_at_risk is None else float(figures.value_at_risk),
        "average_churn_probability": rounded(figures.probability / figures.scored) if figures.scored else None,
        "churn_rate": None if figures.churned is None else churn_rate(figures.churned, figures.active_before),
        "churned_customers": figures.churned,
        "active_customers_before": figures.active_before,
    }
