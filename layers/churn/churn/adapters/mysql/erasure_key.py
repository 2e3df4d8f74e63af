"""Table `erasure_key`: by what the key is recognised that the tombstones were made with."""

from churn.adapters.mysql.database import Transaction
from churn.domain.errors import UnavailableError
from churn.domain.tombstones import Tombstones


class ErasureKeyChangedError(UnavailableError):
    """ERASURE_KEY is not the key that the stored tombstones were made with: every erased customer would come back."""

    dependency = "erasure key"


def check(transaction: Transaction, tombstones: Tombstones) -> None:
    """Store the key's fingerprint at its first use; raise ErasureKeyChangedError if another key was used before."""
    query = "SELECT fingerprint FROM erasure_key WHERE id = 1"
    stored = transaction.row(query)
    if stored is None:
        # Of two first users one waits for the other here.
        transaction.execute(
            "INSERT IGNORE INTO erasure_key (id, fingerprint) VALUES (1, %s)", (tombstones.fingerprint,)
        )
        stored = transaction.row(query)
    if stored is None or stored["fingerprint"] != tombstones.fingerprint:
        raise ErasureKeyChangedError(
            "ERASURE_KEY is not the key by which this database knows erased customers: give the one of before"
        )
