"""Import of a shop's own history: ``python -m infra.tools.importer.command FILE [--kind orders|events|customers]``."""

import argparse
import csv
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from churn.adapters.mysql import Database, DataRefusedError, StatementRefusedError, imports
from churn.domain.customer import observed_kinds
from churn.domain.errors import DATA_ERRORS, UnavailableError
from churn.domain.events import Event
from churn.domain.identifiers import canonical
from churn.domain.values import storable
from churn.services.batch_result import BatchResult
from churn.services.current_model import CurrentModel, NoModelError
from churn.services.imported_hours import HourCounts, HourSpan
from churn.services.scoring import Scoring
from churn.settings import InvalidSettingsError, Settings
from infra import console
from infra.tools.console_logs import readable_logs
from infra.tools.importer.columns import KINDS
from infra.tools.importer.faults import DoubtError, UnreadableFileError
from infra.tools.importer.parser import History, Options, read_history
from infra.tools.importer.revisions import Replaced, as_revisions
from infra.tools.importer.staging import Reject
from infra.tools.importer.statuses import STATUS_CLASSES, StatusClass, plain_status
from infra.tools.importer.summary import describe_content, describe_file
from infra.tools.importer.times import zone_named
from infra.tools.progress import Progress
from infra.tools.stack_environment import NotRunningError, use_stack

# Events a transaction: large enough for multi-row statements, small enough for a retry to be cheap.
EVENTS_A_TRANSACTION = 5000
# Surrogates, but for those that stand for a byte which is not UTF-8.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class EventSink(Protocol):
    """The part of `churn.services.scoring.Scoring` that an import needs."""

    def apply(
        self, events: Sequence[Event], *, now: datetime, raise_alerts: bool, hours: HourSpan | None
    ) -> BatchResult:
        """Apply events in one transaction, each once by its identifier."""


@dataclass(slots=True)
class Imported:
    """The result of an import."""

    events: int = 0
    repeated: int = 0
    too_late: int = 0
    """Events from a time whose history was pruned."""
    customers: int = 0
    refused: int = 0
    """Events of customers whose stored data cannot be read."""
    replaced: Replaced = field(default_factory=Replaced)
    hours: HourCounts = field(default_factory=Counter)
    """What the import changes of the dashboard's hours."""

    @property
    def seen(self) -> int:
        """How many events the file had."""
        return self.events + self.repeated + self.too_late + self.refused


def batches(events: Iterable[Event], size: int) -> Iterator[list[Event]]:
    """Yield events that are sorted by customer, in batches of about `size` that split no customer who fits into one."""
    batch: list[Event] = []
    for _, group in groupby(events, key=lambda event: event.customer_id):
        customer_events = list(group)
        if batch and len(batch) + len(customer_events) > size:
            yield batch
            batch = []
        batch += customer_events
        while len(batch) > size:
            yield batch[:size]
            batch = batch[size:]
    if batch:
        yield batch


def import_events(
    scoring: EventSink,
    events: Iterable[Event],
    progress: Progress | None = None,
    prepare: Callable[[Sequence[Event]], Sequence[Event]] = lambda batch: batch,
    hours: HourSpan | None = None,
) -> Imported:
    """Store a history that is sorted by customer, without alerts; events that are stored already change nothing.

    `prepare` returns the events of a batch as they are to be stored; `hours` are those whose change is counted.
    """
    imported = Imported()
    last_customer = None
    for batch in batches(events, EVENTS_A_TRANSACTION):
        _import_batch(scoring, prepare(batch), hours, imported)
        customers = {event.customer_id for event in batch}
        imported.customers += len(customers - {last_customer})
        last_customer = batch[-1].customer_id
        if progress:
            progress(imported.seen)
    return imported


def _import_batch(scoring: EventSink, batch: Sequence[Event], hours: HourSpan | None, imported: Imported) -> None:
    """Store a batch; one that fails for its data is halved down to the events that it fails for."""
    try:
        applied = scoring.apply(batch, now=datetime.now(UTC), raise_alerts=False, hours=hours)
    except (DataRefusedError, *DATA_ERRORS):
        if len(batch) == 1:
            imported.refused += 1
            return
        middle = len(batch) // 2
        _import_batch(scoring, batch[:middle], hours, imported)
        _import_batch(scoring, batch[middle:], hours, imported)
        return
    imported.events += applied.events
    imported.repeated += applied.repeated
    imported.too_late += applied.too_late
    imported.hours.update(applied.hours)


