"""The exports that are recognised by their header: what must come out of a small file of each."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from churn.domain.customer import replay
from infra.tools.importer.faults import DoubtError, UnreadableFileError
from infra.tools.importer.formats import FORMATS
from tests.support.imports import ReadFile, read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Export:
    """A file in the columns that a system documents, and what it comes to."""

    format: str
    text: str
    orders: int
    money: float
    customers: set[str]
    rejects: int = 0
    continuations: int = 0


SHOPIFY = """Name,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,Total,\
Discount Code,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Cancelled at,\
Payment Method,Refunded Amount,Id
#1001,ann@example.com,paid,2026-01-05 10:00:00 +0100,fulfilled,EUR,30.00,5.00,0.00,35.00,,0.00,\
2026-01-05 10:00:00 +0100,1,Tea,10.00,,Card,0.00,5001
#1001,ann@example.com,,,,,,,,,,,2026-01-05 10:00:00 +0100,2,Cup,10.00,,,,
#1002,bob@example.com,partially_refunded,2026-01-06 10:00:00 +0100,fulfilled,EUR,50.00,0.00,0.00,50.00,SAVE,5.00,\
2026-01-06 10:00:00 +0100,1,Pot,50.00,,Card,20.00,5002
#1003,ann@example.com,refunded,2026-01-07 10:00:00 +0100,,EUR,9.00,0.00,0.00,9.00,,0.00,2026-01-07 10:00:00 +0100,\
1,Tea,9.00,2026-01-09 10:00:00 +0100,Card,9.00,5003
#1004,cleo@example.com,pending,,,EUR,70.00,0.00,0.00,70.00,,0.00,2026-01-08 10:00:00 +0100,1,Pot,70.00,,Bank,0.00,5004
#1005,cleo@example.com,voided,,,EUR,70.00,0.00,0.00,70.00,,0.00,2026-01-08 11:00:00 +0100,1,Pot,70.00,,Card,0.00,5005
"""
WOO = """order_id,order_number,order_date,status,order_total,order_currency,refunded_total,customer_id,billing_email
11,11,2026-01-05 10:00:00,wc-completed,20.00,EUR,0,5,ann@example.com
12,12,2026-01-06 10:00:00,wc-processing,30.00,EUR,10.00,0,Guest@Example.com
13,13,2026-01-07 10:00:00,wc-pending,40.00,EUR,0,0,other@example.com
14,14,2026-01-08 10:00:00,wc-refunded,50.00,EUR,50.00,5,ann@example.com
15,15,2026-01-09 10:00:00,wc-failed,60.00,EUR,0,6,bob@example.com
16,16,2026-01-10 10:00:00,wc-on-hold,60.00,EUR,0,6,bob@example.com
17,17,2026-01-11 10:00:00,wc-cancelled,60.00,EUR,0,6,bob@example.com
"""
MAGENTO = """"ID","Purchase Point","Purchase Date","Bill-to Name","Ship-to Name","Grand Total (Base)",\
"Grand Total (Purchased)","Status","Customer Email","Customer Name","Total Refunded"
"000000001","Main","Jan 5, 2026 3:04:05 PM","Ann Lee","Ann Lee","$1,055.50","$1,055.50","Complete",\
"ann@example.com","Ann Lee","$0.00"
"000000002","Main","Jan 6, 2026 3:04:05 PM","Bob Ray","Bob Ray","$40.00","$40.00","Closed","bob@example.com",\
"Bob Ray","$40.00"
"000000003","Main","Jan 7, 2026 3:04:05 PM","Bob Ray","Bob Ray","$40.00","$40.00","Processing","bob@example.com",\
"Bob Ray","$15.00"
"000000004","Main","Jan 8, 2026 3:04:05 PM","Cleo","Cleo","$40.00","$40.00","Pending Payment","cleo@example.com",\
"Cleo",""
"""
STRIPE = """id,Created (UTC),Amount,Amount Refunded,Currency,Captured,Status,Description,Customer ID,Customer Email
ch_1,2026-01-05 10:00,25.00,0.00,eur,TRUE,Paid,,cus_A,ann@example.com
ch_2,2026-01-06 10:00,25.00,5.00,eur,TRUE,Paid,,cus_B,bob@example.com
ch_3,2026-01-07 10:00,25.00,25.00,eur,TRUE,Refunded,,cus_B,bob@example.com
ch_4,2026-01-08 10:00,25.00,0.00,eur,FALSE,Failed,,cus_C,cleo@example.com
ch_5,2026-01-09 10:00,30.00,0.00,eur,TRUE,Paid,,,Guest@example.com
"""
_AMAZON_HEADER = (
    "amazon-order-id|purchase-date|last-updated-date|order-status|sku|item-status|quantity|currency|item-price|"
    "item-tax|item-promotion-discount|buyer-email"
)
AMAZON = "\n".join(
    line.replace("|", "\t")
    for line in (
        _AMAZON_HEADER,
        "028-1|2026-01-05T10:00:00+00:00|2026-01-06T10:00:00+00:00|Shipped|A|Shipped|2|EUR|30.00|4.79||a@m.example",
        "028-1|2026-01-05T10:00:00+00:00|2026-01-06T10:00:00+00:00|Shipped|B|Shipped|1|EUR|12.00|1.92||a@m.example",
        "028-2|2026-01-07T10:00:00+00:00|2026-01-07T10:00:00+00:00|Cancelled|A|Cancelled|0|EUR||||b@m.example",
        "028-3|2026-01-08T10:00:00+00:00|2026-01-08T10:00:00+00:00|Pending|A||1|EUR|15.00|||b@m.example",
        "028-4|2026-01-08T10:00:00+00:00|2026-01-08T10:00:00+00:00|Shipped|A|Shipped|1|EUR|15.00|||b@m.example",
        "028-4|2026-01-08T10:00:00+00:00|2026-01-08T10:00:00+00:00|Shipped|C|Cancelled|0|EUR|9.00|||b@m.example",
        "028-5|2026-01-09T10:00:00Z|2026-01-09T10:00:00Z|Shipped - Returned to Seller|A|Shipped|1|EUR|30.00|||c",
        "028-6|2026-01-09T10:00:00+00:00|2026-01-09T10:00:00+00:00|Pending|A|Unshipped|1|EUR|30.00|||c",
        "",
    )
)
STRIPE_BALANCE = """balance_transaction_id,created_utc,created,currency,gross,fee,net,reporting_category,source_id,\
customer_id,customer_email
txn_1,2026-01-05 10:00:00,2026-01-05 10:00:00,eur,70.00,1.00,69.00,charge,ch_1,cus_1,a@x.example
txn_2,2026-01-06 10:00:00,2026-01-06 10:00:00,eur,100.00,1.00,99.00,charge,ch_2,,Guest@x.example
txn_3,2026-01-07 10:00:00,2026-01-07 10:00:00,eur,-40.00,0.00,-40.00,refund,ch_2,,Guest@x.example
txn_4,2026-01-08 10:00:00,2026-01-08 10:00:00,eur,-130.00,0.00,-130.00,payout,po_1,,
"""
MATRIXIFY = """ID,Name,Command,Email,Created At,Currency,Price: Total,Price: Current Total,Price: Total Refund,\
Payment: Status,Customer: ID,Line: Type,Line: Title,Line: Quantity,Line: Total
51,#1001,UPDATE,a@x.example,2026-01-05 10:00:00 +0100,EUR,70.00,50.00,20.00,partially_refunded,91,Line Item,Tea,1,20
51,#1001,UPDATE,a@x.example,2026-01-05 10:00:00 +0100,EUR,70.00,50.00,20.00,partially_refunded,91,Line Item,Pot,1,50
51,#1001,UPDATE,a@x.example,2026-01-05 10:00:00 +0100,EUR,70.00,50.00,20.00,partially_refunded,91,Refund Line,Tea,-1,-20
52,#1002,UPDATE,b@x.example,2026-01-07 10:00:00 +0100,EUR,30.00,30.00,0.00,paid,92,Line Item,Tea,1,30
53,#1003,UPDATE,b@x.example,2026-01-08 10:00:00 +0100,EUR,30.00,0.00,30.00,refunded,92,Line Item,Tea,1,30
"""
MAGENTO_1 = """"Order #","Purchased From (Store)","Purchased On","Bill to Name","Ship to Name","G.T. (Base)",\
"G.T. (Purchased)",Status
100000001,"Main Store","Jan 5, 2026 10:00:00 AM","Ann Lee","Ann Lee","\u20ac1,070.00","\u20ac1,070.00",Complete
100000002,"Main Store","Jan 6, 2026 10:00:00 AM","Bob Ray","Bob Ray",\u20ac70.00,\u20ac70.00,Canceled
100000003,"Main Store","Jan 7, 2026 10:00:00 AM","Bob Ray","Bob Ray",\u20ac70.00,\u20ac70.00,Closed
"""
PAYPAL = """"Date","Time","TimeZone","Name","Type","Status","Currency","Gross","Fee","Net","From Email Address",\
"To Email Address","Transaction ID","Reference Txn ID"
"15/01/2026","10:00:00","CET","Ann Lee","Express Checkout Payment","Completed","EUR","1.025,00","-1,00","1.024,00",\
"ann@example.com","shop@example.com","T1",""
"16/01/2026","10:00:00","CET","Bob Ray","Website Payment","Partially Refunded","EUR","40,00","-1,00","39,00",\
"bob@example.com","shop@example.com","T2",""
"17/01/2026","10:00:00","CET","Bob Ray","Payment Refund","Completed","EUR","-15,00","0,00","-15,00",\
"shop@example.com","bob@example.com","T3","T2"
"18/01/2026","10:00:00","CET","","General Withdrawal","Completed","EUR","-900,00","0,00","-900,00","shop@example.com",\
"","T4",""
"19/01/2026","10:00:00","CET","Cleo","Express Checkout Payment","Denied","EUR","20,00","0,00","20,00",\
"cleo@example.com","shop@example.com","T5",""
"20/01/2026","10:00:00","CET","Dan","Express Checkout Payment","Refunded","EUR","20,00","0,00","20,00",\
"dan@example.com","shop@example.com","T6",""
"21/01/2026","10:00:00","CET","Dan","Payment Refund","Completed","EUR","-20,00","0,00","-20,00",\
"shop@example.com","dan@example.com","T7","T6"
"""
SQUARE = """Date,Time,Time Zone,Gross Sales,Discounts,Net Sales,Tax,Tip,Partial Refunds,Total Collected,Transaction ID,\
Event Type,Customer ID,Customer Name
2026-01-05,10:00:00,Eastern Time (US & Canada),"$1,020.00",$0.00,"$1,020.00",$0.00,$0.00,$0.00,"$1,020.00",S1,Payment,\
CA,Ann
2026-01-06,10:00:00,Eastern Time (US & Canada),$30.00,$0.00,$30.00,$0.00,$0.00,$0.00,$30.00,S2,Payment,CB,Bob
2026-01-07,10:00:00,Eastern Time (US & Canada),($30.00),$0.00,($30.00),$0.00,$0.00,$0.00,($30.00),S2,Refund,CB,Bob
2026-01-08,10:00:00,Eastern Time (US & Canada),$5.00,$0.00,$5.00,$0.00,$0.00,$0.00,$5.00,S3,Payment,,
"""
ETSY = """Sale Date,Order ID,Buyer User ID,Full Name,Number of Items,Payment Method,Date Shipped,Currency,Order Value,\
Coupon Code,Discount Amount,Shipping,Sales Tax,Order Total,Status,Adjusted Order Total,Buyer
01/05/26,3001,annlee,Ann Lee,1,CC,01/06/26,USD,20.00,,0.00,5.00,0.00,25.00,,,Ann Lee (annlee)
02/03/26,3002,bobray,Bob Ray,1,CC,02/06/26,USD,40.00,,0.00,5.00,0.00,45.00,,30.00,Bob Ray (bobray)
03/04/26,3003,,Guest Buyer,1,CC,03/06/26,USD,10.00,,0.00,0.00,0.00,10.00,,0.00,Guest Buyer
"""
EBAY = """
"Sales Record Number","Order Number","Buyer Username","Buyer Name","Buyer Email","Item Number","Item Title","Quantity",\
"Sold For","Shipping And Handling","Total Price","Payment Method","Sale Date","Paid On Date"

