"""The exports of payments and of marketplaces: see `infra.tools.importer.formats`."""

import re

from infra.tools.importer.export_format import Format, names

_NO_PAYMENT = re.compile(
    r".*(withdraw|transfer|deposit|conversion|hold|fee|authorization|order$|add funds|cart item|payout|adjustment"
    r"|release|reserve|abbuchung|bankgutschrift|\u00fcberweisung|umrechnung|einbehalt|geb\u00fchr|autorisierung|bestellung$"
    r"|freigabe|auszahlung|r\u00fccklage|loan|invoice sent|request (sent|received)|money request|interest|cashback"
    r"|reward|incentive|dividend|gift certificate|update to|cancell?ed payment|subscription c(reation|ancel)"
    r"|payment profile|\bvoid\b|correction|darlehen|kredit(?!kart)|rechnung gesendet|zahlungsanforderung"
    r"|zahlungsstornierung|zinsen|geschenkgutschein"
    r"|virement|retrait|transfert|autoris|retenue|suspension|frais|retirada|retiro|transferencia|autoriza|retenci"
    r"|comisi|prelievo|bonifico|trasferimento|autorizza|trattenut|blocco|commission|opname|overboeking|omrekening"
    r"|blokkering|kosten|conversi).*",
    re.IGNORECASE,
)
# A dispute that was won, or a chargeback that was reversed.
_GIVEN_BACK = re.compile(
    r".*(chargeback|dispute|reversal|r\u00fcckbuchung|storn|terugboek|r\u00e9trofactur|contracargo).*", re.IGNORECASE
)
_PAID_BACK = re.compile(
    r"(?!.*(fee|hold|reserve|einbehalt|geb\u00fchr|frais|retenue|comisi|retenci|commission|trattenut|kosten)).*"
    r"(refund|reversal|chargeback|dispute|r\u00fcckzahlung|erstattung|r\u00fcckbuchung|rembours|reembols|rimbors"
    r"|terugbeta|terugboek|r\u00e9trofactur|contracargo).*",
    re.IGNORECASE,
)
_PAYPAL_STATES = (
    *("refunded", "reversed", "partiallyrefunded", "rembours\u00e9", "effectu\u00e9", "reembolsado", "rimborsato"),
    *("terugbetaald", "zur\u00fcckgezahlt", "teilweisezur\u00fcckgezahlt"),
)
_PAYPAL_NAMES = ("name", "nom", "nombre", "nome", "naam")