def write_rejects(path: Path, rejects: Iterable[Reject]) -> None:
    """Write the rejected lines: number, reason, and the line itself, with the very bytes that it has."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "reason", "text"))
        writer.writerows((reject.line, _written(reject.reason), _written(reject.text)) for reject in rejects)


def _written(text: str) -> str:
    return text if text.isascii() else _NO_BYTE.sub("\N{REPLACEMENT CHARACTER}", text)


@readable_logs()
def main(arguments: Sequence[str] | None = None) -> int:
    """Import the file of the command line; return 1 if nothing could be imported, 2 if it can be read in two ways."""
    options = _parser().parse_args(arguments)
    try:
        return _import(options)
    except DoubtError as doubt:
        print(f"import: {doubt}", file=sys.stderr)
        return 2
    except (
        UnreadableFileError,
        NotRunningError,
        InvalidSettingsError,
        NoModelError,
        UnavailableError,
        StatementRefusedError,
    ) as error:
        print(f"import: {error}", file=sys.stderr)
        return 1


def _import(options: argparse.Namespace) -> int:
    began = time.monotonic()
    settings = use_stack(*(() if options.dry_run else ("DATABASE_URL", "ERASURE_KEY")))
    path: Path = options.file
    now = datetime.now(UTC)
    with Progress(f"reading {path.name}, lines") as progress:
        history = read_history(path, _reading(options, settings), now=now, progress=progress)
    with history:
        if not history.lines:
            print(f"import: {path} holds no line to import", file=sys.stderr)
            return 1
        for sentence in describe_file(history):
            print(sentence)
        imported = _dry_run(history) if options.dry_run else _store(path.name, history, settings, now)
        for sentence in describe_content(history):
            print(sentence)
        _report(history, imported, time.monotonic() - began, is_dry=options.dry_run)
        if not options.dry_run:
            _keep_rejects(path, history)
    return 1 if imported.refused or not imported.seen else 0


def _reading(options: argparse.Namespace, settings: Settings) -> Options:
    return Options(
        kind=options.kind,
        columns=dict(options.column),
        date_format=options.date_format,
        dates=options.dates,
        decimal=options.decimal,
        line=options.line,
        statuses={plain_status(word): kind for kind, word in options.status},
        sheet=options.sheet,
        encoding=options.encoding,
        zone=options.zone,
        allowed=settings.allowed_customer_ids | set(options.allow_id),
    )


def _dry_run(history: History) -> Imported:
    """Read all, store nothing."""
    imported = Imported()
    last_customer = None
    for event in history.events():
        imported.events += 1
        imported.customers += event.customer_id != last_customer
        last_customer = event.customer_id
    return imported


def _store(name: str, history: History, settings: Settings, began: datetime) -> Imported:
    database = Database(settings.database_url)
    try:
        model = CurrentModel(settings)
        scoring = Scoring(database, model, settings, promoted_at=lambda: model.promoted_at)
        hours = HourSpan.begin(database, settings, began)
        key = database.run(lambda transaction: imports.begin(transaction, storable(name), history.kind, began))
        if history.kind != "orders":
            scoring.observe(observed_kinds(history.events()))
        with Progress("importing, events", history.expected_events()) as progress:
            replaced = Replaced()
            now = datetime.now(UTC)
            imported = import_events(
                scoring,
                history.events(),
                progress,
                prepare=lambda batch: as_revisions(database, batch, now, replaced),
                hours=hours,
            )
            imported.replaced = replaced
        hours.store(database, settings, imported.hours, datetime.now(UTC))
        counts = {
            "file_lines": history.lines,
            "rejected": history.tally.rejects.total(),
            "events": imported.events,
            "repeated": imported.repeated,
            "too_late": imported.too_late,
            "refused": imported.refused,
            "customers": imported.customers,
        }
        database.run(lambda transaction: imports.end(transaction, key, counts, datetime.now(UTC)))
        return imported
    finally:
        database.close()


def _report(history: History, imported: Imported, seconds: float, *, is_dry: bool) -> None:
    did = "would be imported (nothing was stored)" if is_dry else "imported"
    print(
        f"{history.lines:,} lines read, {imported.events:,} events {did}, {imported.repeated:,} already there, "
        f"{history.tally.rejects.total():,} lines rejected; {imported.customers:,} customers; {seconds:.1f} s"
    )
    replaced = imported.replaced
    if replaced.smaller or replaced.larger or replaced.cancelled:
        print(
            f"replaced what was stored of orders: {replaced.smaller:,} have a smaller value, "
            f"{replaced.larger:,} a larger one ({-replaced.cents / 100:+,.2f} in all), "
            f"{replaced.cancelled:,} were cancelled"
        )
    if imported.too_late:
        print(
            f"{imported.too_late:,} events lie in a time whose history was deleted (RETENTION_DAYS_EVENTS): passed over"
        )
    if imported.refused:
        print(
            f"import: {imported.refused:,} events could not be stored: their customers' stored data cannot be read, "
            "which docs/deployment.md#customerspassedover cures; then import the file again",
            file=sys.stderr,
        )


def _keep_rejects(path: Path, history: History) -> None:
    """Write the rejected lines beside the file; without any, remove those of an import before."""
    rejects = path.absolute().with_name(f"{path.name}.rejects.csv")
    try:
        if history.tally.rejects:
            write_rejects(rejects, history.rejects())
            print(f"the rejected lines, with their numbers and reasons: {rejects}")
        else:
            rejects.unlink(missing_ok=True)
    except OSError as error:
        print(f"import: the rejected lines cannot be written: {error}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="import", description="Import a shop's own history. A second import changes nothing."
    )
    add = parser.add_argument
    add("file", type=Path, help="CSV, JSON, Parquet or xlsx, also packed by gzip or zip; what it is, its bytes tell")
    add("--kind", choices=KINDS, help="what a line is (default: what the header says, else orders)")
    add(
        *("--column",),
        **_MANY,
        type=_column,
        metavar="FIELD=COLUMN",
        help="a column that is not found by its name, such as order_value=Betrag",
    )
    add("--date-format", help="form of the times where it is no usual one, such as '%%d/%%m/%%Y %%Hh%%M'")
    add("--dates", choices=("dmy", "mdy"), help="whether the day or the month stands first, where no date tells")
    add("--decimal", choices=(".", ","), help="the decimal sign, where no amount tells")
    add("--line", choices=("order", "item", "total"), help="whether a line is an order, a part, or repeats its total")
    add(
        *("--status",),
        **_MANY,
        type=_status,
        metavar="CLASS=WORD",
        help="what a word for the state of an order means: counts, cancelled or never, as in cancelled=storniert",
    )
    add("--sheet", help="the sheet of an xlsx file (default: the first)")
    add("--encoding", help="the encoding of a text file (default: what its bytes tell), such as cp1250")
    add("--zone", type=_zone, default=UTC, help="the time zone of times that name none (default: UTC)")
    add(
        *("--allow-id",),
        **_MANY,
        type=canonical,
        metavar="ID",
        help="a customer whose id looks as if there were none, such as 0 or null",
    )
    add("--dry-run", action="store_true", help="say what would be done, and store nothing")
    return parser


_MANY: dict[str, Any] = {"action": "append", "default": []}


def _status(text: str) -> tuple[StatusClass, str]:
    name, sign, word = text.partition("=")
    for kind in STATUS_CLASSES:
        if sign and plain_status(word) and name.strip() == kind:
            return kind, word
    raise argparse.ArgumentTypeError(f"{text!r} is not CLASS=WORD with a class of {', '.join(STATUS_CLASSES)}")


def _zone(text: str) -> tzinfo:
    try:
        return zone_named(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _column(text: str) -> tuple[str, str]:
    name, sign, column = text.partition("=")
    if not (name and sign and column):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=COLUMN")
    return name.strip(), column


if __name__ == "__main__":
    console.run(main)