"101","12-001","ann_b","Ann","a@x.example","","","2","$20.00","$5.00","$25.00","PayPal","Jan-05-26","Jan-05-26"
"101","12-001","ann_b","","","991","Cup","1","$10.00","","","","",""
"101","12-001","ann_b","","","992","Pot","1","$10.00","","","","",""
"102","12-002","bob_b","Bob","b@x.example","991","Cup","1","$1,010.00","$5.00","$1,015.00","PayPal","Jan-06-26",""

"2","record(s) downloaded,","from ","Jan-01-26","00:00:00 to","Jan-31-26","23:59:59"
"Seller ID : teashop",,,,,,,,,,,,,
"""
BIGCOMMERCE = """Order ID,Customer ID,Customer Name,Customer Email,Order Date,Order Time,Subtotal (inc tax),\
Order Total (inc tax),Order Total (ex tax),Order Status,Total Quantity,Order Currency Code,Refund Amount
100,7,Ann,ann@example.com,25/01/2026,10:00:00,20.0000,25.0000,21.0000,Completed,1,EUR,0.0000
101,0,Guest,guest@example.com,26/01/2026,10:00:00,20.0000,25.0000,21.0000,Partially Refunded,1,EUR,10.0000
102,8,Bob,bob@example.com,27/01/2026,10:00:00,20.0000,25.0000,21.0000,Awaiting Payment,1,EUR,0.0000
103,8,Bob,bob@example.com,28/01/2026,10:00:00,20.0000,25.0000,21.0000,Declined,1,EUR,0.0000
104,8,Bob,bob@example.com,28/01/2026,11:00:00,20.0000,25.0000,21.0000,Awaiting Fulfillment,1,EUR,0.0000
"""
ONLINE_RETAIL = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
489434,85048,LIGHTS,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom
489434,79323P,"CHERRY, PINK",2,2009-12-01 07:45:00,1.5,13085.0,United Kingdom
489435,22350,CAT BOWL,4,2009-12-01 07:46:00,2.55,13085.0,United Kingdom
C489449,22087,PAPER,-12,2009-12-01 10:33:00,2.95,16321.0,Australia
489464,21733,?,-96,2009-12-01 10:52:00,0,,United Kingdom
489436,22349,DOG,1,2009-12-01 09:06:00,3,13078.0,United Kingdom
"""
OWN = """customer_id,timestamp,order_value,order_id,discount,cancelled
ann,2026-01-05T10:00:00Z,20.00,A1,0,
bob,2026-01-06T10:00:00Z,30.00,A2,5.00,
bob,2026-01-07T10:00:00Z,30.00,A3,,yes
"""
SHOPIFY_API = """{"orders": [
{"id": 45, "name": "#1001", "email": "ann@example.com", "created_at": "2026-01-10T11:00:00-05:00",
 "total_price": "98.94", "currency": "USD", "financial_status": "partially_refunded", "cancelled_at": null,
 "customer": {"id": 207}, "refunds": [{"id": 1, "transactions": [
  {"amount": "41.94", "status": "success"}, {"amount": "9", "status": "failure"}]}]},
{"id": 46, "name": "#1002", "email": "Bob@example.com", "created_at": "2026-01-11T11:00:00-05:00",
 "total_price": "10.00", "currency": "USD", "financial_status": "voided", "cancelled_at": "2026-01-12T00:00:00Z",
 "customer": null, "refunds": []}
]}
"""
SQUARESPACE = """Order ID,Email,Financial Status,Paid at,Fulfillment Status,Currency,Subtotal,Shipping,Taxes,\
Amount Refunded,Total,Discount Amount,Lineitem quantity,Lineitem name,Lineitem price,Cancelled at
1001,ann@example.com,PAID,2026-01-05 10:00:00 -0500,FULFILLED,USD,30.00,5.00,0.00,0.00,35.00,0.00,1,Mug,10.00,
1001,ann@example.com,,,,,,,,,,,2,Tee,10.00,
1002,bob@example.com,PAID,2026-01-06 10:00:00 -0500,FULFILLED,USD,30.00,0.00,0.00,10.00,30.00,0.00,3,Mug,10.00,
1003,bob@example.com,REFUNDED,2026-01-07 10:00:00 -0500,CANCELED,USD,9.00,0.00,0.00,9.00,9.00,0.00,1,Tee,9.00,
"""
WIX = """Order number,Date created,Time,Total order quantity,Contact email,Note from customer,Item,SKU,Qty,\
Quantity refunded,Price,Payment method,Payment status,Currency,Total
10001,"Jan 5, 2026",10:00 AM,3,ann@example.com,,Mug,M1,2,0,10.00,Card,Paid,EUR,35.00
10001,"Jan 5, 2026",10:00 AM,3,ann@example.com,,Tee,T1,1,0,15.00,Card,Paid,EUR,35.00
10002,"Jan 6, 2026",11:00 PM,1,bob@example.com,,Tee,T1,1,1,15.00,Card,Refunded,EUR,15.00
10003,"Jan 7, 2026",11:00 PM,1,bob@example.com,,Tee,T1,1,0,15.00,Card,Unpaid,EUR,15.00
"""
EXPORTS = (
    Export(
        "Shopify orders", SHOPIFY, 2, 65, {"ann@example.com", "bob@example.com", "cleo@example.com"}, continuations=1
    ),
    Export("WooCommerce orders", WOO, 2, 40, {"5", "guest@example.com", "6"}),
    Export("Magento 2 order grid", MAGENTO, 2, 1080.5, {"ann@example.com", "bob@example.com"}),
    Export("Stripe payments", STRIPE, 3, 75, {"cus_A", "cus_B", "guest@example.com"}),
    Export("Amazon all orders", AMAZON, 2, 57, {"a@m.example", "b@m.example", "c"}),
    Export("PayPal activity", PAYPAL, 2, 1050, {"ann@example.com", "bob@example.com", "dan@example.com"}),
    Export("Square transactions", SQUARE, 1, 1020, {"CA", "CB"}, rejects=1),
    Export("Etsy sold orders", ETSY, 3, 65, {"annlee", "bobray", "Guest Buyer"}),
    Export("eBay orders", EBAY, 2, 1040, {"ann_b", "bob_b"}, continuations=2),
    Export("BigCommerce orders", BIGCOMMERCE, 3, 65, {"7", "guest@example.com", "8"}),
    Export("Online Retail lines", ONLINE_RETAIL, 3, 99.6, {"13085", "13078", "16321"}, rejects=1),
    Export("our own orders", OWN, 2, 50, {"ann", "bob"}),
    Export("Shopify orders of its API", SHOPIFY_API, 1, 57, {"207", "bob@example.com"}),
    Export("Squarespace orders", SQUARESPACE, 2, 55, {"ann@example.com", "bob@example.com"}, continuations=1),
    Export("Stripe balance", STRIPE_BALANCE, 2, 130, {"cus_1", "guest@x.example"}),
    Export("Shopify orders by Matrixify", MATRIXIFY, 2, 80, {"91", "92"}),
    Export("Magento 1 order grid", MAGENTO_1, 1, 1070, {"Ann Lee", "Bob Ray"}),
    Export("Wix orders", WIX, 1, 35, {"ann@example.com", "bob@example.com"}),
)


