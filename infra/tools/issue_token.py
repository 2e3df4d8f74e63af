"""Tokens and sign-in addresses for the running local stack, or for the service whose JWT_SECRET is set."""

import argparse
import json
import os
import sys

from churn.adapters.mysql import DatabaseUnavailableError, StatementRefusedError
from churn.domain.roles import ROLES
from churn.entrypoints.http.tokens import issue, sign_in_address
from infra import console
from infra.tools.command_audit import note
from infra.tools.stack_environment import NotRunningError, endpoints, use_stack

_MOST_HOURS = 24 * 366


def main() -> int:
    """Print a token, or an address that signs in; return 1 if there is no secret to sign it with."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.tools.issue_token",
        description="Print a token, or an address that signs in once within a minute, "
        "for the running local stack or for the service whose JWT_SECRET is set.",
    )
    parser.add_argument("--role", choices=ROLES, default=os.environ.get("ROLE") or "read")
    parser.add_argument(
        "--subject",
        default="local",
        help="who the client is: actions on alerts carry the name",
    )
    parser.add_argument("--hours", type=_hours, default=24.0, help="how long the token is valid, by default a day")
    parser.add_argument("--sign-in", action="store_true", help="print an address that signs in")
    parser.add_argument("--url", default="", help="where the service is, by default the local stack")
    options = parser.parse_args()
    try:
        settings = use_stack("JWT_SECRET")
        secret = settings.jwt_secret
        if options.sign_in:
            text = sign_in_address(_base_url(options.url), secret, options.subject, options.role)
        else:
            text = issue(secret, options.subject, options.role, round(3600 * options.hours))
        # A name in another script is told as JSON writes it.
        note(settings, "sign-in" if options.sign_in else "token", json.dumps([options.subject, options.role]))
        print(text)
    except (NotRunningError, ValueError, DatabaseUnavailableError, StatementRefusedError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours <= _MOST_HOURS:
        raise argparse.ArgumentTypeError(f"must be more than 0, and at most {_MOST_HOURS}")
    return hours


def _base_url(named: str) -> str:
    """Return the service's address. Raises NotRunningError if none is named and no local stack runs."""
    url = named or str(endpoints().get("base_url", ""))
    if not url:
        raise NotRunningError("no local stack runs: start one with 'make up', or name the service's URL")
    return url.rstrip("/")


if __name__ == "__main__":
    console.run(main)
