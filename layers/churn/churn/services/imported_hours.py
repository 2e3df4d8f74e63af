"""The dashboard's hours after an import: changed by the customers that it touched, not made again from all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from churn.adapters.mysql import Database, Transaction, customers, hourly_stats, imports
from churn.adapters.mysql.customers import Customer
from churn.adapters.mysql.orders import Ledgers
from churn.services.hourly_stats import Activity, activity, first_hour, hours_between, measure_hours, rebuild, rows_of
from churn.settings import Settings


@dataclass(frozen=True, slots=True)
class HourSpan:
    """The hours that an import changes: those of the look-back that were over when it began."""

    began: datetime
    inactivity_days: int
    starts_empty: bool
    """Whether the shop had no customers then."""

    @classmethod
    def begin(cls, database: Database, settings: Settings, now: datetime) -> Self:
        """Return the hours of an import that begins now, and note that they change.

        Should the import never end, the night measures them again. Raises DatabaseUnavailableError.
        """
        database.run(lambda transaction: hourly_stats.note_change(transaction, first_hour(now), now))
        return cls(now, settings.inactivity_days, not database.run(customers.exist))

    def of(self, ledgers: Ledgers, touched: Sequence[Customer]) -> Activity:
        """Return what customers add to the figures, as they stand in the transaction; its orders are saved."""
        own = ledgers.all_of([customer.pk for customer in touched])
        first_seen = [customer.record.first_seen_at for customer in touched]
        return activity(
            [instant for instant in first_seen if instant is not None],
            own.values(),
            now=self.began,
            inactivity_days=self.inactivity_days,
            since=first_hour(self.began),
        )

    def store(self, database: Database, settings: Settings, counts: Activity, now: datetime) -> None:
        """Bring the stored hours up to date once all customers of the import are stored.

        They are made again from all orders if some are not stored, if somebody measured them meanwhile, or if an import
        since has not ended; those after the newest that is stored are the sweep's. Raises DatabaseUnavailableError.
        """
        first = first_hour(self.began)
        hours = list(hours_between(first, self.began))[:-1]
        if self.starts_empty:
            rows = rows_of(counts, hours)
            database.run(lambda transaction: hourly_stats.add(transaction, rows, now))
            measure_hours(database, settings, hours_between(self.began, now), now)
            return
        stored = database.run(lambda transaction: self._stored(transaction, hours))
        if not stored:
            rebuild(database, settings, now)
            return
        rows = [row for row in rows_of(counts, stored) if any(row[1:])]
        database.run(lambda transaction: hourly_stats.add(transaction, rows, now))
        # Who is active now takes a look at all recent orders: the sweep takes it, within the hour.
        database.run(lambda transaction: hourly_stats.note_change(transaction, self.began, now))

    def _stored(self, transaction: Transaction, hours: Sequence[datetime]) -> Sequence[datetime]:
        """Return the hours that are stored, if these are the first of all, and hold all that was stored before."""
        measured = hourly_stats.measured(transaction, hours[0], hours[-1])
        if measured is None or measured.last > self.began:
            return ()
        if imports.unfinished(transaction, measured.first, self.began):
            return ()
        stored = hours[: measured.number]
        return stored if stored[-1] == measured.newest else ()
