"""Orders are found by instant and number, whoever placed them, without reading others."""

import pytest

from churn.adapters.mysql import Database, Transaction, orders
from churn.domain.orders import Order
from churn.domain.timestamps import to_millis
from tests.support.events import NOW
from tests.support.plans import rows_of, watch_plans
from tests.support.sockets import add_customer

_AT = to_millis(NOW)


def test_an_order_is_looked_up_by_instant_and_number_alone(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [add_customer(database, f"C-{number}") for number in range(40)]
    placed = {
        (pk, f"{pk}-{number}"): Order(_AT - number % 7 * 86_400_000, 1000, None, None, None, None, None)
        for pk in keys
        for number in range(100)
    }
    database.run(lambda transaction: orders.write(transaction, placed.items()))
    wanted = {(order.placed_at or 0, number) for (_, number), order in placed.items() if number.endswith("-5")}
    plans = watch_plans(monkeypatch, lambda statement: "orders_by_placed" in statement)

    def work(transaction: Transaction) -> int:
        return len(orders.standing(transaction, wanted | {(_AT + 1, "none")}))

    assert database.run(work) == 40
    (row,) = [row for row in rows_of(plans) if row["table"] == "o"]
    assert (row["key"], row["type"]) == ("orders_by_placed", "ref")
    # By both: the instant and the number.
    assert len(row["ref"].split(",")) == 2
