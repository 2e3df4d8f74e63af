"""The columns of a shop's files, and the fields that they mean."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from churn.domain.identifiers import stands_for_nobody
from infra.tools.importer.cells import clean, looks_like_a_whole_number
from infra.tools.importer.events import CUSTOMER_COLUMNS
from infra.tools.importer.readers import Row, UnreadableFileError

Kind = Literal["orders", "events", "customers"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# What shops call their columns, the likeliest first; compared in lower case, by letters and digits alone.
SYNONYMS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "orders": {
        "customer_id": (
            *("customerid", "customer", "custid", "cust", "customernumber", "customerno", "userid", "user"),
            *("clientid", "client", "buyerid", "buyer", "memberid", "visitorid"),
        ),
        "timestamp": (
            *("timestamp", "orderdate", "orderedat", "ordertime", "orderdatetime", "invoicedate", "purchasedate"),
            *("transactiondate", "datetime", "date", "time", "ts", "createdat", "created"),
        ),
        "order_value": (
            *("ordervalue", "ordertotal", "orderamount", "totalamount", "totalprice", "grandtotal", "amount", "total"),
            *("value", "revenue", "sales", "spent", "spend", "totalspent", "linetotal", "subtotal", "paid"),
        ),
        "unit_price": ("unitprice", "price", "itemprice"),
        "items_count": ("itemscount", "quantity", "qty", "nitems", "items", "units"),
        "order_id": (
            *("orderid", "invoice", "invoiceno", "invoiceid", "invoicenumber", "ordernumber", "orderno", "order"),
            *("transactionid", "receiptid", "receipt"),
        ),
        "discount": (
            *("discountvalue", "discountused", "discountamount", "discount", "totaldiscount", "couponcode", "coupon"),
            *("vouchercode", "voucher", "promocode"),
        ),
        "cancelled": (
            *("cancelledat", "canceledat", "cancelled", "canceled", "iscancelled", "iscanceled", "cancel"),
            *("orderstatus", "status"),
        ),
    },
    "customers": {
        "customer_id": ("customerid", "id", "customer", "custid", "cust", "userid", "user", "clientid", "memberid"),
        "name": ("name", "fullname", "customername"),
        "first_name": ("firstname", "givenname"),
        "last_name": ("lastname", "surname", "familyname"),
        "email": ("email", "emailaddress", "mail"),
        "phone": ("phone", "phonenumber", "telephone", "mobile"),
        "address": ("address", "city", "country"),
        "loyalty_points": ("loyaltypoints", "points", "bonuspoints"),
        "registered_at": (
            *("registeredat", "registrationdate", "registered", "signupdate", "joinedat", "joindate", "createdat"),
            *("created", "since", "firstseen", "date"),
        ),
        "updated_at": ("updatedat", "updated", "modifiedat", "lastmodified"),
    },
    "events": {},
}
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "orders": ("customer_id", "timestamp", "order_value"),
    "customers": ("customer_id",),
    "events": (),
}


def check_fields(kind: Kind, names: Mapping[str, str]) -> None:
    """Check that columns are named for fields that the kind has.

    Raises UnreadableFileError if one is not.
    """
    unknown = names.keys() - SYNONYMS[kind].keys()
    if unknown:
        fields = ", ".join(SYNONYMS[kind]) or "none"
        raise UnreadableFileError(f"{kind} have no field {', '.join(sorted(unknown))}; their fields are: {fields}")


def find_columns(kind: Kind, header: tuple[str, ...], named: Mapping[str, str]) -> dict[str, str]:
    """Return field to column, as named on the command line, or by the first synonym that the header has.

    Raises UnreadableFileError if a named column is not there.
    """
    by_plain_name = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in reversed(header)}
    columns: dict[str, str] = {}
    for field, synonyms in SYNONYMS[kind].items():
        if field in named:
            if named[field] not in header:
                raise UnreadableFileError(f"there is no column {named[field]!r} among {', '.join(header)}")
            columns[field] = named[field]
            continue
        column = next((by_plain_name[synonym] for synonym in synonyms if synonym in by_plain_name), None)
        if column is not None and column not in named.values():
            columns[field] = column
    if "order_value" in columns:
        columns.pop("unit_price", None)
    return columns


def missing_fields(kind: Kind, columns: Mapping[str, str]) -> list[str]:
    """Return the required fields without a column; a unit price can stand in for an order's value."""
    missing = [field for field in REQUIRED[kind] if field not in columns]
    if "unit_price" in columns and "order_value" in missing:
        missing.remove("order_value")
    return missing


_IDENTIFIERS = ("customer_id", "order_id")


def whole_number_columns(
    rows: Iterable[Row], kind: Kind, named: Mapping[str, str], *, has_header: bool
) -> frozenset[str]:
    """Return the columns of identifiers in which every text is a whole number, or stands for nobody.

    Of a file with a header, reads on only as long as there may be one.
    """
    seen: set[str] = set()
    ruled_out: set[str] = set()
    by_names: dict[tuple[str, ...], frozenset[str]] = {}
    for row in rows:
        if row.values is None:
            continue
        names = tuple(row.values)
        if names not in by_names:
            by_names[names] = _identifier_columns(kind, names, named)
            seen |= by_names[names]
        for column in by_names[names] - ruled_out:
            cell = clean(row.values[column])
            if isinstance(cell, str) and not (looks_like_a_whole_number(cell) or stands_for_nobody(cell)):
                ruled_out.add(column)
        if has_header and seen == ruled_out:
            break
    return frozenset(seen - ruled_out)


def _identifier_columns(kind: Kind, names: tuple[str, ...], named: Mapping[str, str]) -> frozenset[str]:
    if kind == "events":
        return frozenset(CUSTOMER_COLUMNS).intersection(names)
    try:
        columns = find_columns(kind, names, named)
    except UnreadableFileError:
        # Whoever reads the rows says so.
        return frozenset()
    return frozenset(columns[field] for field in _IDENTIFIERS if field in columns)
