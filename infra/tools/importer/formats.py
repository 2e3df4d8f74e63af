"""The exports that are recognised by their header: one table.

A format is recognised when all columns of one of its signatures are there. To add one: its signature, the columns of
its fields in the order of preference, and what is peculiar to it; then a file for
`tests/unit/infra/test_importer_formats.py` and a line in `docs/import.md`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from infra.tools.importer.statuses import StatusClass
from infra.tools.importer.times import DateOrder

type Kind = Literal["orders", "events", "customers"]
type LineKind = Literal["order", "item", "total"]
"""A line is an order; a part of one, whose values add up; or an order's total, repeated on each of its lines."""


def plain(name: str) -> str:
    """Return a column's name as names are compared: in lower case, letters and digits alone."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _names(text: str) -> frozenset[str]:
    return frozenset(plain(name) for name in text.split(","))


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """An export of a known system."""

    name: str
    kind: Kind = "orders"
    signatures: tuple[frozenset[str], ...]
    fields: Mapping[str, tuple[str, ...]]
    """Field to the columns that have it, as `plain` writes them, the first that is there."""
    line: LineKind | None = None
    """What a line is; None: the values tell."""
    statuses: Mapping[str, StatusClass] = field(default_factory=dict)
    """Words that mean something else here than in other systems, as `plain_status` writes them."""
    dates: DateOrder | None = None
    """The order of day and month where no cell tells."""
    ignored_types: re.Pattern[str] | None = None
    """In the column `entry_type`: entries that are no payments."""
    refund_types: re.Pattern[str] | None = None
    """In the column `entry_type`: entries that pay an order back."""
    credit_numbers: re.Pattern[str] | None = None
    """Numbers of credit notes: they take back no order of their own number."""


_NO_PAYMENT = re.compile(
    r".*(withdraw|transfer|deposit|conversion|hold|fee|authorization|order$|add funds|cart item|payout|adjustment).*",
    re.IGNORECASE,
)
_PAID_BACK = re.compile(r".*(refund|reversal|chargeback|dispute).*", re.IGNORECASE)

FORMATS = (
    Format(
        name="Shopify orders",
        signatures=(_names("Name,Email,Financial Status,Created at,Total"),),
        fields={
            "customer_id": ("email",),
            "fallback": ("phone", "billingphone", "billingname"),
            "timestamp": ("createdat", "paidat"),
            "order_value": ("total",),
            "order_id": ("name",),
            "discount": ("discountamount",),
            "status": ("financialstatus",),
            "cancelled": ("cancelledat",),
            "refunded": ("refundedamount",),
            "currency": ("currency",),
        },
        line="total",
    ),
    Format(
        name="Shopify orders of its API",
        signatures=(_names("id,created_at,total_price,financial_status"),),
        fields={
            # Orders of guests have no customer: in JSON each has columns of its own.
            "customer_id": ("customerid", "email"),
            "fallback": ("email", "phone"),
            "timestamp": ("createdat", "processedat"),
            "order_value": ("totalprice",),
            "order_id": ("name", "ordernumber", "id"),
            "discount": ("totaldiscounts",),
            "status": ("financialstatus",),
            "cancelled": ("cancelledat",),
            "refunded": ("refundstotal",),
            "currency": ("currency",),
            "updated_at": ("updatedat",),
        },
        line="order",
    ),
    Format(
        name="Squarespace orders",
        signatures=(_names("Order ID,Email,Financial Status,Paid at,Amount Refunded,Total"),),
        fields={
            "customer_id": ("email",),
            "timestamp": ("paidat", "createdat"),
            "order_value": ("total",),
            "order_id": ("orderid",),
            "discount": ("discountamount",),
            "status": ("financialstatus",),
            "cancelled": ("cancelledat",),
            "refunded": ("amountrefunded",),
            "currency": ("currency",),
        },
        line="total",
    ),
    Format(
        name="Wix orders",
        signatures=(_names("Order number,Date created,Contact email,Payment status,Total"),),
        fields={
            "customer_id": ("contactemail",),
            "timestamp": ("datecreated",),
            "time_of_day": ("time",),
            "order_value": ("total",),
            "order_id": ("ordernumber",),
            "status": ("paymentstatus",),
            "refunded": ("refundedamount", "totalrefunded"),
            "currency": ("currency",),
        },
        line="total",
        dates="mdy",
    ),
    Format(
        name="Shopify customers",
        kind="customers",
        signatures=(
            _names("First Name,Last Name,Email,Total Spent,Total Orders"),
            _names("First Name,Last Name,Email,Accepts Email Marketing"),
            _names("First Name,Last Name,Email,Accepts Marketing"),
        ),
        fields={
            "customer_id": ("email",),
            "fallback": ("phone",),
            "first_name": ("firstname",),
            "last_name": ("lastname",),
            "email": ("email",),
            "phone": ("phone", "defaultaddressphone"),
            "address": ("defaultaddresscity", "city"),
        },
    ),
    Format(
        name="WooCommerce orders",
        signatures=(
            _names("order_id,order_number,status,order_total,billing_email"),
            _names("order_id,status,order_total,customer_email"),
            _names("order_id,order_number,order_total,order_currency,customer_email"),
            _names("Order Number,Order Status,Order Date,Order Total Amount"),
            _names("order_number,order_date,status,order_total,customer_id"),
            _names("id,status,date_created_gmt,total,customer_id"),
            _names("id,status,date_created,total,billing.email"),
        ),
        fields={
            "customer_id": ("customerid", "customeruser", "customeruserid", "userid"),
            "fallback": ("billingemail", "emailbilling", "customeremail", "email"),
            "timestamp": ("datecreatedgmt", "orderdate", "date", "datecreated", "paiddate"),
            "order_value": ("ordertotal", "ordertotalamount", "total"),
            "order_id": ("ordernumber", "orderid", "id"),
            "discount": ("discounttotal", "cartdiscountamount", "orderdiscount", "cartdiscount"),
            "status": ("status", "orderstatus"),
            "refunded": ("refundedtotal", "orderrefundamount", "totalrefunded", "refundtotal", "refundstotal"),
            "currency": ("ordercurrency", "currency"),
        },
        line="total",
    ),
    Format(
        name="Magento 2 order grid",
        signatures=(
            _names("ID,Purchase Date,Grand Total (Base),Status"),
            _names("ID,Purchase Date,Grand Total (Purchased),Status"),
        ),
        fields={
            "customer_id": ("customeremail", "customername", "billtoname"),
            "fallback": ("customername", "billtoname"),
            "timestamp": ("purchasedate",),
            "order_value": ("grandtotalbase", "grandtotalpurchased"),
            "order_id": ("id",),
            "status": ("status",),
            "refunded": ("totalrefunded",),
        },
        line="order",
        statuses={"closed": "cancelled"},
    ),
    Format(
        name="Stripe payments",
        signatures=(
            _names("id,Created (UTC),Amount,Amount Refunded,Currency,Status"),
            _names("id,Created date (UTC),Amount,Amount Refunded,Currency,Status"),
            _names("id,Created,Amount,Amount Refunded,Currency,Status"),
        ),
        fields={
            "customer_id": ("customerid", "customeremail"),
            "fallback": ("customeremail", "customerdescription", "cardfingerprint"),
            "timestamp": ("createdutc", "createddateutc", "created"),
            "order_value": ("convertedamount", "amount"),
            "order_id": ("id",),
            "status": ("status",),
            "refunded": ("convertedamountrefunded", "amountrefunded"),
            "currency": ("convertedcurrency", "currency"),
        },
        line="order",
    ),
    Format(
        name="Amazon all orders",
        signatures=(
            _names("amazon-order-id,purchase-date,order-status,item-price,quantity"),
            _names("amazon-order-id,purchase-date,item-price,quantity"),
            _names("order-id,order-item-id,purchase-date,buyer-email,item-price"),
        ),
        fields={
            "customer_id": ("buyeremail", "buyerid", "customerid", "buyername", "recipientname"),
            "fallback": ("buyername", "recipientname"),
            "timestamp": ("purchasedate",),
            "order_value": ("itemprice",),
            "order_id": ("amazonorderid", "orderid"),
            "items_count": ("quantity", "quantitypurchased"),
            "discount": ("itempromotiondiscount",),
            "status": ("itemstatus", "orderstatus"),
            "status_of_order": ("orderstatus",),
            "currency": ("currency",),
            "updated_at": ("lastupdateddate",),
        },
        line="item",
        statuses={"pending": "never"},
    ),
    Format(
        name="PayPal activity",
        signatures=(
            _names("Date,Time,Type,Status,Currency,Gross,Transaction ID"),
            _names("Date,Time,Type,Status,Currency,Gross,From Email Address"),
        ),
        fields={
            "customer_id": ("fromemailaddress", "name"),
            "refund_customer": ("toemailaddress",),
            "fallback": ("name",),
            "timestamp": ("date",),
            "time_of_day": ("time",),
            "time_zone": ("timezone",),
            "order_value": ("gross",),
            "order_id": ("transactionid",),
            "entry_type": ("type", "description"),
            "refund_of": ("referencetxnid",),
            "status": ("status",),
            "currency": ("currency",),
        },
        line="item",
        # The status of a payment that was paid back says so, and so does the entry that paid it back: one is enough.
        statuses={"refunded": "counts", "reversed": "counts", "partiallyrefunded": "counts"},
        ignored_types=_NO_PAYMENT,
        refund_types=_PAID_BACK,
    ),
    Format(
        name="Square transactions",
        signatures=(
            _names("Date,Time,Time Zone,Gross Sales,Net Sales,Transaction ID"),
            _names("Date,Time,Gross Sales,Total Collected,Transaction ID"),
        ),
        fields={
            "customer_id": ("customerid", "customerreferenceid", "customername"),
            "fallback": ("customerreferenceid", "customername"),
            "timestamp": ("date",),
            "time_of_day": ("time",),
            "time_zone": ("timezone",),
            "order_value": ("totalcollected", "netsales", "grosssales"),
            "order_id": ("transactionid",),
            "entry_type": ("eventtype",),
            "status": ("transactionstatus",),
            "items_count": ("qty",),
        },
        line="item",
        refund_types=_PAID_BACK,
    ),
    Format(
        name="Etsy sold orders",
        signatures=(
            _names("Sale Date,Order ID,Order Value,Order Total"),
            _names("Sale Date,Order ID,Buyer,Order Total"),
        ),
        fields={
            "customer_id": ("buyeruserid", "buyer", "fullname"),
            "fallback": ("buyer", "fullname"),
            "timestamp": ("saledate",),
            "order_value": ("ordertotal", "ordervalue"),
            "adjusted": ("adjustedordertotal",),
            "order_id": ("orderid",),
            "items_count": ("numberofitems",),
            "discount": ("discountamount",),
            "status": ("status",),
            "refunded": ("refundamount", "refundedamount", "amountrefunded"),
            "currency": ("currency",),
        },
        line="order",
        dates="mdy",
    ),
    Format(
        name="Etsy sold order items",
        signatures=(_names("Sale Date,Item Name,Buyer,Quantity,Price,Order ID,Transaction ID"),),
        fields={
            "customer_id": ("buyer",),
            "timestamp": ("saledate",),
            "order_value": ("itemtotal",),
            "unit_price": ("price",),
            "items_count": ("quantity",),
            "order_id": ("orderid",),
            "currency": ("currency",),
        },
        line="item",
        dates="mdy",
    ),
    Format(
        name="eBay orders",
        signatures=(
            _names("Sales Record Number,Order Number,Buyer Username,Total Price,Sale Date"),
            _names("Order Number,Buyer Username,Sold For,Sale Date"),
            _names("Sales Record Number,Buyer Username,Sale Price,Total Price,Sale Date"),
        ),
        fields={
            "customer_id": ("buyerusername", "buyeremail", "buyername"),
            "fallback": ("buyeremail", "buyername"),
            "timestamp": ("saledate", "paidondate"),
            "order_value": ("totalprice", "soldfor", "saleprice"),
            "order_id": ("ordernumber", "salesrecordnumber"),
            "refunded": ("refundedamount", "refundamount", "totalrefund"),
            "status": ("orderstatus", "status"),
        },
        line="total",
        dates="mdy",
    ),
    Format(
        name="BigCommerce orders",
        signatures=(
            _names("Order ID,Customer ID,Order Date,Order Total (inc tax),Order Status"),
            _names("Order ID,Customer Email,Order Date,Order Status,Subtotal (inc tax)"),
            _names("Order ID,Customer ID,Order Date,Order Total (ex tax)"),
        ),
        fields={
            "customer_id": ("customerid", "customeremail"),
            "fallback": ("customeremail", "customername"),
            "timestamp": ("orderdate",),
            "time_of_day": ("ordertime",),
            "order_value": ("ordertotalinctax", "ordertotalextax", "subtotalinctax"),
            "order_id": ("orderid",),
            "items_count": ("totalquantity",),
            "status": ("orderstatus",),
            "refunded": ("refundamount", "refundedamount", "totalrefunded"),
            "currency": ("ordercurrencycode", "currencycode", "currency"),
        },
        line="total",
    ),
    Format(
        name="Online Retail lines",
        signatures=(
            _names("Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID"),
            _names("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"),
        ),
        fields={
            "customer_id": ("customerid",),
            "timestamp": ("invoicedate",),
            "unit_price": ("unitprice", "price"),
            "items_count": ("quantity",),
            "order_id": ("invoiceno", "invoice"),
        },
        line="item",
        credit_numbers=re.compile(r"[Cc]\d+"),
    ),
    Format(  # before the orders, as events may have their columns, too
        name="our own events",
        kind="events",
        signatures=(_names("customer_id,event_type,timestamp"), _names("user_id,event_type,timestamp")),
        fields={},
    ),
    Format(
        name="our own orders",
        signatures=(_names("customer_id,timestamp,order_value"),),
        fields={
            name: (plain(name),)
            for name in (
                *("customer_id", "timestamp", "order_value", "order_id", "discount", "items_count", "cancelled"),
                *("status", "refunded", "currency", "updated_at"),
            )
        }
        | {"discount": ("discountvalue", "discountused", "discount"), "cancelled": ("cancelledat", "cancelled")},
    ),
)


def recognise(header: Iterable[str], kind: Kind | None) -> Format | None:
    """Return the format that a header is of, None if it is of none; `kind`: what the lines are said to be."""
    names = {plain(name) for name in header}
    found = [
        (len(signature), -index, known)
        for index, known in enumerate(FORMATS)
        for signature in known.signatures
        if signature <= names and kind in {None, known.kind}
    ]
    return max(found, key=lambda one: one[:2])[2] if found else None
