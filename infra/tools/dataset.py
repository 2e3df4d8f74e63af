"""Write what a version is trained and tested on to a Parquet file: features, label, cut-off and split."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError
from churn.domain.events import Event
from churn.domain.features import INPUT_NAMES
from churn.domain.timestamps import from_millis
from churn.services.training_runs import StoredHistories
from churn.training import CannotTrainError, Histories, Plan
from churn.training.snapshots import Progress, Snapshots, cut_offs, scan_histories, take_snapshots
from churn.variables import InvalidSettingsError
from infra import console
from infra.tools.command_audit import note
from infra.tools.stack_environment import NotRunningError, use_stack
from infra.tools.window_options import add_window_options, windows_of


def main(arguments: list[str]) -> int:
    """Write the file that the command line names; return 0 when it is written, else 1 with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.dataset", description=__doc__)
    parser.add_argument("file", type=Path, help="the Parquet file to write")
    add_window_options(parser)
    parser.add_argument("--ids", action="store_true", help="name customers by their ids, not by hashes of them")
    options = parser.parse_args(arguments)
    try:
        settings = use_stack("DATABASE_URL")
        plan = Plan(**windows_of(options, settings))
        note(settings, "dataset", action="export")
        histories = StoredHistories(Database(settings.database_url))
        table = dataset(histories, now=datetime.now(UTC), plan=plan, with_ids=options.ids, progress=print)
        part = options.file.with_name(options.file.name + ".part")
        pyarrow.parquet.write_table(table, part)
        part.replace(options.file)
    except (
        NotRunningError,
        InvalidSettingsError,
        CannotTrainError,
        DatabaseUnavailableError,
        StatementRefusedError,
        OSError,
    ) as error:
        print(f"no file was written: {error}", file=sys.stderr)
        return 1
    print(f"wrote {table.num_rows:,} snapshots to {options.file}")
    return 0


def dataset(
    histories: Histories,
    *,
    now: datetime,
    plan: Plan,
    with_ids: bool = False,
    progress: Progress = lambda _: None,
) -> pyarrow.Table:
    """Return the snapshots that `train` would take, a row each, in the order of their cut-offs.

    `customer` is the beginning of the SHA-256 of the id, or the id itself (`with_ids`); `fold` is the customer's part
    where customers are split. What is not known is null. Raises CannotTrainError as `train` does.
    """
    named = _Named(histories)
    extent = scan_histories(named, now, progress)
    *learned, held_out = take_snapshots(named, cut_offs(extent, plan), extent, plan, progress)
    names = named.ids if with_ids else [sha256(one.encode()).hexdigest()[:16] for one in named.ids]
    return pyarrow.concat_tables(
        [*(_rows(window, "learned", names) for window in learned), _rows(held_out, "held_out", names)]
    )


class _Named:
    """Histories, and the customers' ids as of the newest iteration: those that are stored meanwhile change no place."""

    def __init__(self, histories: Histories) -> None:
        self._histories = histories
        self.ids: list[str] = []

    def __iter__(self) -> Iterator[tuple[str, Sequence[Event]]]:
        self.ids = []
        for customer_id, events in self._histories:
            self.ids.append(customer_id)
            yield customer_id, events


def _rows(window: Snapshots, split: str, names: Sequence[str]) -> pyarrow.Table:
    inputs, count = window.inputs, len(window.places)
    columns = {
        "customer": pyarrow.array([names[place] for place in window.places], pyarrow.string()),
        "fold": pyarrow.array(window.folds),
        "cut_off": pyarrow.array([from_millis(window.cut_off)] * count, pyarrow.timestamp("ms", "UTC")),
        "split": pyarrow.array([split] * count, pyarrow.string()),
        **{
            # `from_pandas` makes NaN null.
            name: pyarrow.array(column, pyarrow.float64(), from_pandas=True)
            for name, column in zip(INPUT_NAMES, inputs.T, strict=True)
        },
        "churned": pyarrow.array(window.churned),
        "days_with_order_after": pyarrow.array(np.array(window.ordered, dtype=np.int64)),
        "spent_after": pyarrow.array(np.array(window.spent), pyarrow.float64(), from_pandas=True),
    }
    return pyarrow.table(columns)


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
