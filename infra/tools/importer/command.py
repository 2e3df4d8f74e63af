"""The command that imports a shop's own history."""

import argparse
import csv
import hashlib
import re
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from churn.adapters.mysql import Database, imports, orders, totals
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.customer import observed_kinds
from churn.domain.identifiers import canonical
from churn.domain.model import PURCHASE_PROCESS, kind_of
from churn.domain.values import storable
from churn.services.batch_result import BatchResult
from churn.services.current_model import CurrentModel
from churn.services.imported_hours import HourSpan
from churn.services.process_update import bring_up_to_now
from churn.services.rescoring import sweep
from churn.services.scoring import Scoring
from churn.services.training_runs import StoredHistories, begin_without_labels, model_in_use
from churn.settings import Settings
from churn.training import Histories, Plan, table
from infra import console
from infra.tools.command_audit import note
from infra.tools.console_logs import readable_logs
from infra.tools.importer.columns import KINDS
from infra.tools.importer.event_figures import told_types, unknown_types
from infra.tools.importer.faults import DoubtError, UnreadableFileError
from infra.tools.importer.history import History, Options
from infra.tools.importer.interrupted import INTERRUPTED, TERMINATED, Reached, TerminatedError, stoppable
from infra.tools.importer.parser import read_history
from infra.tools.importer.replaced import describe_replaced
from infra.tools.importer.staging import Reject
from infra.tools.importer.statuses import STATUS_CLASSES, StatusClass, plain_status
from infra.tools.importer.storing import (
    EXPECTED_ERRORS,
    EventStore,
    Imported,
    Processes,
    StoringFailedError,
    collect_seldom,
    processes_for,
)
from infra.tools.importer.summary import describe_content, describe_file
from infra.tools.importer.tallies import Occurrences
from infra.tools.importer.times import zone_named
from infra.tools.progress import Progress
from infra.tools.stack_environment import NotRunningError, use_stack

_TYPES = "docs/events.md lists those that it knows: rename them in the file; nothing was stored"
_SHARE_FITTED_AGAIN = 0.01
# Surrogates, but for those that stand for a byte which is not UTF-8.
_NO_BYTE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


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
    """Import the file of the command line; return 1 if nothing could be imported, 2 if it can be read in two ways.

    More than 128 if a signal ended it.
    """
    options = _parser().parse_args(arguments)
    reached = Reached()
    try:
        with stoppable():
            return _import(options, reached)
    except KeyboardInterrupt as end:
        # A terminal shows ^C at the beginning of the line.
        begin = "\n" if sys.stderr.isatty() else ""
        print(f"{begin}import: {reached.sentence()}", file=sys.stderr)
        return TERMINATED if isinstance(end, TerminatedError) else INTERRUPTED
    except DoubtError as doubt:
        print(f"import: in doubt, so nothing was stored: {doubt}", file=sys.stderr)
        return 2
    except (UnreadableFileError, NotRunningError, StoringFailedError, *EXPECTED_ERRORS) as error:
        print(f"import: {error}", file=sys.stderr)
        return 1


def _import(options: argparse.Namespace, reached: Reached) -> int:
    began = time.monotonic()
    settings = use_stack(*(() if options.dry_run else ("DATABASE_URL", "ERASURE_KEY")))
    path: Path = options.file
    now = datetime.now(UTC)
    with Processes() as processes, _read(options, settings, now, processes) as history:
        if not history.lines:
            print(f"import: {path} holds no line to import", file=sys.stderr)
            return 1
        for sentence in describe_file(history):
            print(sentence)
        types = history.tally.types
        if types and (unknown := unknown_types(types)) == types:
            told = storable(told_types(unknown))
            print(f"import: the service knows none of the file's types of events: {told}; {_TYPES}", file=sys.stderr)
            return 1
        if not options.dry_run:
            # The file's name may be that of a customer; the list of imports has it.
            note(settings, "import", action="intake")
        imported = _dry_run(history) if options.dry_run else _store(path, history, settings, now, reached, processes)
        for sentence in describe_content(history):
            print(sentence)
        _report(history, imported, time.monotonic() - began, is_dry=options.dry_run)
        if not options.dry_run:
            _keep_rejects(path, history)
    return 1 if imported.refused or not imported.seen else 0


