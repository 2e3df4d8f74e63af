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
        "updated_at": (
            *("updatedat", "lastupdated", "lastupdateddate", "modifiedat", "lastmodified", "datemodified"),
            *("datemodifiedgmt", "modifieddate", "modifiedon", "modificationdate", "updatedon", "dateupdated"),
            *("updateddate", "lastupdate", "lastupdatedat", "lastmodifiedat", "lastmodifieddate", "lastchanged"),
            *("lastchangedat", "changedat", "changedon", "lastedited", "editedat", "zuletztgeandert", "geandertam"),
            *("letzteanderung", "anderungsdatum", "aktualisiertam", "datedemodification", "modifiele"),
            *("fechademodificacion", "ultimamodificacion", "modificadoel", "datamodifica", "datadimodifica"),
            *("ultimamodifica", "laatstgewijzigd", "gewijzigdop", "wijzigingsdatum", "datamodyfikacji"),
            *("ostatniamodyfikacja", "datademodificacao", "ultimaalteracao", "atualizadoem", "modificadoem"),
        ),
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


_TOWNS_AND_KINDS = (
    " city|stadt|ort | ville|ciudad|citta |cidade|miasto|plaats|region|provin|country|land |pays |pais |paese|kraj "
    "| state | zip|plz|postc|postal|street|strasse|location| age |alter |edad|leeftijd|idade| eta |wiek |gender"
    "|geschlecht|sexe|sexo|sesso|geslacht|plec | sex |segment|categor|kategor|tier |level"
)
_ONE_PIECE = _parts(
    """
    _unit_price unitprice unit_original_price unit_sale_price price_each each_price price_per_ per_unit per_piece
    per_item unitaire einzelpr stuckpr stueckpr einheitspr preis_pro_ preis_je_ pro_stuck je_stuck pro_stueck
    je_stueck preis_stuck preis_stueck prix_unit prezzo_unit precio_unit preco_unit cena_jedn _ep_ _p_u_ _pu_ unitari
    por_unidad al_pezzo stukspr stukpr eenheidspr per_stuk prijs_per jednostk za_sztuke
    """
)
"""The price of one piece, in the order of the languages below."""
_OF_ONE_PIECE = "|".join(map(re.escape, _ONE_PIECE))
_COST_OR_WEIGHT = (
    "purchase price|cost price|cost of|unit cost|item cost|einkauf|inkoop|wholesale|prix d achat|prix de revient"
    "|precio de (?:compra|cost)|prezzo d[i ]*acquisto|preco de (?:compra|custo)|cena zakupu| ek "
    "|weight|gewicht|poids| peso |waga|points|punkte|puntos|punti |punten|pontos|punkty"
    "|commission|kommission|provision|comision|commissi|comissao|prowizj| tip |tips |trinkgeld|pourboire|propina"
    "|mancia|fooi|gorjeta|napiwek|wertung|rating|score|balance|saldo|solde|margin|marge |profit|limit| due |outstanding"
    "|voucher|gutschein|gift|debit|exchange|rate |total (?:d )?(?:items|artic)|totale articoli|aantal| nombre|savings"
    "|ersparnis|list price|price list|preisliste|listenpr|streichpr| barre|original price|compare|uvp|msrp| rrp"
    "| cost| du $|offen|pendiente|wertig|review"
)
_PAID_BACK = "refund|erstatt|rueckzahl|ruckzahl|gutschr|rembours|reembols|rimbors|terugbeta|zwrot|zwroc|estorn"
# "Including tax" is no amount of the tax.
_INCLUDING = re.compile(
    r" (?:in[ck][a-z]*|avec|con|com|c|mit|with|met|z|before|avant|vor|antes de|prima di|voor|przed) [a-z]+"
    r"| (?:tax|vat) in[ck][a-z]*(?= )| numberdecimal"
)
# Of two columns that may be a field's, the other one.
_LAST = re.compile(
    r" ex tax| excl| exkl| ohne | zzgl|hors taxe| ht | s iva| net |netto|subtotal| sub total|zwischensumm|sous total"
    r"| de reference | de referencia| di riferimento|referentie|referenztrans"
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
            acquirente klant klient koper consumer shopper payer debitor _cust_ nabywc
            mitglied empfanger _party_ membre miembro membro bill_to user member usuario utente
            """
        ),
        re.compile(
            _TOWNS_AND_KINDS + r"|tipo |marketing|mailing|newsletter|subscri|opt in|accept|consent|tax |vat |score"
            r"|grup|groep|seit |sinds |desde |depuis | dal | od |anrede|title|rank|opened|clicked|wert |bewert"
            r"|points|loyal|rating|review|customer order|order count|lifetime|url|link"
            r"| note|notiz| nota| not[ae]s? |remark|comment|kommentar|bemerk|message|amount|betrag|total|group"
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
            _achete_ gekauft gekocht comprad acquistat created creat _cree crea
            erstell angelegt aangemaakt utworz date_add _date_ _datum_ _fecha_ _data_
            _dia_ _day_ datum date fecha data zeit czas wann when time dia day paid_at
            """
        ),
        re.compile(
            _PAID_BACK + r"|ship|versand|versend|expedi|spedi|wysyl|verzend|dispatch| due |fallig|faellig|echeance"
            r"|envio|abhol|pickup|regist|inscri|rejestr|days |mahn|export|today|heute|renewal"
            r"|vencim|scaden|vervald|expir|ablauf|valid|gultig|cancel|storn|annul|anul|return|retour|typ|candid"
            r"|source|status|number|nummer| id |first|last |previous|next |promised|expected|estimated|arriv"
            r"|lifetime|birth|geburt|naiss|nacim|nascit|nasc |urodz|updat|modif|geandert|available|transfer|zone"
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
            _total_ _totale_ _totaal_ _razem_ _gross_ _brutto_ _bruto_ _lordo_ avant_commission
            betr gesamt umsatz summe wert montant importe
            importo bedrag valor kwota wartosc suma amount total gross revenue brutto price value preis prix precio
            prezzo prijs preco cena _sum netto _net_
            """
        ),
        re.compile(
            f"{_PAID_BACK}|{_OF_ONE_PIECE}|{_COST_OR_WEIGHT}|return|retour|chargeback|devoluc|credit note"
            r"|cents|money amount| orders |lifetime"
            r"|gebuhr|fee|steuer|mwst|ust |tax|vat | tva| iva|btw|versand|shipping|shipment|livraison|envio"
            r"|spedizione|verzend|frete|dostaw|porto |rabatt|discount|remise|descuento|sconto|korting|desconto"
            r"|rabat|bewert|facing|status|date|datum|currency|wahrung|devise|moneda|valuta|waluta|count|anzahl"
            r"|menge|quantit|nummer|number| id | nr |type|customer|kunde"
        ),
    ),
    "unit_price": _Likely(
        _ONE_PIECE,
        re.compile(f"{_PAID_BACK}|{_COST_OR_WEIGHT}"),
    ),
    "items_count": _Likely(
        _parts(
            """
            quantity qty menge stuckzahl stueckzahl anzahl _stuck_ _stueck_ quantite _qte_ hoeveelheid _stk_ _anz_
            _q_ta_ cantidad unidades _cant_ quantita _qta_ pezzi aantal stuks quantidade _qtd_ _qtde_ ilosc sztuk
            _szt_ _pieces_ _pcs_ _units_ units_sold
            """
        ),
        re.compile(
            _PAID_BACK + r"|return|retour|cancel|storn|stock|lager|bestand|availab|verfugbar|shipped|delivered|gelief"
            r"|versend|fulfil|invoiced| min |max |open |offen|backorder|price|preis|prix|prijs|cena |precio|prezzo"
            r"|devuelt| resa |voorraad|livre|bestellingen|pedidos|commandes|ordini"
            r"|preco|amount|betrag|orders|bestellungen|kunden|customer|besuch|visit|weight|discount|rabatt|tax"
        ),
    ),
    "product": _Likely(
        _parts("sku artik articl articolo articulo artigo product produkt produit produto prodotto item bezeichnung"),
        re.compile("price|preis|prix|prijs|cena |precio|prezzo|preco|amount|betrag|quantit|menge|aantal|total|count"),
    ),
    "order_id": _Likely(
        _parts(
            """
            order_n order_ref order_id ordernumber orderid id_order increment bestellnr bestellnummer bestell_nr
            bestell_id auftragsn auftrags_nr numero_de_commande numero_de_la_commande n_de_commande no_commande
            numero_commande n_commande n_cde no_cde id_commande numero_de_pedido numero_del_pedido numero_pedido
            id_pedido n_pedido n_de_pedido numero_ordine numero_d_ordine n_ordine id_ordine bestelnummer bestelnr
            ordernr ordernummer order_nummer numero_do_pedido numer_zamow nr_zamow id_zamow rechnungsn belegn
            vorgangsn invoice_n factuurn numero_de_facture numero_de_factura numero_fattura numero_da_fatura
            numer_faktury nr_faktury factuur transaction_id transaktionsc transaktionsn
            numero_de_transaction numero_transaction
            n_de_transaction id_de_transaction id_transaction codigo_de_transaccion id_de_transaccion
            codice_transazione id_transazione transactiecode transactie_id codigo_da_transacao id_da_transacao
            numer_transakcji id_transakcji charge_id source_id receipt_n receipt_id basket_id cart_id beleg_n bill_n
            bill_id sale_n sales_n sale_id document_n doc_n =bestellung =bestelling =auftrag =vorgang =basket =cart
            ticket_n bon_n kassenbon reference referenz referencia riferimento invoice facture factura fattura fatura
            commande pedido ordine zamowieni _order_ =id =numero =nummer =number =nr =numer
            """
        ),
        re.compile(
            r"(?<! order )(?<! order)name |mail| city|stadt|ort | ville|source|channel|kanal|quelle|origin| day |time"
            r"|zeit|weight|gewicht|price|preis|prix|precio|prezzo|prijs|preco|cena| por | par | von | by |employee"
            r"|nom de |nombre de |nome |naam |address|adresse|direcci|indirizzo|origen| canal| jour | poids| peso "
            r"| moyen | mode | nb |size|rank|comment| tags | paid|pagad|bezahlt"
            r"|confirmed| sent | pdf |lang| ip |hour|heure| hora | ora "
            r"|month| mois | mes |monat|week|woche"
            r"|mitarbeiter|staff|agent|phone|country|region|method|coupon|group|parent|value|wert "
            r"|date|datum|fecha| data |total|summe|amount|montant|importe|importo|valor|kwota|status|statut"
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
            r"civil|cywil|burger|envio|spediz|verzend|wysyl|dostaw|entrega|konto"
            r"|marital|familienst|tax|vat|tva| iva |steuer|employ|account|member|mail|subscri|marketing|stock"
            r"|fulfil|shipping|ship to|versand|liefer|livraison|provin|address|customer|kund|country|buyer|billing"
        ),
    ),
    "refunded": _Likely(
        _parts(
            _PAID_BACK.replace("|", " ")
            + """ _returned_ return_amount amount_return returns_amount _returns_ retourenbetrag retourbetrag
            retourenwert _retoure_ _retouren_ credit_note_total credit_note_amount chargeback_amount devoluc _reso_
            _resi_ _retours_ credit_note _avoirs_ _avoir_ devuelt devolvid teruggest
            importo_reso retourbedrag montant_retour
            montant_des_retours gross_debit"""
        ),
        re.compile(
            r"refundable|erstattbar|boursable|bolsable|borsabil|taalbaar| am | le | el | on | il |eligible|possible|fee"
            r"|date|datum|fecha| data |reason|grund|motif|motivo|powod| id |number|nummer|numero|status|count"
            r"|anzahl|type|quantit|menge|qty|items|email|policy|window|url|(?<!credit )note| by | at |method|code"
        ),
    ),
}
_PRICE = re.compile("price|preis|prix|precio|prezzo|prijs|preco|cena")
_TOTAL = re.compile(
    "total|gesamt|totaal|razem|order|bestell|commande|pedido|ordine|zamow|line|row|zeile|ligne|paid|sum"
)
_LONGEST_NAME = 100


def _holds(words: str, part: str) -> bool:
    return words == f" {part[1:]} " if part.startswith("=") else part in words


def is_other(field: str, name: str) -> bool:
    """Return whether the name of a column says that it is no field's, whatever else it holds."""
    return _LIKELY[field].never.search(_INCLUDING.sub(" ", words_of(name))) is not None


def likely(field: str, header: Sequence[str], taken: Container[str]) -> list[str]:
    """Return the columns of a header that may be a field's by their names, the likeliest first; `taken` are others'."""
    known = _LIKELY.get(field)
    if known is None:
        return []
    of_name = {name: words_of(name) for name in header if name not in taken and len(name) <= _LONGEST_NAME}
    possible = {name: words for name, words in of_name.items() if not is_other(field, name)}
    ranked = sorted(possible, key=lambda name: _LAST.search(possible[name]) is not None)
    return list(dict.fromkeys(name for part in known.parts for name in ranked if _holds(possible[name], part)))


def likeliest(field: str, header: Sequence[str], taken: Container[str]) -> str | None:
    """Return the column of a header whose name is likeliest a field's, None if none is; `taken` ones are others'."""
    return next(iter(likely(field, header, taken)), None)


def is_price(name: str) -> bool:
    """Return whether a column is called a price, of which its name does not say whether it is that of one piece."""
    return _PRICE.search(words := words_of(name)) is not None and _TOTAL.search(words) is None