def read(folder: Path, text: str, **options: object) -> ReadFile:
    path = folder / "export.csv"
    path.write_text(text, encoding="utf-8")
    return read_file(path, now=NOW, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.format)
def test_a_known_export_is_read_without_an_option(tmp_path: Path, export: Export) -> None:
    file = read(tmp_path, export.text)
    assert (file.format, file.kind) == (export.format, "orders")
    assert f"recognised: {export.format}" in file.said
    assert [reject.reason for reject in file.rejects if "customer_id: is required" not in reject.reason] == []
    assert len(file.rejects) == export.rejects
    assert {event.customer_id for event in file.events} == export.customers
    assert (file.figures.orders, round(file.figures.money, 2)) == (export.orders, export.money)
    assert file.tally.continuations == export.continuations
    # The features say the same as the summary.
    states = [replay(event for event in file.events if event.customer_id == one) for one in export.customers]
    assert sum(state.purchases.orders for state in states) == export.orders
    assert sum(state.purchases.cents for state in states) == round(export.money * 100)


def test_every_format_of_orders_has_its_file() -> None:
    of_orders = {known.name for known in FORMATS if known.kind == "orders"}
    assert of_orders - {export.format for export in EXPORTS} == {"Etsy sold order items"}


def test_items_of_shipments_of_amazon_add_up_to_their_order(tmp_path: Path) -> None:
    header = "amazon-order-id\tshipment-id\tshipment-item-id\tpurchase-date\tbuyer-email\tsku\tquantity-shipped"
    header += "\titem-price"
    day = "2026-01-05T10:00:00+00:00"
    lines = (
        f"302-1\tS1\tI1\t{day}\ta@m.example\tT\t2\t40.00",
        f"302-1\tS1\tI2\t{day}\ta@m.example\tP\t1\t30.00",
        f"302-2\tS2\tI3\t{day}\tb@m.example\tT\t3\t60.00",
    )
    file = read(tmp_path, "\n".join([header, *lines, ""]))
    assert (file.format, file.figures.orders, file.figures.money) == ("Amazon all orders", 2, 130)


