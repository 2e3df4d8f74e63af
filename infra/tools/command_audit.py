"""Commands leave entries in the audit trail, as requests do: who did what, and when."""

import getpass
import os
from datetime import UTC, datetime

from churn.adapters.mysql import Database, audit
from churn.adapters.mysql.server_errors import StatementRefusedError
from churn.domain.audit import AuditAction, AuditEntry
from churn.settings import Settings

_LONGEST_NAME = 200


def operator() -> str:
    """Return who gives commands: `OPERATOR`, else the operating system's user."""
    return f"{(os.environ.get('OPERATOR') or getpass.getuser())[:_LONGEST_NAME]} (command line)"


def note(settings: Settings, command: str, thing: str | None = None, *, action: AuditAction = "change") -> None:
    """Store the entry of a command before it begins, so that nothing is done without one.

    `thing`: what it is done to, in ASCII. A command that needs no database, as for a token, may have none to note it
    in. Raises DatabaseUnavailableError, StatementRefusedError.
    """
    if not settings.database_url:
        return
    entry = AuditEntry(datetime.now(UTC), operator(), None, action, f"command:{command}", object=thing)
    database = Database(settings.database_url)
    try:
        audit.append(database, entry)
    except StatementRefusedError as error:
        raise StatementRefusedError(
            error.kind, error.code, f"nothing was done, as the audit trail cannot hold an entry for it: {error}"
        ) from error
    finally:
        database.close()
