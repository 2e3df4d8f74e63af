"""The exports of systems that shops run, and our own: see `infra.tools.importer.formats`."""

import re

from infra.tools.importer.export_format import Format, names, plain

SHOPS = (
    Format(
        name="Shopify orders",
        signatures=(names("Name,Email,Financial Status,Created at,Total"),),
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
        signatures=(names("id,created_at,total_price,financial_status"),),
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
        name="Shopify orders by Matrixify",
        signatures=(names("Name,Created At,Price: Total"),),
        fields={
            "customer_id": ("customerid", "customeremail", "email"),
            "fallback": ("customeremail", "email", "phone"),
            "timestamp": ("createdat",),
            "order_value": ("pricetotal",),
            "adjusted": ("pricecurrenttotal",),
            "order_id": ("name",),
            "discount": ("pricetotaldiscount",),
            "status": ("paymentstatus",),
            "cancelled": ("cancelledat",),
            "refunded": ("pricetotalrefund",),
            "currency": ("currency",),
            "updated_at": ("updatedat",),
        },
        line="total",
    ),
    Format(
        name="Squarespace orders",
        signatures=(names("Order ID,Email,Financial Status,Paid at,Amount Refunded,Total"),),
        fields={
            "customer_id": ("email",),
            "timestamp": ("paidat", "createdat"),
            "timestamp_else": ("createdat",),
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
        signatures=(names("Order number,Date created,Contact email,Payment status,Total"),),
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
    ),
    Format(
        name="Shopify customers",
        kind="customers",
        signatures=(
            names("First Name,Last Name,Email,Total Spent,Total Orders"),
            names("First Name,Last Name,Email,Accepts Email Marketing"),
            names("First Name,Last Name,Email,Accepts Marketing"),
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
            names("order_id,order_number,status,order_total,billing_email"),
            names("order_id,status,order_total,customer_email"),
            names("order_id,order_number,order_total,order_currency,customer_email"),
            names("Order Number,Order Status,Order Date,Order Total Amount"),
            names("order_number,order_date,status,order_total,customer_id"),
            names("id,status,date_created_gmt,total,customer_id"),
            names("id,status,date_created,total,billing.email"),
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
            names("ID,Purchase Date,Grand Total (Base),Status"),
            names("ID,Purchase Date,Grand Total (Purchased),Status"),
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
        name="Magento 1 order grid",
        signatures=(
            names("Order #,Purchased On,G.T. (Base),Status"),
            names("Order #,Purchased On,G.T. (Purchased),Status"),
        ),
        fields={
            "customer_id": ("customeremail", "email", "billtoname"),
            "fallback": ("billtoname",),
            "timestamp": ("purchasedon",),
            "order_value": ("gtbase", "gtpurchased"),
            "order_id": ("order",),
            "status": ("status",),
        },
        line="order",
        # There is no column for what was paid back: an order that is closed was paid back whole.
        statuses={"closed": "cancelled"},
    ),
    Format(
        name="BigCommerce orders",
        signatures=(
            names("Order ID,Customer ID,Order Date,Order Total (inc tax),Order Status"),
            names("Order ID,Customer Email,Order Date,Order Status,Subtotal (inc tax)"),
            names("Order ID,Customer ID,Order Date,Order Total (ex tax)"),
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
            names("Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID"),
            names("InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID"),
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
        signatures=(names("customer_id,event_type,timestamp"), names("user_id,event_type,timestamp")),
        fields={},
    ),
    Format(
        name="our own orders",
        signatures=(names("customer_id,timestamp,order_value"),),
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