def test_items_of_square_are_read_without_a_time_zone(tmp_path: Path) -> None:
    lines = "Date,Time,Category,Item,Qty,Gross Sales,Discounts,Net Sales,Transaction ID,Event Type,Customer ID\n"
    lines += "01/15/2026,10:00:00,Food,Tea,2.0,$40.00,$0.00,$40.00,T1,Payment,C1\n"
    file = read(tmp_path, lines + "01/15/2026,10:00:00,Food,Pot,1.0,$30.00,-$5.00,$25.00,T1,Payment,C1\n")
    assert (file.format, file.figures.orders, file.figures.money) == ("Square transactions", 1, 65)


def test_a_balance_of_stripe_without_customers_says_so(tmp_path: Path) -> None:
    header = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Customer Facing Amount,Transfer Date (UTC)\n"
    with pytest.raises(UnreadableFileError, match="Stripe balance without a column for the buyer") as refused:
        read(tmp_path, header + "txn_1,charge,ch_1,70.00,1,69.00,eur,2026-01-05 10:00,,\n")
    assert "'Customer Facing Amount'" not in str(refused.value)


@pytest.mark.parametrize(
    ("header", "states", "types"),
    [
        (
            (
                "Date,Heure,Fuseau horaire,Nom,Type,\u00c9tat,Devise,Avant commission,Commission,Net,"
                "De l'adresse email,\u00c0 l'adresse email,Num\u00e9ro de transaction,"
                "Num\u00e9ro de transaction de r\u00e9f\u00e9rence"
            ),
            "Termin\u00e9,Rembours\u00e9",
            "Paiement Express Checkout,Remboursement de paiement,Virement standard,Conversion de devise",
        ),
        (
            (
                "Fecha,Hora,Zona horaria,Nombre,Tipo,Estado,Divisa,Bruto,Comisi\u00f3n,Neto,"
                "Correo electr\u00f3nico del remitente,Correo electr\u00f3nico del destinatario,"
                "Id. de transacci\u00f3n,Id. de referencia de trans."
            ),
            "Completado,Reembolsado",
            "Pago expr\u00e9s,Reembolso de pago,Retirada general,Conversi\u00f3n de divisas",
        ),
        (
            (
                "Data,Orario,Fuso orario,Nome,Tipo,Stato,Valuta,Lordo,Tariffa,Netto,Indirizzo email mittente,"
                "Indirizzo email destinatario,Codice transazione,Codice di riferimento transazione"
            ),
            "Completata,Rimborsato",
            "Pagamento Express Checkout,Rimborso di pagamento,Bonifico generico,Conversione di valuta",
        ),
        (
            (
                "Datum,Tijd,Tijdzone,Naam,Type,Status,Valuta,Bruto,Kosten,Net,Van e-mailadres,Naar e-mailadres,"
                "Transactiereferentie,Reference Txn ID"
            ),
            "Voltooid,Terugbetaald",
            "Express Checkout-betaling,Terugbetaling van betaling,Algemene opname,Algemene valutaomrekening",
        ),
    ],
    ids=["French", "Spanish", "Italian", "Dutch"],
)
def test_activity_of_paypal_is_recognised_in_further_languages(
    tmp_path: Path, header: str, states: str, types: str
) -> None:
    done, refunded = states.split(",")
    sale, refund, payout, conversion = types.split(",")
    rows = (
        (sale, done, 50, "a@x.example,shop@x.example,T1,"),
        (refund, done, -20, "shop@x.example,a@x.example,T2,T1"),
        (sale, refunded, 30, "b@x.example,shop@x.example,T3,"),
        (refund, done, -30, "shop@x.example,b@x.example,T4,T3"),
        (payout, done, -30, "shop@x.example,,T5,"),
        (conversion, done, 15, ",,T6,"),
    )
    lines = (
        f"1{day}/01/2026,10:00:00,CET,Ann,{kind},{state},EUR,{gross},-1,{gross},{ids}\n"
        for day, (kind, state, gross, ids) in enumerate(rows, 3)
    )
    file = read(tmp_path, f"{header}\n{''.join(lines)}")
    assert (file.format, file.figures.orders, file.figures.money) == ("PayPal activity", 1, 30)
    assert file.figures.cancelled == 1
    assert (file.tally.not_counted.total(), "unknown words" in file.said) == (2, False)


