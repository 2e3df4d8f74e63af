"""`make audit-verify`: whether the audit trail is as it was written."""

import argparse
import sys
from datetime import UTC, datetime

from churn.adapters.mysql import Database
from churn.domain.audit import AlteredTrailError, End
from churn.domain.errors import ChurnError
from churn.domain.timestamps import iso
from churn.services.audit import Verdict, verify
from infra import console
from infra.tools.stack_environment import NotRunningError, use_stack


def main(arguments: list[str]) -> int:
    """Verify the chain; return 0 if it holds, else 1 with what is wrong."""
    argparse.ArgumentParser(prog="make audit-verify", description=__doc__).parse_args(arguments)
    try:
        settings = use_stack("DATABASE_URL", "ERASURE_KEY")
        verdict = verify(Database(settings.database_url), settings, datetime.now(UTC))
    except AlteredTrailError as error:
        print(f"the chain is broken: {error}", file=sys.stderr)
        return 1
    except (ChurnError, NotRunningError) as error:
        print(f"error: the audit trail cannot be verified: {error}", file=sys.stderr)
        return 1
    wrong = _wrong(verdict)
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    if not wrong:
        print(f"the chain holds: links {verdict.begin.position + 1:,} to {verdict.end.position:,}")
        print(f"it was {'pruned' if verdict.begin.position else 'begun'} at {_at(verdict.begin)}")
        print(f"it was last complete at {_at(verdict.end)}")
        print(f"its last digest: {verdict.end.digest or 'none'}")
    return 1 if wrong else 0


def _at(end: End) -> str:
    return "no time" if end.at is None else iso(end.at)


def _wrong(verdict: Verdict) -> list[str]:
    found = []
    if verdict.broken is not None:
        position, entry_id, reason = verdict.broken
        entry = "" if entry_id is None else f" (entry {entry_id})"
        found.append(f"the chain is broken at link {position}{entry}: {reason}")
    if verdict.missed:
        found.append(f"entries that have no link, the first of them: {verdict.missed[0]}")
    if verdict.late:
        found.append(f"entries that came later than they say, the first of them: {verdict.late[0]}")
    return found


if __name__ == "__main__":
    console.run(main, sys.argv[1:])
