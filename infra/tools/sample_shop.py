"""The sample shop: simulated customers and their history."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import Any

from churn.adapters.mysql import Database
from churn.domain.customer import observed_kinds
from churn.domain.errors import UnavailableError
from churn.domain.events import Event
from churn.domain.timestamps import iso, parse_timestamp, to_millis
from churn.services.current_model import CurrentModel, NoModelError
from churn.services.imported_hours import HourSpan
from churn.services.scoring import Scoring
from churn.variables import InvalidSettingsError
from infra import console
from infra.local.options import state_folder
from infra.tools.console_logs import readable_logs
from infra.tools.importer.storing import Imported, import_events
from infra.tools.progress import Progress
from infra.tools.simulator import SimulatedCustomer, simulate
from infra.tools.stack_environment import NotRunningError, use_stack

DAYS_OF_HISTORY = 540
_CUSTOMERS_WITH_EVERY_KIND = 100
_SEED = 1


def fill(
    scoring: Scoring, shop: Iterable[SimulatedCustomer], start: datetime, progress: Progress, hours: HourSpan
) -> Imported:
    """Store the customers' histories, without alerts; events that are stored already change nothing."""
    customers = iter(shop)
    first = list(islice(customers, _CUSTOMERS_WITH_EVERY_KIND))
    kinds = observed_kinds(event for customer in first for event in customer.events)
    # The shop sends every kind from its first day on, also where the first customers had none of it yet.
    scoring.observe(dict.fromkeys(kinds, to_millis(start)))
    return import_events(scoring, _events(chain(first, customers)), progress, hours)


@readable_logs()
def main(arguments: Sequence[str] | None = None) -> int:
    """Fill the shop; a second run adds nothing, and one after an interruption continues."""
    parser = argparse.ArgumentParser(prog="sample", description="Fill the shop with simulated customers.")
    parser.add_argument("--customers", type=int, default=5000)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        settings = use_stack("DATABASE_URL", "ERASURE_KEY")
        plan = _plan(state_folder(os.environ) / "sample.json")
        start, end = parse_timestamp(plan["start"]), parse_timestamp(plan["end"])
        database = Database(settings.database_url)
        try:
            model = CurrentModel(settings)
            scoring = Scoring(database, model, settings, promoted_at=lambda: model.promoted_at)
            hours = HourSpan.begin(database, settings, datetime.now(UTC))
            shop = simulate(options.customers, seed=_SEED, start=start, end=end)
            with Progress("filling the sample shop, events") as progress:
                filled = fill(scoring, shop, start, progress, hours)
            hours.store(database, settings, filled.hours, datetime.now(UTC))
        finally:
            database.close()
    except (NotRunningError, InvalidSettingsError, NoModelError, UnavailableError) as error:
        print(f"sample: {error}", file=sys.stderr)
        return 1
    print(
        f"sample shop: {filled.customers:,} customers, {filled.events:,} events stored, "
        f"{filled.repeated:,} already there; {time.monotonic() - began:.1f} s"
    )
    return 0


def _events(shop: Iterable[SimulatedCustomer]) -> Iterator[Event]:
    for customer in shop:
        yield from customer.events


def _plan(path: Path) -> dict[str, Any]:
    """Return when the shop's history begins and ends: as in an earlier run, so that the same events come again."""
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        end = datetime.now(UTC).replace(microsecond=0)
        plan = {"start": iso(end - timedelta(days=DAYS_OF_HISTORY)), "end": iso(end)}
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(plan), encoding="utf-8")
        part.replace(path)
    return plan


if __name__ == "__main__":
    console.run(main)