def test_activity_of_paypal_and_orders_of_ebay_are_recognised_in_german(tmp_path: Path) -> None:
    header = '"Datum","Uhrzeit","Zeitzone","Name","Typ","Status","W\u00e4hrung","Brutto","Geb\u00fchr","Netto",'
    header += '"Absender E-Mail-Adresse","Empf\u00e4nger E-Mail-Adresse","Transaktionscode",'
    lines = (
        '"Zugeh\u00f6riger Transaktionscode"\n"05.01.2026","10:00:00","CET","Ann","Website-Zahlung","Abgeschlossen",'
    )
    lines += '"EUR","1.070,00","-2,00","1.068,00","a@x.example","shop@x.example","T1",""\n'
    lines += '"07.01.2026","10:00:00","CET","Ann","R\u00fcckzahlung","Abgeschlossen","EUR","-40,00","2,00","-38,00",'
    lines += '"shop@x.example","a@x.example","T2","T1"\n'
    lines += '"08.01.2026","10:00:00","CET","","Allgemeine Abbuchung","Abgeschlossen","EUR","-500,00","0,00","-500,00",'
    lines += '"shop@x.example","","T3",""\n'
    file = read(tmp_path, header + lines)
    assert (file.format, file.figures.orders, file.figures.money) == ("PayPal activity", 1, 1030)
    header = (
        '"Verkaufsprotokollnummer";"Bestellnummer";"Nutzername des K\u00e4ufers";"Verkauft f\u00fcr";"Gesamtpreis";'
    )
    lines = '"Verkauft am"\n"101";"12-1";"ann";"EUR 70,00";"EUR 75,00";"05-Mrz-26"\n'
    file = read(tmp_path, header + lines)
    assert (file.format, file.figures.orders, file.figures.money) == ("eBay orders", 1, 75)


