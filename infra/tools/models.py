"""`make models`, `make promote VERSION=…`, `make rollback`, `make sign-models`: versions, and which of them serves."""

import argparse
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from churn.adapters.mysql import Database, DatabaseUnavailableError, StatementRefusedError
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model import BrokenModelError
from churn.domain.model_versions import (
    ModelRegistry,
    NoPreviousVersionError,
    NotPromotableError,
    PromotionState,
    RegistryUnavailableError,
    VersionNotFoundError,
)
from churn.services.promotions import record_promotion
from churn.variables import InvalidSettingsError
from infra import console
from infra.tools.command_audit import note, operator
from infra.tools.console_logs import readable_logs
from infra.tools.stack_environment import NotRunningError, use_stack


@readable_logs()
def main(arguments: list[str]) -> int:
    """Run the command; return 0, or 1 with a sentence on the screen if it cannot be done."""
    options = _arguments(arguments)
    try:
        settings = use_stack("MODEL_BUCKET")
        registry = S3ModelRegistry.of(settings)
        by, now = operator(), datetime.now(UTC)
        if options.command != "list":
            note(settings, options.command, options.version if options.command == "promote" else None)
        if options.command == "list":
            print(table(registry))
        elif options.command == "promote":
            reason, force = options.force or options.reason, bool(options.force)
            _print_current(registry.promote(options.version, by=by, reason=reason, now=now, force=force))
        elif options.command == "sign":
            print(f"signed: {', '.join(registry.sign()) or 'no version, as all that are whole were signed before'}")
        else:
            _print_current(registry.roll_back(by=by, reason=options.reason, now=now))
        if options.command != "list" and settings.database_url:
            with closing(Database(settings.database_url)) as database:
                record_promotion(database, registry)
    except NotPromotableError as error:
        print(f'not promoted: {error} Promote it all the same with FORCE="why".', file=sys.stderr)
        return 1
    except VersionNotFoundError:
        print("there is no such version: 'make models' lists them", file=sys.stderr)
        return 1
    except (
        InvalidSettingsError,
        BrokenModelError,
        NotRunningError,
        NoPreviousVersionError,
        RegistryUnavailableError,
        DatabaseUnavailableError,
        StatementRefusedError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def table(registry: ModelRegistry[Any]) -> str:
    """Return the versions, the newest first, each with its figures and its role; then the newest promotions."""
    state = registry.promotion_state()
    roles = {state.challenger: "challenger", state.version: "serves"}
    lines = [f"{'version':32}{'':12}{'source':10}{'ROC AUC':>9}{'Brier':>9}  gate"]
    for version in registry.versions():
        try:
            metadata = registry.describe(version)
        except BrokenModelError as error:
            lines.append(f"{version:32}{roles.get(version, ''):12}{error}")
            continue
        figures = metadata.get("metrics", {}).get("forest", {})
        auc, brier = (_figure(figures.get(name)) for name in ("auc", "brier"))
        role, source = roles.get(version, ""), metadata.get("source", "")
        lines.append(f"{version:32}{role:12}{source:10}{auc:>9}{brier:>9}  {_gate(metadata.get('gate'))}")
    lines += ["", "which version serves, the newest change first:"] if state.history else []
    lines += [
        f"{(promotion.at or 'earlier')[:19]:21}{promotion.version}  {promotion.by or ''}"
        f"{f', back from {promotion.rolled_back}' if promotion.rolled_back else ''}"
        f"{', forced' if promotion.forced else ''}{f': {promotion.reason}' if promotion.reason else ''}"
        for promotion in reversed(state.history[-10:])
    ]
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _gate(gate: dict[str, object] | None) -> str:
    if gate is None:
        return "not known"
    against = f" against {gate['compared_with']}" if gate.get("compared_with") else ""
    return f"{'passed' if gate.get('passed') else 'not passed'}{against}"


def _print_current(state: PromotionState) -> None:
    print(f"{state.version} serves, within a minute everywhere")


def _arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the versions, and which of them serves")
    promote = commands.add_parser("promote", help="make a version serve")
    promote.add_argument("version")
    promote.add_argument("--reason")
    promote.add_argument("--force", metavar="WHY", help="although its gate did not pass")
    commands.add_parser("rollback", help="make the version before serve again").add_argument("--reason")
    commands.add_parser("sign", help="sign all that was published before MODEL_SIGNING_KEY was set, as it is now")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