MARKETS = (
    Format(
        name="Stripe payments",
        signatures=(
            names("id,Created (UTC),Amount,Amount Refunded,Currency,Status"),
            names("id,Created date (UTC),Amount,Amount Refunded,Currency,Status"),
            names("id,Created,Amount,Amount Refunded,Currency,Status"),
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
        name="Stripe balance",
        signatures=(
            names("balance_transaction_id,created,gross,net,reporting_category"),
            names("balance_transaction_id,created_utc,gross,net,reporting_category"),
            names("id,Type,Source,Amount,Net,Created (UTC)"),
        ),
        fields={
            "customer_id": ("customerid", "customeremail"),
            "fallback": ("customeremail", "customername"),
            "timestamp": ("createdutc", "created"),
            "order_value": ("gross", "amount"),
            "order_id": ("chargeid", "sourceid", "source"),
            "entry_type": ("reportingcategory", "type"),
            "refund_of": ("chargeid", "sourceid", "source"),
            "currency": ("currency",),
        },
        line="item",
        ignored_types=re.compile(r"(?!(charge|payment)$).*", re.IGNORECASE),
        refund_types=re.compile(
            r"(payment_)?refund|dispute|chargeback|adjustment_chargeback|partial_capture_reversal"
            r"|(charge|payment)_(failure|reversal)|dispute_reversal|(payment_)?refund_failure",
            re.IGNORECASE,
        ),
        returned_types=re.compile(r"dispute_reversal|(payment_)?refund_failure", re.IGNORECASE),
    ),
    Format(
        name="Amazon all orders",
        signatures=(
            names("amazon-order-id,purchase-date,order-status,item-price,quantity"),
            names("amazon-order-id,purchase-date,item-price,quantity"),
            names("order-id,order-item-id,purchase-date,buyer-email,item-price"),
            names("amazon-order-id,shipment-id,purchase-date,quantity-shipped,item-price"),
        ),
        fields={
            "customer_id": ("buyeremail", "buyerid", "customerid", "buyername", "recipientname"),
            "fallback": ("buyername", "recipientname"),
            "timestamp": ("purchasedate",),
            "order_value": ("itemprice",),
            "order_id": ("amazonorderid", "orderid"),
            "items_count": ("quantity", "quantitypurchased", "quantityshipped"),
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
            names("Date,Time,Type,Status,Currency,Gross,Transaction ID"),
            names("Date,Time,Type,Status,Currency,Gross,From Email Address"),
            names("Date,Time,Description,Currency,Gross,Transaction ID"),
            names("Datum,Uhrzeit,Typ,Status,W\u00e4hrung,Brutto,Transaktionscode"),
            names("Datum,Uhrzeit,Beschreibung,W\u00e4hrung,Brutto,Transaktionscode"),
            names("Date,Heure,Type,\u00c9tat,Devise,Avant commission,Num\u00e9ro de transaction"),
            names("Fecha,Hora,Tipo,Estado,Divisa,Bruto,Id. de transacci\u00f3n"),
            names("Data,Orario,Tipo,Stato,Valuta,Lordo,Codice transazione"),
            names("Data,Ora,Tipo,Stato,Valuta,Lordo,Codice transazione"),
            names("Datum,Tijd,Type,Status,Valuta,Bruto,Transactiereferentie"),
            names("Datum,Tijd,Type,Status,Valuta,Bruto,Transactie-ID"),
        ),
        fields={
            "customer_id": (
                *("fromemailaddress", "absenderemailadresse", "deladresseemail", "correoelectronicodelremitente"),
                *("indirizzoemailmittente", "daindirizzoemail", "vanemailadres", *_PAYPAL_NAMES),
            ),
            "refund_customer": (
                *("toemailaddress", "empfangeremailadresse", "aladresseemail", "correoelectronicodeldestinatario"),
                *("indirizzoemaildestinatario", "aindirizzoemail", "naaremailadres"),
            ),
            "fallback": _PAYPAL_NAMES,
            "timestamp": ("date", "datum", "fecha", "data"),
            "time_of_day": ("time", "uhrzeit", "heure", "hora", "orario", "ora", "tijd"),
            "time_zone": ("timezone", "zeitzone", "fuseauhoraire", "zonahoraria", "fusoorario", "tijdzone"),
            "order_value": ("gross", "brutto", "avantcommission", "bruto", "lordo"),
            "order_id": (
                *("transactionid", "transaktionscode", "numerodetransaction", "iddetransaccion", "codicetransazione"),
                *("transactiereferentie", "transactieid"),
            ),
            "entry_type": ("type", "description", "typ", "beschreibung", "tipo"),
            "refund_of": (
                *("referencetxnid", "zugehorigertransaktionscode", "numerodetransactiondereference"),
                *("iddereferenciadetrans", "iddetransacciondereferencia", "codicetransazionediriferimento"),
                *("codicediriferimentotransazione", "referentietransactieid", "referentietransactie"),
            ),
            "balance_impact": ("balanceimpact", "auswirkungaufguthaben"),
            "status": ("status", "etat", "estado", "stato"),
            "currency": ("currency", "wahrung", "devise", "divisa", "valuta"),
        },
        line="item",
        # The status of a payment that was paid back says so, and so does the entry that paid it back: one is enough.
        statuses=dict.fromkeys(_PAYPAL_STATES, "counts"),
        ignored_types=_NO_PAYMENT,
        refund_types=_PAID_BACK,
        returned_types=_GIVEN_BACK,
    ),
    Format(
        name="Square transactions",
        signatures=(
            names("Date,Time,Time Zone,Gross Sales,Net Sales,Transaction ID"),
            names("Date,Time,Gross Sales,Total Collected,Transaction ID"),
            names("Date,Time,Gross Sales,Net Sales,Transaction ID"),
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
            names("Sale Date,Order ID,Order Value,Order Total"),
            names("Sale Date,Order ID,Buyer,Order Total"),
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
        signatures=(names("Sale Date,Item Name,Buyer,Quantity,Price,Order ID,Transaction ID"),),
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
            names("Sales Record Number,Order Number,Buyer Username,Total Price,Sale Date"),
            names("Order Number,Buyer Username,Sold For,Sale Date"),
            names("Sales Record Number,Buyer Username,Sale Price,Total Price,Sale Date"),
            names("Bestellnummer,Nutzername des K\u00e4ufers,Verkauft f\u00fcr,Verkauft am"),
        ),
        fields={
            "customer_id": ("buyerusername", "nutzernamedeskaufers", "buyeremail", "buyername"),
            "fallback": ("buyeremail", "emaildeskaufers", "buyername", "namedeskaufers"),
            "timestamp": ("saledate", "verkauftam", "paidondate"),
            "order_value": ("totalprice", "gesamtpreis", "soldfor", "verkauftfur", "saleprice"),
            "order_id": ("ordernumber", "bestellnummer", "salesrecordnumber"),
            "refunded": ("refundedamount", "refundamount", "totalrefund"),
            "status": ("orderstatus", "status"),
        },
        line="total",
        dates="mdy",
    ),
)