def test_guests_of_shopify_are_known_by_any_of_their_phones(tmp_path: Path) -> None:
    header = "Name,Email,Financial Status,Created at,Total,Billing Name,Billing Phone,Phone\n"
    lines = "#1,,paid,2026-01-05 10:00:00 +0100,10,Ann,+491,\n#2,,paid,2026-01-06 10:00:00 +0100,20,Bob,,+492\n"
    file = read(tmp_path, header + lines + "#3,,paid,2026-01-06 10:00:00 +0100,20,Cleo,,\n")
    assert ({event.customer_id for event in file.events}, len(file.rejects)) == ({"+491", "+492"}, 1)


_PAYPAL = (
    "Date,Time,TimeZone,Type,Status,Currency,Gross,"
    "From Email Address,To Email Address,Transaction ID,Reference Txn ID\n"
)
_PAID = "15/01/2026,10:00:00,CET,Website Payment,Completed,EUR,40.00,ann@x.example,shop@x.example,T1,\n"
_TAKEN = "16/01/2026,10:00:00,CET,Chargeback,Completed,EUR,-40.00,shop@x.example,ann@x.example,T2,T1\n"


@pytest.mark.parametrize("giver", ["ann@x.example", ""])
@pytest.mark.parametrize("newest_first", [False, True])
def test_a_chargeback_that_is_reversed_gives_the_order_back(tmp_path: Path, giver: str, newest_first: bool) -> None:
    given = f"30/01/2026,10:00:00,CET,Chargeback Reversal,Completed,EUR,40.00,{giver},shop@x.example,T3,T1\n"
    lines = [_PAID, _TAKEN, given]
    file = read(tmp_path, _PAYPAL + "".join(reversed(lines) if newest_first else lines))
    assert (file.figures.orders, file.figures.money, file.figures.cancelled, file.rejects) == (1, 40, 0, [])
    assert read(tmp_path, _PAYPAL + _PAID + _TAKEN).figures.orders == 0


