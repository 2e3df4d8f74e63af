"""Import of a shop's own history: ``python -m infra.tools.importer.command FILE [--kind orders|events|customers]``."""

import argparse
import csv
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Protocol

from churn.adapters.mysql import Database, DataRefusedError, StatementRefusedError
from churn.domain.customer import observed_kinds
from churn.domain.errors import DATA_ERRORS, UnavailableError
from churn.domain.events import Event
from churn.domain.identifiers import canonical
from churn.domain.values import storable
from churn.services import hourly_stats
from churn.services.current_model import CurrentModel, NoModelError
from churn.services.scoring import BatchResult, Scoring
from churn.settings import InvalidSettingsError
from infra import console
from infra.tools.console_logs import readable_logs
from infra.tools.importer.columns import KINDS
from infra.tools.importer.parser import History, Reject, read_history
from infra.tools.importer.readers import UnreadableFileError
from infra.tools.progress import Progress
from infra.tools.stack_environment import NotRunningError, use_stack

# Events a transaction: large enough for multi-row statements, small enough for a retry to be cheap.
EVENTS_A_TRANSACTION = 5000
# Surrogates, but for those that stand for a byte which is not UTF-8.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class EventSink(Protocol):
    """The part of `churn.services.scoring.Scoring` that an import needs."""

    def apply(self, events: Sequence[Event], *, now: datetime, raise_alerts: bool) -> BatchResult:
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


def import_events(scoring: EventSink, events: Iterable[Event], progress: Progress | None = None) -> Imported:
    """Store a history that is sorted by customer, without alerts; events that are stored already change nothing."""
    imported = Imported()
    last_customer = None
    for batch in batches(events, EVENTS_A_TRANSACTION):
        _import_batch(scoring, batch, imported)
        customers = {event.customer_id for event in batch}
        imported.customers += len(customers - {last_customer})
        last_customer = batch[-1].customer_id
        if progress:
            progress(imported.events + imported.repeated + imported.too_late + imported.refused)
    return imported


def _import_batch(scoring: EventSink, batch: Sequence[Event], imported: Imported) -> None:
    """Store a batch; one that fails for its data is halved down to the events that it fails for."""
    try:
        applied = scoring.apply(batch, now=datetime.now(UTC), raise_alerts=False)
    except (DataRefusedError, *DATA_ERRORS):
        if len(batch) == 1:
            imported.refused += 1
            return
        middle = len(batch) // 2
        _import_batch(scoring, batch[:middle], imported)
        _import_batch(scoring, batch[middle:], imported)
        return
    imported.events += applied.events
    imported.repeated += applied.repeated
    imported.too_late += applied.too_late


def write_rejects(path: Path, rejects: Sequence[Reject]) -> None:
    """Write the rejected lines: number, reason, and the line itself, with the very bytes that it has."""
    with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line", "reason", "text"))
        writer.writerows((reject.line, _written(reject.reason), _written(reject.text)) for reject in rejects)


def _written(text: str) -> str:
    return text if text.isascii() else _NO_BYTE.sub("\N{REPLACEMENT CHARACTER}", text)


@readable_logs()
def main(arguments: Sequence[str] | None = None) -> int:
    """Import the file of the command line; return 1 if nothing could be imported."""
    options = _parser().parse_args(arguments)
    try:
        return _import(options)
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
    settings = use_stack("DATABASE_URL", "ERASURE_KEY")
    path: Path = options.file
    with Progress(f"reading {path.name}, lines") as progress:
        history = read_history(
            path,
            options.kind,
            now=datetime.now(UTC),
            columns=dict(options.column),
            date_format=options.date_format,
            allowed=settings.allowed_customer_ids | set(options.allow_id),
            progress=progress,
        )
    if not history.lines:
        print(f"import: {path} holds no line to import", file=sys.stderr)
        return 1
    database = Database(settings.database_url)
    try:
        model = CurrentModel(settings)
        scoring = Scoring(database, model, settings, promoted_at=lambda: model.promoted_at)
        scoring.observe(observed_kinds(history.events))
        with Progress("importing, events", len(history.events)) as progress:
            imported = import_events(scoring, history.events, progress)
        if imported.events:
            hourly_stats.rebuild(database, settings, datetime.now(UTC))
    finally:
        database.close()
    _report(path, history, imported, time.monotonic() - began)
    return 1 if imported.refused or (history.rejects and not history.events) else 0


def _report(path: Path, history: History, imported: Imported, seconds: float) -> None:
    if history.columns:
        columns = ", ".join(f"{name} = {column}" for name, column in history.columns.items())
        print(f"columns: {storable(columns)}")
    print(
        f"{history.lines:,} lines read, {imported.events:,} events imported, {imported.repeated:,} already there, "
        f"{len(history.rejects):,} lines rejected; {imported.customers:,} customers; {seconds:.1f} s"
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
    for note in history.notes:
        print(note)
    if history.rejects:
        rejects = path.absolute().with_name(f"{path.name}.rejects.csv")
        try:
            write_rejects(rejects, history.rejects)
        except OSError as error:
            print(f"import: the rejected lines cannot be written: {error}", file=sys.stderr)
        else:
            print(f"the rejected lines, with their numbers and reasons: {rejects}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="import", description="Import a shop's own history. A second import changes nothing."
    )
    parser.add_argument("file", type=Path, help="CSV (.csv), JSON lines (.jsonl), both also .gz, or Parquet (.parquet)")
    parser.add_argument("--kind", choices=KINDS, default="orders", help="what a line is (default: orders)")
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        type=_column,
        metavar="FIELD=COLUMN",
        help="a column that is not found by its name, such as order_value=Betrag",
    )
    parser.add_argument("--date-format", help="form of the times where it is not ISO 8601, such as %%d/%%m/%%Y")
    parser.add_argument(
        "--allow-id",
        action="append",
        default=[],
        type=canonical,
        metavar="ID",
        help="a customer whose id looks as if there were none, such as 0 or null",
    )
    return parser


def _column(text: str) -> tuple[str, str]:
    name, sign, column = text.partition("=")
    if not (name and sign and column):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=COLUMN")
    return name.strip(), column


if __name__ == "__main__":
    console.run(main)
