"""Where it is noted who does what, as it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters import secrets_manager
from churn.domain.errors import ChurnError, UnavailableError
from churn.domain.tombstones import Tombstones
from churn.observability import count_alone, logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from churn.adapters.mysql import Database
    from churn.domain.audit import AuditEntry
    from churn.settings import Settings


class AuditTrailUnavailableError(UnavailableError):
    """An entry cannot be stored, and so what it would tell is not done."""

    dependency = "audit trail"


class AuditTrail:
    """The audit trail of a function."""

    def __init__(self, database: Callable[[], Database], settings: Settings) -> None:
        """`database` gives the one of the function's requests, when it is first needed."""
        self._database = database
        self._tombstones = Tombstones(lambda: secrets_manager.resolve(settings.erasure_key))

    def hmac_of(self, customer_id: str) -> str:
        """Return by what a customer is named. Raises SecretUnavailableError."""
        return self._tombstones.hmac_of(customer_id)

    def store(self, make: Callable[[], AuditEntry], *, is_needed: bool) -> None:
        """Store an entry. If that fails, raise AuditTrailUnavailableError where it is needed, else log it."""
        # A prediction for features alone needs no database, so it is spared the import.
        from churn.adapters.mysql import audit  # noqa: PLC0415

        entry = None
        try:
            entry = make()
            audit.append(self._database(), entry)
        except ChurnError as error:
            if is_needed:
                raise AuditTrailUnavailableError(str(error)) from error
            count_alone("AuditEntriesLost")
            logger.exception(
                "an entry of the audit trail could not be stored", extra={"entry": entry and entry.to_dict()}
            )