def test_no_more_is_given_back_than_was_taken(tmp_path: Path) -> None:
    given = "30/01/2026,10:00:00,CET,Chargeback Reversal,Completed,EUR,{},ann@x.example,shop@x.example,T3,T1\n"
    assert read(tmp_path, _PAYPAL + _PAID + given.format("40.00")).figures.money == 40
    assert read(tmp_path, _PAYPAL + _PAID + _TAKEN + given.format("15.00")).figures.money == 15


def test_a_dispute_of_stripe_that_was_won_gives_the_order_back(tmp_path: Path) -> None:
    header = "balance_transaction_id,created,gross,net,reporting_category,charge_id,customer_id\n"
    lines = "b1,2026-01-05,50,49,charge,ch1,ann\nb2,2026-01-09,-50,-50,dispute,ch1,ann\n"
    assert read(tmp_path, header + lines).figures.orders == 0
    file = read(tmp_path, header + lines + "b3,2026-02-09,50,50,dispute_reversal,ch1,ann\n")
    assert (file.figures.orders, file.figures.money) == (1, 50)


@pytest.mark.parametrize(
    ("entry", "gross", "counts"),
    [
        ("Chargeback Reversal", "40.00", True),
        ("Chargeback Fee", "-20.00", True),
        ("Reversal of General Account Hold", "40.00", True),
        ("Payment Release", "40.00", True),
        ("Chargeback", "-40.00", False),
    ],
)
def test_entries_of_paypal_that_are_no_refunds_take_nothing_back(
    tmp_path: Path, entry: str, gross: str, counts: bool
) -> None:
    header = '"Date","Time","TimeZone","Type","Status","Currency","Gross","From Email Address","To Email Address",'
    lines = '"Transaction ID","Reference Txn ID"\n'
    lines += "15/01/2026,10:00:00,CET,Website Payment,Completed,EUR,40.00,ann@x.example,shop@x.example,T1,\n"
    lines += f"16/01/2026,10:00:00,CET,{entry},Completed,EUR,{gross},shop@x.example,ann@x.example,T2,T1\n"
    assert read(tmp_path, header + lines).figures.orders == counts


def test_a_chargeback_of_paypal_without_addresses_is_of_the_payment_that_it_names(tmp_path: Path) -> None:
    header = "Date,Time,TimeZone,Type,Status,Currency,Gross,From Email Address,To Email Address,"
    lines = (
        "Transaction ID,Reference Txn ID",
        "17/01/2026,10:00:00,CET,Chargeback,Completed,EUR,-15.00,,,T3,T1",
        "17/01/2026,11:00:00,CET,Chargeback,Completed,EUR,-15.00,,,T4,T0",
        "15/01/2026,10:00:00,CET,Website Payment,Completed,EUR,40.00,ann@x.example,shop@x.example,T1,",
    )
    file = read(tmp_path, header + "\n".join([*lines, ""]))
    assert (file.figures.orders, file.figures.money, file.lines) == (1, 25, 3)
    assert ["the order that was paid back is not in the file" in one.reason for one in file.rejects] == [True]


def test_a_balance_report_of_paypal_is_recognised_by_its_description(tmp_path: Path) -> None:
    header = "Date,Time,Time Zone,Description,Currency,Gross,Fee,Net,Balance,Transaction ID,From Email Address,Name\n"
    line = "15/01/2026,10:00:00,CET,Website Payment,EUR,40.00,-1.00,39.00,39.00,T1,ann@x.example,Ann\n"
    file = read(tmp_path, header + line)
    assert (file.format, file.figures.orders, file.figures.money) == ("PayPal activity", 1, 40)


def test_items_of_etsy_are_priced_by_the_piece(tmp_path: Path) -> None:
    lines = "Sale Date,Item Name,Buyer,Quantity,Price,Coupon Code,Order ID,Transaction ID,Currency\n"
    lines += "01/05/26,Cup,annlee,2,10.00,,3001,1,USD\n01/05/26,Pot,annlee,1,15.00,,3001,2,USD\n"
    file = read(tmp_path, lines)
    assert (file.format, file.figures.orders, file.figures.money) == ("Etsy sold order items", 1, 35)


def test_an_export_that_knows_addresses_alone_has_customers_by_them(tmp_path: Path) -> None:
    lines = "Order Number,Order Status,Order Date,Email (Billing),Order Total Amount,Item Name,Item Cost\n"
    lines += (
        "1,Completed,2026-01-05 10:00,Ann@x.example,25,Tea,10\n1,Completed,2026-01-05 10:00,Ann@x.example,25,Cup,15\n"
    )
    file = read(tmp_path, lines + "2,Processing,2026-01-06 10:00,bob@x.example,9,Tea,9\n")
    assert (file.format, file.figures.orders, file.figures.money) == ("WooCommerce orders", 2, 34)
    assert {event.customer_id for event in file.events} == {"ann@x.example", "bob@x.example"}


