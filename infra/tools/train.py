"""`make train`: a new model version from the stored histories or from a simulated shop, judged beside simpler ones."""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from churn.adapters.mysql import Database, DatabaseUnavailable
from churn.adapters.s3_registry import RegistryUnavailable, S3Registry, release
from churn.services.training import StoredHistories, model_in_use
from churn.settings import BadSettings
from churn.training import CannotTrain, Plan, Trained, report_html, table, train, train_or_begin
from infra.tools.console_logs import readable_logs
from infra.tools.simulator import sample_histories
from infra.tools.stack_environment import use_stack


@readable_logs()
def main(arguments: list[str]) -> int:
    """Train as the command line says; 0 when a model was written, 1 with a sentence on the screen when not."""
    given = _arguments(arguments)
    begun = time.monotonic()

    def progress(step: str) -> None:
        print(f"{time.monotonic() - begun:6.1f} s  {step}", flush=True)

    try:
        settings = use_stack()
        registry = None if given.out else S3Registry(settings.require("model_bucket").model_bucket)
        plan = Plan(
            horizon_days=given.horizon or settings.horizon_days,
            lookback_days=given.lookback or settings.inactivity_days,
            test_at=given.test_at,
            fit_at=tuple(given.fit_at or ()),
            embargo_days=settings.embargo_days if given.embargo is None else given.embargo,
            search=not given.quick,
            trees=100 if given.quick else 200,
            seed=given.seed,
        )
        now = datetime.now(UTC)
        current = model_in_use(registry) if registry else None
        version = settings.service_version
        trained: Trained
        if given.simulate:
            progress(f"simulating a shop of {given.simulate:,} customers")
            shop = sample_histories(given.simulate, now=now, seed=given.seed)
            trained = train(
                shop, now=now, plan=plan, current=current, source="sample", service_version=version, progress=progress
            )
        else:
            stored = StoredHistories(Database(settings.require("database_url").database_url))
            trained = train_or_begin(
                stored, now=now, plan=plan, current=current, service_version=version, progress=progress
            )
        print(table(trained.report))
        if registry is None:
            given.out.parent.mkdir(parents=True, exist_ok=True)
            # Whole or not at all: a process that reads the file meanwhile never sees half a model.
            part = given.out.with_name(given.out.name + ".part")
            part.write_bytes(trained.model.to_bytes())
            part.replace(given.out)
            print(f"wrote {trained.model.version} to {given.out}")
        else:
            page = report_html(trained.report)
            objections = release(registry, trained.model, by="make train", now=now, report=trained.report, html=page)
            if objections:
                print(f"published {trained.model.version} as the challenger, not promoted: {' '.join(objections)}")
            else:
                print(f"promoted {trained.model.version}")
        _write_texts(given, trained)
    except (BadSettings, CannotTrain, DatabaseUnavailable, RegistryUnavailable) as error:
        print(f"no model was trained: {error}", file=sys.stderr)
        return 1
    return 0


def _write_texts(given: argparse.Namespace, trained: Trained) -> None:
    """The report as a page, where a file for it is named, and the model card, unless the training was a quick one."""
    if given.report:
        given.report.write_text(report_html(trained.report), encoding="utf-8")
    if not given.quick and trained.held_out is not None:
        from infra.tools.model_card import model_card  # noqa: PLC0415 (pandas takes seconds to import)

        given.card.write_text(model_card(trained.report, trained.held_out), encoding="utf-8")
        print(f"wrote {given.card}")


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.train", description=__doc__)
    parser.add_argument("--simulate", type=int, metavar="N", help="train on a simulated shop of N customers")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the model to a file, not to the registry")
    parser.add_argument("--horizon", type=int, metavar="DAYS", help="days without an order that are churn")
    parser.add_argument("--lookback", type=int, metavar="DAYS", help="only who ordered in the last so many days")
    parser.add_argument("--test-at", type=_day, metavar="DATE", help="start of the window to test on")
    parser.add_argument("--fit-at", type=_day, metavar="DATE", action="append", help="a cut-off to fit at; repeatable")
    parser.add_argument("--embargo", type=int, metavar="DAYS", help="days free before the window tested on")
    parser.add_argument("--quick", action="store_true", help="no search, no intervals, no other models beside it")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as an HTML page here, too")
    parser.add_argument("--card", type=Path, metavar="FILE", default=Path("docs/model-card.md"))
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(arguments)


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
