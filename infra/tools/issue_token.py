"""Tokens for the running local stack, or for the service whose JWT_SECRET is set."""

import argparse
import os
import sys

from churn.entrypoints.http.tokens import ROLES, issue
from infra import console
from infra.tools.stack_environment import NotRunningError, use_stack

_DAY = 86_400


def main() -> int:
    """Print a token; return 1 if there is no secret to sign it with."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.tools.issue_token",
        description="Print a token for the running local stack, or for the service whose JWT_SECRET is set.",
    )
    parser.add_argument("--role", choices=ROLES, default=os.environ.get("ROLE") or "read")
    parser.add_argument(
        "--subject",
        default="local",
        help="who the client is: actions on alerts carry the name",
    )
    parser.add_argument("--seconds", type=int, default=_DAY, help="how long the token is valid")
    options = parser.parse_args()
    try:
        print(issue(use_stack("JWT_SECRET").jwt_secret, options.subject, options.role, options.seconds))
    except (NotRunningError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    console.run(main)