def test_customers_of_shopify_are_recognised_as_such(tmp_path: Path) -> None:
    header = "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Total Spent,Total Orders"
    file = read(tmp_path, f"{header}\n'77,Ann,Lee,Ann@example.com,yes,35.00,1\n")
    assert (file.format, file.kind) == ("Shopify customers", "customers")
    [event] = file.events
    assert (event.event_type, event.customer_id) == ("profile_updated", "ann@example.com")
    assert event.data == {"name": "Ann Lee", "email": "Ann@example.com"}


def test_the_refusal_for_an_unknown_header_shows_the_whole_command(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would work") as refused:
        read(tmp_path, "Kundennummer;Bestelldatum;Gesamtbetrag;Notiz\n7;2026-01-05;5,00;x\n")
    for part in (
        "customer_id, timestamp, order_value",
        "make import FILE=",
        "--column=customer_id=Kundennummer --column=timestamp=Bestelldatum --column=order_value=Gesamtbetrag",
    ):
        assert part in str(refused.value)


def test_an_amazon_export_without_a_buyer_says_that_it_tells_no_customers(tmp_path: Path) -> None:
    file = tmp_path / "amazon.txt"
    file.write_text(
        "amazon-order-id\tpurchase-date\torder-status\titem-price\tquantity\n"
        "1-1\t2026-01-05T10:00:00+00:00\tShipped\t10.00\t1\n"
    )
    with pytest.raises(UnreadableFileError, match="Amazon all orders without a column for the buyer says nothing"):
        read_file(file, now=NOW)


@pytest.mark.parametrize(
    ("entry", "impact"),
    [
        ("PayPal Working Capital Loan", "Credit"),
        ("Invoice Sent", "Memo"),
        ("Request Received", ""),
        ("Gift Certificate Redemption", "Credit"),
        ("Interest Credit", "Credit"),
        ("Cashback Bonus", "Credit"),
        ("Anything new", "Memo"),
    ],
)
def test_entries_of_paypal_that_are_no_sales_are_no_orders(tmp_path: Path, entry: str, impact: str) -> None:
    header = _PAYPAL.replace("\n", ",Balance Impact\n")
    line = f"16/01/2026,10:00:00,CET,{entry},Completed,EUR,5.00,eve@x.example,shop@x.example,T2,,{impact}\n"
    file = read(tmp_path, header + _PAID.replace("\n", ",Credit\n") + line)
    assert "unknown words" not in read(tmp_path, header + line.replace("Completed", "Sent")).said
    assert (file.figures.orders, file.figures.money, file.rejects) == (1, 40, [])
    counted = ("Subscription Payment", "Recurring Payment", "Mobile Payment", "Kreditkartenzahlung", "Donation Payment")
    for word in counted:
        text = line.replace(entry, word).replace("Memo", "Credit")
        assert read(tmp_path, header + text).figures.orders == 1, word


def test_wix_writes_dates_as_the_site_does_so_that_a_doubt_is_a_question(tmp_path: Path) -> None:
    header = "Order number,Date created,Time,Contact email,Payment status,Total\n"
    lines = header + "1,05/01/2026,10:00,a@x.y,Paid,5\n2,06/02/2026,10:00,b@x.y,Paid,5\n"
    with pytest.raises(DoubtError, match="--dates=dmy"):
        read(tmp_path, lines)
    assert read(tmp_path, lines + "3,25/02/2026,10:00,b@x.y,Paid,5\n").figures.orders == 3


def test_an_order_of_day_and_month_that_is_assumed_is_told(tmp_path: Path) -> None:
    header = "Sale Date,Order ID,Buyer,Order Value,Order Total\n"
    said = "no date of column 'Sale Date' tells the day from the month: '05/01/2026' is read as 1 May 2026"
    text = header + "05/01/2026,1,ann,5,5\n"
    assert f"{said}, as in Etsy sold orders (else --dates=dmy)" in read(tmp_path, text).said
    assert said not in read(tmp_path, text, dates="dmy").said
    assert said not in read(tmp_path, text + "05/21/2026,2,ann,5,5\n").said


def test_an_order_of_squarespace_without_a_time_of_payment_is_of_the_day_when_it_was_made(tmp_path: Path) -> None:
    header = "Order ID,Email,Financial Status,Paid at,Amount Refunded,Total,Created at,Lineitem name\n"
    lines = "1,a@x.y,PAID,,0,50,2026-01-05 10:00:00 -0500,Cup\n1,,,,,,,Plate\n"
    file = read(tmp_path, header + lines + "2,b@x.y,PAID,2026-01-07 10:00:00 -0500,0,5,2026-01-06 10:00:00 -0500,Cup\n")
    assert [event.timestamp.day for event in file.events] == [5, 7]
    assert (file.figures.money, file.tally.continuations, file.rejects) == (55, 1, [])
