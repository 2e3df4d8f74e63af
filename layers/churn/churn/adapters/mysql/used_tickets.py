"""Table `used_tickets`: the tickets and codes that were used, each of which counts once."""

from churn.adapters.mysql.database import Transaction
from churn.domain.errors import ConflictError

# Far longer than a ticket or a code lives.
_MEMORY_MINUTES = 60


class TicketUsedError(ConflictError):
    """The ticket, or the code, has been used before."""


def use(transaction: Transaction, ticket_id: str) -> None:
    """Note that a ticket or a code is used. Raises TicketUsedError if it was used before."""
    transaction.execute("DELETE FROM used_tickets WHERE expires_at < UTC_TIMESTAMP(3) LIMIT 1000")
    if not transaction.execute(
        "INSERT IGNORE INTO used_tickets (ticket_id, expires_at) "
        f"VALUES (%s, UTC_TIMESTAMP(3) + INTERVAL {_MEMORY_MINUTES} MINUTE)",
        (ticket_id,),
    ):
        raise TicketUsedError
