"""Train a new model version from the stored histories or a simulated shop, and compare it with simpler models."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model import BrokenModelError
from churn.domain.model_versions import RegistryUnavailableError
from churn.ml.loading import read_model
from churn.services.promotions import record_promotion
from churn.services.training_runs import Source, StoredHistories, model_in_use, release_version
from churn.settings import Settings
from churn.training import CannotTrainError, Plan, Trained, report_html, table, train_or_begin
from churn.variables import InvalidSettingsError
from infra import console
from infra.tools.command_audit import note, operator
from infra.tools.console_logs import readable_logs
from infra.tools.simulator import sample_histories
from infra.tools.stack_environment import use_stack
from infra.tools.window_options import add_window_options, windows_of


@readable_logs()
def main(arguments: list[str]) -> int:
    """Train as the command line says; return 0 when a model was written, else 1 with a sentence on the screen."""
    options = _arguments(arguments)
    if options.check:
        return _check(options.check)
    begun = time.monotonic()

    def progress(step: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)

    try:
        _train(options, use_stack(), progress)
    except (
        InvalidSettingsError,
        CannotTrainError,
        DatabaseUnavailableError,
        RegistryUnavailableError,
        StatementRefusedError,
    ) as error:
        print(f"no model was trained: {error}", file=sys.stderr)
        return 1
    return 0


def _train(options: argparse.Namespace, settings: Settings, progress: Callable[[str], None]) -> None:
    registry = None
    if not options.out:
        registry = S3ModelRegistry.of(settings.require("model_bucket"))
    now = datetime.now(UTC)
    histories: Any
    source: Source = "history"
    if options.prior:
        histories = []
    elif options.simulate:
        source = "sample"
        progress(f"simulating a shop of {options.simulate:,} customers")
        histories = sample_histories(options.simulate, now=now, seed=options.seed)
    else:
        note(settings, "train")
        progress("reading the stored histories")
        histories = StoredHistories(Database(settings.require("database_url").database_url))
        source = histories.source
    trained = train_or_begin(
        histories,
        current=model_in_use(registry) if registry else None,
        plan=_plan(options, settings),
        now=now,
        service_version=settings.service_version,
        progress=progress,
        source=source,
    )
    print(table(trained.report))
    if registry is None:
        _write_model(trained, options.out)
    else:
        released = release_version(trained, registry, by=operator(), now=now)
        if settings.database_url:
            with closing(Database(settings.database_url)) as database:
                record_promotion(database, registry)
        if released.objections:
            reasons = " ".join(released.objections)
            print(f"published {trained.model.version} as the challenger, not promoted: {reasons}")
        else:
            print(f"promoted {trained.model.version}")
    _write_texts(options, trained)


def _plan(options: argparse.Namespace, settings: Settings) -> Plan:
    return Plan(
        **windows_of(options, settings),
        search=not options.quick,
        campaign=settings.campaign,
        trees=100 if options.quick else 200,
        seed=options.seed,
    )


def _write_model(trained: Trained, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # Whole or not at all: a process that reads the file meanwhile never sees half a model.
    part = file.with_name(file.name + ".part")
    part.write_bytes(trained.model.to_bytes())
    part.replace(file)
    print(f"wrote {trained.model.version} to {file}")


def _write_texts(options: argparse.Namespace, trained: Trained) -> None:
    """Write the report as a page and the model card, each if the command line asks for it."""
    if options.report:
        options.report.write_text(report_html(trained.report), encoding="utf-8")
    if options.card and trained.held_out is not None:
        from infra.tools.model_card import model_card  # noqa: PLC0415 (pandas takes seconds to import)

        options.card.write_text(model_card(trained.report, trained.held_out), encoding="utf-8")
        print(f"wrote {options.card}")


def _check(file: Path) -> int:
    try:
        print(f"{file} holds {read_model(file.read_bytes()).version}")
    except (BrokenModelError, OSError) as error:
        print(
            f"{file} holds no model that this code can serve: {error}; delete it to have one trained", file=sys.stderr
        )
        return 1
    return 0


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.train", description=__doc__)
    parser.add_argument("--simulate", type=int, metavar="N", help="train on a simulated shop of N customers")
    parser.add_argument("--prior", action="store_true", help="learn from nobody: what is usual for shops")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the model to FILE instead of the registry")
    add_window_options(parser)
    parser.add_argument(
        "--quick", action="store_true", help="no search for the forest's shape, no intervals, no baselines"
    )
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write the report as an HTML page")
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        nargs="?",
        const=Path("docs/model-card.md"),
        help="write the model card (docs/model-card.md by default); not with --quick",
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="FILE",
        help="check that FILE holds a model that this code can serve, and train nothing",
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    if options.card and options.quick:
        parser.error("--card needs a full training run, without --quick")
    return options


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
