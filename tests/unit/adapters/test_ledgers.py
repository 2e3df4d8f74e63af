"""What a transaction's ledgers look up."""

from typing import cast

from churn.adapters.mysql.database import Row, Transaction
from churn.adapters.mysql.orders import Ledgers


class _Counting:
    """A transaction that counts its statements, and whose orders nobody has stored."""

    def __init__(self) -> None:
        self.statements = 0

    def rows(self, *_: object) -> list[Row]:
        self.statements += 1
        return []


def test_orders_that_were_read_together_are_not_asked_for_again() -> None:
    transaction = _Counting()
    ledgers = Ledgers(cast("Transaction", transaction))
    pairs = [(number, f"A-{number}") for number in range(100)]
    ledgers.load(pairs)
    asked = transaction.statements
    assert [ledgers.get(*pair) for pair in pairs] == [None] * 100
    assert transaction.statements == asked
    ledgers.get(1000, "B")
    assert transaction.statements == asked + 1
