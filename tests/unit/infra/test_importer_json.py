"""JSON as APIs answer it: pages around a list, edges of GraphQL, amounts with their currencies."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.tools.importer import json_rows
from infra.tools.importer.faults import UnreadableFileError
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ORDERS = [
    {"id": "1", "customer_id": "ann", "date": "2026-01-05", "amount": 10.5, "items": [{"sku": "x"}]},
    {"id": "2", "customer_id": "bob", "date": "2026-01-06", "amount": 20, "items": []},
]
PAGES: dict[str, Any] = {
    "data": {"object": "list", "url": "/v1/orders", "has_more": False, "data": ORDERS},
    "result.orders": {"result": {"orders": ORDERS}},
    "data.orders.edges": {
        "data": {
            "orders": {
                "edges": [{"cursor": "x", "node": order} for order in ORDERS],
                "pageInfo": {"hasNextPage": False, "endCursor": "x"},
            }
        },
        "extensions": {"cost": {"requestedQueryCost": 4}},
    },
    "data.orders.nodes": {"data": {"orders": {"nodes": ORDERS}}},
    "orders": {"customers": [{"id": 7}], "shop": {"name": "X"}, "orders": ORDERS, "page": 1},
    "Bestellungen": {"meta": {"total": 2}, "Bestellungen": ORDERS},
}


def read(folder: Path, text: str, **options: Any) -> ReadFile:
    path = folder / "shop.json"
    path.write_text(text)
    return read_file(path, now=NOW, **options)


@pytest.mark.parametrize("keys", PAGES)
@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("chunk", [256 * 1024, 200])
def test_the_list_that_an_answer_is_made_around_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str, indent: int | None, chunk: int
) -> None:
    # What stands beside the list of a long answer is not all known at first.
    monkeypatch.setattr(json_rows, "_CHUNK", chunk if keys != "orders" else 256 * 1024)
    file = read(tmp_path, json.dumps(PAGES[keys], indent=indent))
    assert [(event.customer_id, event.data["order_value"]) for event in file.events] == [("ann", 10.5), ("bob", 20)]
    assert (file.lines, file.rejects) == (2, [])
    assert f"the list '{keys}'" in file.said


@pytest.mark.parametrize("indent", [None, 1])
def test_pages_behind_one_another_are_all_read(tmp_path: Path, indent: int | None) -> None:
    pages = [{"object": "list", "data": [order]} for order in ORDERS]
    file = read(tmp_path, "\n".join(json.dumps(page, indent=indent) for page in pages))
    assert [event.customer_id for event in file.events] == ["ann", "bob"]


@pytest.mark.parametrize(
    "order",
    [
        ORDERS[0],
        {"items": [{"sku": "x"}], "customer_id": "ann", "date": "2026-01-05", "amount": 10.5},
        {"Kunde": "ann", "Datum": "2026-01-05", "Betrag": 10.5, "items": [{"sku": "x"}]},
        {"Kunde": "ann", "Datum": "2026-01-05", "Betrag": 10.5, "Positionen": [{"sku": "x"}]},
    ],
)
def test_an_order_with_a_list_of_its_own_is_an_order(tmp_path: Path, order: dict[str, Any]) -> None:
    columns = {"customer_id": "Kunde", "timestamp": "Datum", "order_value": "Betrag"} if "Kunde" in order else {}
    for text in (json.dumps(order), f"{json.dumps(order)}\n{json.dumps(order)}", json.dumps(order, indent=1)):
        file = read(tmp_path, text, columns=columns)
        assert {(event.customer_id, event.data["order_value"]) for event in file.events} == {("ann", 10.5)}


@pytest.mark.parametrize("cut", [3, 40, 90])
def test_an_answer_that_is_cut_off_says_so(tmp_path: Path, cut: int) -> None:
    file = read(tmp_path, json.dumps(PAGES["data.orders.edges"])[: -120 - cut])
    assert [event.customer_id for event in file.events][:1] == ["ann"]
    assert len(file.rejects) == 1


def test_an_answer_that_is_broken_behind_its_list_keeps_the_list(tmp_path: Path) -> None:
    file = read(tmp_path, json.dumps({"data": ORDERS})[:-1] + ', "next": oops}')
    assert [event.customer_id for event in file.events] == ["ann", "bob"]
    assert [reject.reason for reject in file.rejects] == ["is not JSON"]


@pytest.mark.parametrize("divider", [", ", ",\n"])
def test_parts_of_an_order_may_share_a_line_of_the_file(tmp_path: Path, divider: str) -> None:
    parts = [
        {"customer": name, "date": "2026-01-05", "order_id": number, "sku": sku, "amount": amount}
        for name, number, sku, amount in (("ann", 7, "A", 10), ("bob", 8, "A", 10), ("ann", 7, "B", 5))
    ]
    file = read(tmp_path, f"[{divider.join(map(json.dumps, parts))}]")
    assert (file.figures.orders, file.figures.money, file.rejects) == (2, 25, [])


@pytest.mark.parametrize(
    "money",
    [
        {"amount": "10.50", "currency": "EUR"},
        {"amount": 10.5, "currency_code": "EUR"},
        {"value": "10.50", "currency": "EUR"},
        {
            "shopMoney": {"amount": "10.50", "currencyCode": "EUR"},
            "presentmentMoney": {"amount": "12", "currencyCode": "USD"},
        },
    ],
)
def test_an_amount_with_its_currency_is_the_amount(tmp_path: Path, money: dict[str, Any]) -> None:
    order = {"customer_id": "ann", "timestamp": "2026-01-05", "order_value": money}
    [event] = read(tmp_path, json.dumps([order])).events
    assert event.data["order_value"] == 10.5


def test_amounts_whose_sum_is_whole_are_no_cents_and_their_currency_is_told(tmp_path: Path) -> None:
    orders = [
        {"customer_id": name, "created_at": "2026-01-05", "total": {"amount": "10.50", "currency": "EUR"}}
        for name in ("ann", "bob")
    ]
    file = read(tmp_path, json.dumps({"orders": orders}))
    assert (file.figures.money, "count in cents" in file.said, "21.00 EUR" in file.said) == (21, False, True)


def test_whole_amounts_of_an_api_may_be_cents(tmp_path: Path) -> None:
    order = {"customer_id": "ann", "created_at": "2026-01-05", "total_money": {"amount": 1050, "currency": "USD"}}
    with pytest.raises(UnreadableFileError, match="--column=order_value=total_money"):
        read(tmp_path, json.dumps({"orders": [order]}))
    file = read(tmp_path, json.dumps({"orders": [order]}), columns={"order_value": "total_money"})
    assert "the amounts of 'total_money' are whole numbers" in file.said
    order["total_money"] = {"amount": "10.50", "currency": "USD"}
    file = read(tmp_path, json.dumps({"orders": [order]}), columns={"order_value": "total_money"})
    assert "whole numbers" not in file.said


def test_the_reason_for_a_line_without_the_columns_is_not_cut_in_a_word(tmp_path: Path) -> None:
    other = {f"an_unusual_name_{number}": number for number in range(30)}
    file = read(tmp_path, json.dumps([ORDERS[0], other]))
    [told] = [line for line in file.said.splitlines() if line.startswith("  rejected")]
    assert told.endswith(" ...")
    assert told.removesuffix(" ...").endswith(tuple(f"an_unusual_name_{number}," for number in range(30)))


_OF_PANDAS = {
    "columns": {name: {str(at): order[name] for at, order in enumerate(ORDERS)} for name in ("id", "date", "amount")}
    | {"customer_id": {str(at): order["customer_id"] for at, order in enumerate(ORDERS)}},
    "index": {str(at): {**order, "items": None} for at, order in enumerate(ORDERS)},
    "split": {
        "columns": ["id", "customer_id", "date", "amount"],
        "index": [0, 1],
        "data": [[order[name] for name in ("id", "customer_id", "date", "amount")] for order in ORDERS],
    },
    "by number": {f"no-{order['id']}": order for order in ORDERS},
}


@pytest.mark.parametrize("shape", _OF_PANDAS)
@pytest.mark.parametrize("indent", [None, 2])
def test_a_table_that_is_one_object_is_read_row_by_row(tmp_path: Path, shape: str, indent: int | None) -> None:
    file = read(tmp_path, json.dumps(_OF_PANDAS[shape], indent=indent))
    assert (file.figures.orders, file.figures.money, file.figures.customers, file.rejects) == (2, 30.5, 2, [])


@pytest.mark.parametrize("names", [[1, 2], [{}], [None, "date"], [["customer_id"], "date"]])
def test_a_table_whose_columns_have_no_names_ends_with_a_sentence(tmp_path: Path, names: list[Any]) -> None:
    with pytest.raises(UnreadableFileError, match="there is no column for customer_id"):
        read(tmp_path, json.dumps({"columns": names, "index": [0], "data": [["ann", "2026-01-05"]]}))


def test_one_order_with_objects_of_its_own_is_no_table(tmp_path: Path) -> None:
    order = {"customer": {"id": "ann", "name": "Ann"}, "order": {"date": "2026-01-05", "total": 10}}
    file = read(tmp_path, json.dumps(order), columns={"customer_id": "customer.id", "timestamp": "order.date"})
    assert file.figures.orders == 1


def test_a_named_column_may_be_left_out_of_objects_but_not_of_all(tmp_path: Path) -> None:
    orders = [{"customer": "ann", "date": "2026-01-05", "no": 1, "total": 10, "back": 5}]
    orders.append({"customer": "bob", "date": "2026-01-06", "no": 2, "total": 20})
    text = "\n".join(map(json.dumps, orders))
    file = read(tmp_path, text, columns={"order_id": "no", "refunded": "back"})
    assert (file.figures.orders, file.figures.money, file.rejects) == (2, 25, [])
    with pytest.raises(UnreadableFileError, match="no line has the column 'returned'"):
        read(tmp_path, text, columns={"refunded": "returned"})


@pytest.mark.parametrize("owner", ["billing_address", "customer", "buyer_info"])
def test_guests_are_known_by_the_address_within_an_object(tmp_path: Path, owner: str) -> None:
    orders = [
        {"customer_id": key, "date": "2026-01-05", "total": 10, owner: {"email": f"{name}@X.y"}}
        for key, name in ((0, "ann"), (0, "bob"), (7, "cleo"))
    ]
    file = read(tmp_path, json.dumps(orders))
    assert ({event.customer_id for event in file.events}, file.rejects) == ({"ann@x.y", "bob@x.y", "7"}, [])
