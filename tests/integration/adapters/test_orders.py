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


def test_a_field_that_no_order_of_a_batch_has_any_more_is_stored_as_unknown(database: Database) -> None:
    pk = add_customer(database, "C-1")
    whole = Order(_AT, 1000, True, _AT + 1, _AT + 2, _AT + 3, _AT + 4)

    def store(**versions: Order) -> None:
        pairs = [((pk, order_id), order) for order_id, order in versions.items()]
        database.run(lambda transaction: orders.write(transaction, pairs))

    store(a=whole, b=whole)
    store(a=Order(_AT, None), c=Order(None, 0, None, _AT))
    found = database.run(lambda transaction: orders.of_customers(transaction, [pk]))
    assert found == {pk: {"a": Order(_AT, None), "b": whole, "c": Order(None, 0, None, _AT)}}
