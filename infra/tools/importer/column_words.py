"""What shops call their columns, in eight languages: one table of usual names, and one of what likely names hold."""

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass

from infra.tools.importer.export_format import Kind, words_of

# What shops call their columns, the likeliest first; compared as `plain` writes them.
SYNONYMS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "orders": {
        "customer_id": (
            *("customerid", "customer", "custid", "cust", "customernumber", "customerno", "userid", "user"),
            *("clientid", "client", "buyerid", "buyer", "memberid", "visitorid"),
            *("customeremail", "buyeremail", "billingemail", "email", "emailaddress"),
        ),
        "timestamp": (
            *("timestamp", "orderdate", "orderedat", "ordertime", "orderdatetime", "invoicedate", "purchasedate"),
            *("transactiondate", "datetime", "date", "time", "ts", "createdat", "created", "dateadded", "datecreated"),
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
            *("isrefunded", "isreturned", "isvoided", "voided", "voidedat", "canceledon", "cancelledon"),
            *("storniert", "storno", "storniertam", "annulee", "annule", "cancelado", "anulado", "annullato"),
            *("geannuleerd", "anulowane"),
        ),
        "status": (
            *("orderstatus", "status", "financialstatus", "paymentstatus", "orderstate", "state"),
            *("bestellstatus", "auftragsstatus", "zahlungsstatus", "statut", "statutdelacommande", "statutcommande"),
            *("etat", "etatdelacommande", "etatcommande", "etatdupaiement", "estado", "estadodelpedido"),
            *("estadopedido", "estadodopedido", "estadodelpago", "stato", "statoordine", "statodellordine"),
            *("statopagamento", "bestelstatus", "betaalstatus", "situacao", "situacaodopedido", "statuszamowienia"),
            *("stanzamowienia", "statusplatnosci", "stan"),
        ),
        "refunded": (
            *("refundedamount", "amountrefunded", "refundedtotal", "totalrefunded", "refundamount", "refundtotal"),
            *("refundvalue", "refunded", "refund", "totalrefund", "amountrefund", "refundstotal", "totalrefunds"),
            *("totalrefundamount", "refundedvalue", "orderrefundamount", "returnedamount", "amountreturned"),
            *("erstattungsbetrag", "erstatteterbetrag", "erstattetebetrage", "erstattung"),
            *("ruckerstattungsbetrag", "rueckerstattungsbetrag", "ruckerstatteterbetrag", "ruckerstattung"),
            *("ruckzahlungsbetrag", "montantrembourse", "montantduremboursement", "totalrembourse"),
            *("montantremboursement", "montanttotalrembourse", "importereembolsado", "totalreembolsado"),
            *("importedelreembolso", "montoreembolsado", "cantidadreembolsada", "importorimborsato"),
            *("importodelrimborso", "importorimborso", "totalerimborsato", "totalerimborso"),
            *("terugbetaaldbedrag", "bedragterugbetaald", "terugbetalingsbedrag", "totaalterugbetaald"),
            *("valorreembolsado", "valordoreembolso", "valorestornado", "valorrestituido", "kwotazwrotu"),
            *("zwroconakwota", "kwotazwrocona", "wartosczwrotu"),
        ),
        "currency": ("currency", "currencycode", "ordercurrency"),
        "updated_at": ("updatedat", "lastupdated", "lastupdateddate", "modifiedat", "lastmodified", "datemodified"),
        "product": (
            *("sku", "productsku", "productid", "product", "productcode", "productname", "stockcode", "itemid"),
            *("itemcode", "itemsku", "itemname", "item", "articleid", "articleno", "articlenumber", "article", "asin"),
            *("variantid", "variantsku", "variant", "lineitemsku", "lineitemname", "artikelnummer", "artikelnr"),
            *("artikel", "produkt", "produit", "producto", "prodotto", "produto", "description"),
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


@dataclass(frozen=True, slots=True)
class _Likely:
    """What the name of a column holds that may be a field's."""

    parts: tuple[str, ...]
    """The likeliest first; a blank stands for the begin or the end of a word, ``=`` for the whole name."""
    never: re.Pattern[str]
    """What the name of no such column holds."""


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.replace("_", " ") for part in text.split())


_PAID_BACK = "refund|erstatt|rueckzahl|ruckzahl|gutschr|rembours|reembols|rimbors|terugbeta|zwrot|zwroc|estorn"
# "Including tax" is no amount of the tax.
_INCLUDING = re.compile(r" (?:in[ck][a-z]*|avec|con|com|mit|with|met|z) [a-z]+| (?:tax|vat) in[ck][a-z]*(?= )")
# Of two columns that may be a field's, the other one.
_LAST = re.compile(
    r" ex tax| excl| exkl| ohne | zzgl|hors taxe| ht | net |netto|subtotal| sub total|zwischensumm|sous total"
)
# In each first English, then German, French, Spanish, Italian, Dutch, Portuguese and Polish; a guess is only shown.
_LIKELY = {
    "customer_id": _Likely(
        _parts(
            """
            customer_id customer_no customer_nu kundennummer kundennr kunden_nr kundenid kunden_id numero_client
            numero_de_client n_client id_client code_client id_cliente numero_de_cliente numero_cliente codigo_cliente
            codice_cliente codigo_do_cliente klantnummer klantnr klant_id numer_klienta nr_klienta id_klienta mail
            courriel correo username nutzername benutzer pseudo customer buyer client kund kaufer acheteur compr
            acquirente klant klient koper bill_to user member usuario utente
            """
        ),
        re.compile(
            r" note|notiz| nota| not[ae]s? |remark|comment|kommentar|bemerk|message|amount|betrag|total|group"
            r"|gruppe|type|typ |phone|telefon|agent|seller|currency|langu|sprache|date|datum|status|discount"
            r"|rabatt|count| number of | new |neukund|nouveau|nuev|nuov| ip |adresse ip|first|last|vorname"
            r"|nachname|prenom|since|birth|code postal"
        ),
    ),
    "timestamp": _Likely(
        _parts(
            """
            order_date orderdate date_ordered ordered purchas placed bestelldatum auftragsdatum bestellt
            date_de_commande date_de_la_commande date_commande fecha_del_pedido fecha_de_pedido fecha_pedido
            data_ordine data_dell_ordine data_d_ordine besteldatum orderdatum data_do_pedido data_pedido
            data_zamowienia data_zlozenia sale_date sold_on verkauft_am verkaufsdatum verkocht invoice_date
            rechnungsdatum belegdatum date_de_facture fecha_de_factura data_fattura factuurdatum data_da_fatura
            created creat _cree crea erstell angelegt aangemaakt utworz date_add _date_ _datum_ _fecha_ _data_ _dia_
            _day_ datum date fecha data zeit czas wann when time dia day paid_at
            """
        ),
        re.compile(
            r"lifetime|birth|geburt|naiss|nacim|nascit|nasc |urodz|updat|modif|geandert|available|transfer|zone"
            r"|zona|meta|delivery|liefer|livraison|entrega|consegna"
        ),
    ),
    "order_value": _Likely(
        _parts(
            """
            order_total ordertotal order_amount order_value grand_total g_t_ bestellsumme bestellwert auftragssumme
            auftragswert gesamtbetrag gesamtsumme gesamtpreis rechnungsbetrag rechnungssumme endbetrag
            total_de_la_commande total_commande montant_total montant_ttc importe_total total_del_pedido total_pedido
            totale_ordine importo_totale totaalbedrag ordertotaal valor_total total_do_pedido wartosc_zamowienia
            kwota_zamowienia suma_zamowienia amount_total total_amount total_paid total_price total_sales net_sales
            _total_ _totale_ _totaal_ _razem_ _gross_ _brutto_ _bruto_ betr gesamt umsatz summe wert montant importe
            importo bedrag valor kwota wartosc suma amount total gross revenue brutto price value preis prix precio
            prezzo prijs preco cena _sum netto _net_
            """
        ),
        re.compile(
            _PAID_BACK + r"|return|cents|money amount| orders |lifetime"
            r"|gebuhr|fee|steuer|mwst|ust |tax|vat | tva| iva|btw|versand|shipping|shipment|livraison|envio"
            r"|spedizione|verzend|frete|dostaw|porto |rabatt|discount|remise|descuento|sconto|korting|desconto"
            r"|rabat|bewert|facing|status|date|datum|currency|wahrung|devise|moneda|valuta|waluta|count|anzahl"
            r"|menge|quantit|nummer|number| id | nr |type|customer|kunde"
        ),
    ),
    "order_id": _Likely(
        _parts(
            """
            order_n order_ref order_id ordernumber orderid id_order increment bestellnr bestellnummer bestell_nr
            bestell_id auftragsn auftrags_nr numero_de_commande numero_de_la_commande n_de_commande no_commande
            numero_commande n_commande id_commande numero_de_pedido numero_del_pedido numero_pedido id_pedido n_pedido
            n_de_pedido numero_ordine numero_d_ordine n_ordine id_ordine bestelnummer ordernummer order_nummer
            numero_do_pedido numer_zamow nr_zamow id_zamow rechnungsn belegn vorgangsn invoice_n factuurn
            numero_de_facture numero_de_factura numero_fattura numero_da_fatura numer_faktury transaction_id
            transaktionsc transaktionsn charge_id source_id receipt_n receipt_id basket_id cart_id ticket_n bon_n
            kassenbon reference referenz referencia riferimento invoice facture factura fattura fatura commande pedido
            ordine zamowieni _order_ =id
            """
        ),
        re.compile(
            r"date|datum|fecha| data |total|summe|amount|montant|importe|importo|valor|kwota|status|statut"
            r"|stat[oe]|etat|estado|note|notiz|item|artikel|article|product|line|zeile|url|key|type|customer"
            r"|kund|client|klant|klient|currency|count|anzahl|refund|shipment|payment|tracking"
        ),
    ),
    "status": _Likely(
        _parts(
            """
            order_status bestellstatus auftragsstatus etat_de_la_commande statut_de_la_commande estado_del_pedido
            stato_dell_ordine bestelstatus estado_do_pedido status_zamowienia status _state_ statut stato estado
            situac zustand _etat stan_
            """
        ),
        re.compile(
            r"fulfil|shipping|ship to|versand|liefer|livraison|provin|address|customer|kund|country|buyer|billing"
        ),
    ),
    "refunded": _Likely(
        _parts(_PAID_BACK.replace("|", " ") + " _returned_"),
        re.compile(
            r"date|datum|fecha| data |reason|grund|motif|motivo|powod| id |number|nummer|numero|status|count"
            r"|anzahl|type|quantit|menge|qty|items|email|policy|window|url|note| by | at |method|code"
        ),
    ),
}
_LONGEST_NAME = 100


def _holds(words: str, part: str) -> bool:
    return words == f" {part[1:]} " if part.startswith("=") else part in words


def likeliest(field: str, header: Sequence[str], taken: Container[str]) -> str | None:
    """Return the column of a header whose name is likeliest a field's, None if none is; `taken` ones are others'."""
    likely = _LIKELY.get(field)
    if likely is None:
        return None
    of_name = {name: words_of(name) for name in header if name not in taken and len(name) <= _LONGEST_NAME}
    possible = {name: words for name, words in of_name.items() if not likely.never.search(_INCLUDING.sub(" ", words))}
    ranked = sorted(possible, key=lambda name: _LAST.search(possible[name]) is not None)
    return next((name for part in likely.parts for name in ranked if _holds(possible[name], part)), None)
