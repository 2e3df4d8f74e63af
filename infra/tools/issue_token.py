"""Print a token for the running local stack, or for the service whose JWT_SECRET is set."""

import argparse
import os
import sys

from churn.entrypoints.http.tokens import ROLES, issue
from infra.tools.stack_environment import NotRunningError, use_stack

_DAY = 86_400


def main() -> int:
    """The command line's entry."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.issue_token", description=__doc__)
    parser.add_argument("--role", choices=ROLES, default=os.environ.get("ROLE") or "read")
    parser.add_argument("--subject", default="local", help="who the client is: its rate limits are counted by it")
    parser.add_argument("--seconds", type=int, default=_DAY, help="how long the token holds")
    given = parser.parse_args()
    try:
        print(issue(use_stack("JWT_SECRET").jwt_secret, given.subject, given.role, given.seconds))
    except (NotRunningError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
