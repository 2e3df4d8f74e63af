"""An audit trail in memory."""

from collections.abc import Callable

from churn.adapters.mysql import Database
from churn.domain.audit import AuditEntry
from churn.services.audit_trail import AuditTrail, AuditTrailUnavailableError
from churn.settings import Settings

_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-test-knows-this-key-of-32-bytes"})


class KeptTrail(AuditTrail):
    """Keeps entries, or refuses them like a trail whose database is away."""

    def __init__(self) -> None:
        super().__init__(lambda: Database("mysql://nobody@127.0.0.1:1/none"), _SETTINGS)
        self.entries: list[AuditEntry] = []
        self.is_down = False

    def store(self, make: Callable[[], AuditEntry], *, is_needed: bool) -> None:
        """Keep the entry. Raises AuditTrailUnavailableError."""
        if not self.is_down:
            self.entries.append(make())
        elif is_needed:
            raise AuditTrailUnavailableError("away")
