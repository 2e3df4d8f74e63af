"""A shop that does not tell what its orders were worth: everything but money is known, and money is null."""

from itertools import product

from churn.adapters.mysql import Database, Transaction, hourly_stats, orders
from churn.adapters.redis_cache import Cache
from churn.domain.answers import Customer
from churn.domain.customer_record import CustomerSort, SortOrder
from churn.domain.timestamps import DAY, from_millis, to_millis
from churn.services.customers import CustomerQuery, Customers
from churn.services.dashboard import Dashboard
from churn.services.scoring import Scoring
from churn.settings import Settings
from tests.support.events import NOW, event, order
from tests.support.models import RecencyModel
from tests.support.stored import customer, kept_and_counted

_SETTINGS = Settings.from_environment({})


def _scored(database: Database) -> Scoring:
    scoring = Scoring(database, RecencyModel(), _SETTINGS)
    scoring.apply(
        [order(f"C-{number}", days_ago=age, value=None) for number in range(5) for age in (100, 10 + number)], now=NOW
    )
    return scoring


def test_money_is_null_of_a_customer_and_of_the_shop_and_all_else_is_known(database: Database) -> None:
    _scored(database)
    customers = Customers(database, _SETTINGS)
    (listed,) = customers.page(CustomerQuery(search="C-3"), NOW)["customers"]
    for shown in (listed, customers.get("C-3", NOW)):
        assert (shown["total_orders"], shown["days_since_last_order"]) == (2, 13)
        assert shown["churn_probability"] is not None
        assert shown["total_spent"] is shown["avg_order_value"] is None
        assert shown["expected_spend"] is shown["value_at_risk"] is shown["revenue_at_risk"] is None
        assert all(action["expected_value"] is None for action in shown["recommended_actions"])
    stats = Dashboard(database, Cache(""), _SETTINGS).stats(NOW)
    assert stats["revenue_at_risk"] is None
    assert stats["total_customers"] == 5


def test_the_sum_is_of_those_whose_value_is_known_as_soon_as_there_are_any(database: Database) -> None:
    scoring = _scored(database)
    scoring.apply([order("KNOWN", days_ago=20, value=30)], now=NOW)
    known = Customers(database, _SETTINGS).get("KNOWN", NOW)["value_at_risk"]
    assert known is not None
    assert Dashboard(database, Cache(""), _SETTINGS).stats(NOW)["revenue_at_risk"] == known
    # What was cancelled is no order any more: all that is left has a value.
    scoring.apply([event("order_cancelled", "C-1", order_id="L-1"), order("C-9", days_ago=5, value=None)], now=NOW)
    kept, counted = kept_and_counted(database)
    assert kept == counted


def test_orders_of_unknown_value_are_read_and_counted_by_statements_as_by_the_fold(database: Database) -> None:
    _scored(database)
    stored = customer(database, "C-2")
    at = to_millis(NOW)

    def look(transaction: Transaction) -> tuple[int | None, int, set[int]]:
        active = hourly_stats.active_customers(transaction, NOW, from_millis(30 * DAY) - from_millis(0), is_over=False)
        days = orders.days(transaction, [stored["id"]])[stored["id"]]
        return orders.typical_cents(transaction, stored["id"]), active, days

    typical, active, days = database.run(look)
    assert typical is None
    assert active == 5
    assert days == {(at - 100 * DAY) // DAY, (at - 12 * DAY) // DAY}
    assert [one.cents for one in next(orders.histories(database))] == [None, None]


def test_lists_in_the_order_of_money_have_everybody_once_those_without_at_one_end(database: Database) -> None:
    scoring = _scored(database)
    scoring.apply([order(f"K-{value}", days_ago=20, value=value) for value in (10, 30, 20)], now=NOW)
    ways: tuple[SortOrder, ...] = ("desc", "asc")
    sorts: tuple[CustomerSort, ...] = ("total_spent", "expected_spend", "value_at_risk")
    for way, sort in product(ways, sorts):
        found = _everybody(Customers(database, _SETTINGS), sort, way)
        assert len({one["customer_id"] for one in found}) == len(found) == 8
        known = [one["customer_id"] for one in found if one["total_spent"] is not None]
        assert known == (["K-30", "K-20", "K-10"] if way == "desc" else ["K-10", "K-20", "K-30"])


def _everybody(customers: Customers, sort: CustomerSort, way: SortOrder) -> list[Customer]:
    found: list[Customer] = []
    cursor: str | None = None
    while True:
        page = customers.page(CustomerQuery(sort=sort, order=way, limit=2, cursor=cursor), NOW)
        found += page["customers"]
        cursor = page["next_cursor"]
        if cursor is None:
            return found