def _read(options: argparse.Namespace, settings: Settings, now: datetime, processes: Processes) -> History:
    """Read the file; the processes that are to store a long one start meanwhile."""
    with Progress(f"reading {options.file.name}, lines") as progress:

        def shown(lines: int, share: float | None) -> None:
            progress(lines, share)
            if not options.dry_run:
                # Each line is read twice.
                processes.start(processes_for(lines // 2))

        return read_history(options.file, _reading(options, settings), now=now, progress=shown)


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
        list_name=options.list,
        zone=options.zone,
        allowed=settings.allowed_customer_ids | set(options.allow_id),
    )


def _dry_run(history: History) -> Imported:
    """Read all, store nothing."""
    imported = Imported()
    for _, own in groupby(history.events(), key=attrgetter("customer_id")):
        imported.customers += 1
        with closing(Occurrences()) as seen:
            for event in own:
                # Orders have an id each.
                is_repeated = history.kind != "orders" and seen.add(hash(event.event_id)) > 0
                imported.repeated += is_repeated
                imported.events += not is_repeated
    return imported


def _store(
    path: Path, history: History, settings: Settings, began: datetime, reached: Reached, processes: Processes
) -> Imported:
    database = Database(settings.database_url)
    try:
        # A simulated shop's model serves no shop with orders of its own.
        if history.kind != "customers":
            _begin_model([], settings, began)
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        name = storable(path.name)
        is_known = database.run(lambda transaction: imports.is_known(transaction, name, history.lines, content))
        again = content if _tells_cancellations(history) and not is_known else None
        may_have_moved = database.run(orders.is_any) and history.numbers_are_the_shops
        hours = HourSpan.begin(database, settings, began)
        store = EventStore(database, settings, hours, again, may_have_moved=may_have_moved)
        key = database.run(lambda transaction: imports.begin(transaction, name, history.kind, began, content))
        if history.kind != "orders":
            store.scoring.observe(observed_kinds(history.events()))
        expected = reached.expected = history.expected_events()
        reached.phase = "storing"
        with Progress("importing, events", expected) as progress:
            events, count = history.events(with_voids=True), reached.counting(progress)
            imported = store.add_all(events, count, processes, processes_for(expected))
        reached.phase = "scoring"
        store.hours.store(database, settings, imported.hours, datetime.now(UTC))
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
        stored = StoredHistories(database)
        if stored.source == "history" and (
            _begin_model(stored, settings, datetime.now(UTC))
            or (_touches_many(database, imported) and _fit_again(database, settings))
        ):
            _score_again(database, settings)
        return imported
    finally:
        database.close()


def _tells_cancellations(history: History) -> bool:
    """Return whether an order that the file does not show as cancelled stands: not if refunds are entries."""
    has_entries = history.format is not None and history.format.refund_types is not None
    return not has_entries and not {"status", "cancelled"}.isdisjoint(history.columns)


def _begin_model(histories: Histories, settings: Settings, now: datetime) -> bool:
    """Let a purchase process serve in place of a simulated shop's model, of what is usual for shops, or of none.

    Returns whether it serves from now on.
    """
    if not settings.model_bucket:
        return False
    plan = Plan(settings.horizon_days, settings.inactivity_days, settings.embargo_days)
    registry = S3ModelRegistry.of(settings)
    released = begin_without_labels(
        histories, registry, plan=plan, now=now, service_version=settings.service_version, by="make import"
    )
    if released is not None:
        print(f"{table(released.trained.report)}; it serves from now on, and 'make train' trains a forest")
    return released is not None


def _touches_many(database: Database, imported: Imported) -> bool:
    """Return whether so many customers have new events that what was fitted before says little of the shop.

    For fewer the nightly update is soon enough: a small file must not take the time of scoring all customers.
    """
    sums = database.run(lambda transaction: totals.read(transaction, "customers:"))
    return imported.events > 0 and imported.customers >= _SHARE_FITTED_AGAIN * sums.total()


def _fit_again(database: Database, settings: Settings) -> bool:
    """Bring a purchase process that serves up to what was imported; a forest knows more and waits for its training.

    Returns whether a new version serves from now on.
    """
    if not settings.model_bucket:
        return False
    registry = S3ModelRegistry.of(settings)
    in_use = model_in_use(registry)
    if in_use is None or kind_of(in_use.model.metadata) != PURCHASE_PROCESS:
        return False
    version = bring_up_to_now(database, registry, settings, now=datetime.now(UTC))["version"]
    if version is not None:
        print(f"the purchase process that serves was fitted to all orders again: version {version}")
    return version is not None


def _score_again(database: Database, settings: Settings) -> None:
    """Score every customer by the version that serves now, so that no figure mixes it with the one before."""
    model, now = CurrentModel(settings, shadow=True), datetime.now(UTC)
    scoring = Scoring(database, model, settings, lambda: model.challenger, promoted_at=lambda: model.promoted_at)
    scored = 0
    with Progress("scoring by the version that serves now, customers") as progress:

        def done(page: BatchResult) -> None:
            nonlocal scored
            scored += page.rescored
            progress(scored)

        swept = sweep(scoring, now=now, time_left=lambda: True, done=done)
    print(f"{swept.scored:,} customers were scored by it")


def _report(history: History, imported: Imported, seconds: float, *, is_dry: bool) -> None:
    did = "would be imported (nothing was stored)" if is_dry else "imported"
    print(
        f"{history.lines:,} lines read, {imported.events:,} events {did}, {imported.repeated:,} already there, "
        f"{history.tally.rejects.total():,} lines rejected; {imported.customers:,} customers; {seconds:.1f} s"
    )
    if history.kind == "events" and imported.conflicting:
        print(
            f"WARNING: {imported.conflicting:,} events have the id of an earlier one with another content: "
            "the earlier one counts"
        )
    for sentence in describe_replaced(imported.replaced):
        print(sentence)
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
        help="a column that is not found by its name, such as order_value=Betrag; order_value= is of a file without",
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
    add("--list", metavar="NAME", help="the list of JSON that has the records, where an object has several")
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
    if not (name.strip() and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIELD=COLUMN")
    return name.strip(), column


if __name__ == "__main__":
    collect_seldom()
    console.run(main)
