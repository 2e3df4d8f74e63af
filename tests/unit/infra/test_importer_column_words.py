"""What the names of columns are taken for, in eight languages: fields of orders, and what only sounds like them."""

import pytest

from infra.tools.importer.column_words import likely

LIKELY = {
    "customer_id": (
        "Customer ID,Cust No,Nabywca,Kundennummer,Kunden-Nr.,Kunde,K\u00e4ufer,E-Mail,E-Mail-Adresse,Email Address,"
        "Adresse e-mail,Correo electr\u00f3nico,Courriel,Client,N\u00b0 client,Code client,ID cliente,Cliente,"
        "Codice cliente,Klantnummer,Klant,C\u00f3digo do cliente,Comprador,Acquirente,Acheteur,ID klienta,"
        "Klient,Benutzername,Consumer name,Shopper Reference,Buyer Username,Billing Email,Bill-to Name,"
        "User pseudo ID,Username (Buyer),Nom du client,orderCustomer.email,billing_address.email,"
        "K\u00e4ufer-Benutzer-ID"
    ),
    "timestamp": (
        "Order Date,Bestelldatum,Datum,Fecha,Data,Date de commande,Fecha del pedido,Data ordine,"
        "Orderdatum,Besteldatum,Data do pedido,Data zam\u00f3wienia,Kaufdatum,Rechnungsdatum,Belegdatum,"
        "Erstellt am,Cr\u00e9\u00e9 le,Created At,Purchased on,Verkauft am,Date,Creation Date,"
        "Order Creation Date,Transaction Date,Order placed,Paid at,capture_date,Datum/Uhrzeit,Day,"
        "created_timestamp,Bestellt am,Achet\u00e9 le,Document Date,Invoice date,Auftragsdatum,"
        "order_purchase_timestamp,Date (UTC),Dia,Fecha de venta,creationDate,date_add"
    ),
    "order_value": (
        "Gesamtbetrag,Bestellsumme,Summe,Betrag,Gesamt,Montant total,Montant TTC,Montant du panier,"
        "Montant de la commande,Total TTC,Importe total,Importe,Totale ordine,Totale,Totaalbedrag,"
        "Totaal incl. btw,Valor total,Valor total do pedido,Warto\u015b\u0107 zam\u00f3wienia,Kwota,Razem brutto,"
        "Order Total,Total incl. tax,amountTotal,invoiceAmount,Umsatz,Gross Sales,Total Sales,"
        "Total paid,paid_amount,Spesa totale,Sale Price ($),Warenwert,Endsumme brutto,Rechnungsbetrag,"
        "Line amount,pricingSummary.total,totalPriceSet,Total (CLP),grand_total"
    ),
    "order_id": (
        "Order ID,Bestellnummer,Bestell-Nr.,Auftragsnummer,N\u00b0 de commande,Num\u00e9ro de commande,"
        "N\u00famero de pedido,Numero ordine,Bestelnummer,Ordernummer,N\u00famero do pedido,Numer zam\u00f3wienia,"
        "Rechnungsnummer,Invoice No,Belegnummer,Receipt number,Transaction ID,R\u00e9f commande,R\u00e9f\u00e9rence,"
        "Order reference,Riferimento,increment_id,Order Number,AmazonOrderId,Psp Reference,"
        "Merchant Reference,Num\u00e9ro de transaction,basket_id,Pedido,Order,Commande,Order name"
    ),
    "status": (
        "Status,Order Status,Bestellstatus,Statut,\u00c9tat de la commande,Estado del pedido,Stato ordine,"
        "Situa\u00e7\u00e3o do pedido,Status zam\u00f3wienia,orderPaymentStatus,displayFinancialStatus,Finanzstatus,"
        "transactions.state,Zahlungsstatus"
    ),
    "refunded": (
        "Erstattungsbetrag,Refunded Amount,Montant rembours\u00e9,Importe reembolsado,Importo rimborsato,"
        "Terugbetaald bedrag,Valor reembolsado,Kwota zwrotu,Total Refunded,totalRefundedSet,"
        "Gesamt erstattet,Partial Refund ($),Anulaciones y reembolsos (CLP),Return amount,Retourenbetrag,"
        "Retoure,Returns,Credit note total,Chargeback amount,Devoluci\u00f3n,Reso,Devolu\u00e7\u00f5es,Retours,"
        "Montant retourn\u00e9,Avoir,Zwroty,Retourbedrag,Importe devuelto,Valor devolvido,Importo reso,"
        "Total returned,Refund,R\u00fcckerstattet,Teruggestort"
    ),
    "items_count": (
        "Menge,Anzahl,Quantit\u00e9,Qt\u00e9,Cantidad,Quantit\u00e0,Aantal,Quantidade,Ilo\u015b\u0107,Qty,"
        "Qty Ordered,"
        "Pieces,Units,St\u00fcckzahl,Anzahl Artikel,Items quantity,Number of pieces (pcs)"
    ),
}
NEVER = {
    "customer_id": (
        "Customer City,Kundenalter,Kundenstadt,Customer Region,Customer Gender,Mailing list,"
        "Accepts Email Marketing,Tipo de cliente,"
        "Ville client,Ciudad cliente,Citt\u00e0 cliente,Woonplaats klant,Cidade do cliente,Miasto klienta,"
        "\u00c2ge du client,Edad cliente,Et\u00e0 cliente,Leeftijd klant,Idade do cliente,Wiek klienta,"
        "Groupe client,Grupo de clientes,Gruppo cliente,Klantgroep,Grupa klient\u00f3w,Type client,"
        "Tipo cliente,Typ klienta,Nouveau client,Klant sinds,Cliente desde,Cliente dal,Kunde seit,"
        "Client depuis,Klient od,Pays client,Anrede Kunde,Customer Title,Customer rank,Customer VAT,"
        "Buyer note,User agent,Email opened,Email Marketing,Email status,Kundenwert,Kundenbewertung,"
        "Kundenrabatt,Buyer phone,Customer order number,Client IP"
    ),
    "timestamp": (
        "Ship Date,Due date,F\u00e4lligkeitsdatum,Refund date,Stornodatum,Datatype,Candidate,Lieferdatum,"
        "Date d'exp\u00e9dition,Fecha de env\u00edo,Data spedizione,Verzenddatum,Data de envio,Data wysy\u0142ki,"
        "Date d'\u00e9ch\u00e9ance,Fecha de vencimiento,Data scadenza,Vervaldatum,Data de vencimento,"
        "Termin p\u0142atno\u015bci,Date de remboursement,Fecha de reembolso,Date d'annulation,"
        "Fecha de cancelaci\u00f3n,Data annullamento,Annuleringsdatum,Data zwrotu,Date de livraison,"
        "Fecha de nacimiento,Data di nascita,Data urodzenia,Fecha de entrega,Delivery time,Time zone,"
        "Abholdatum,Pickup date,Letzte \u00c4nderung,Derni\u00e8re commande,\u00daltima compra,Prima ordine,"
        "Erste Bestellung am,Customer since,Registration date,Registrierungsdatum,Fecha de registro,"
        "Date d'inscription,Data rejestracji,Days since,Payment due,Zahlungsziel,Mahndatum,Export date,"
        "Today"
    ),
    "order_value": (
        "St\u00fcckpreis,Einzelpreis,Price per unit,Total weight,Gesamtgewicht,Total points,"
        "Commission amount,Einkaufspreis,Tip amount,Wertung,Unit original price,"
        "Poids total,Peso total,Peso totale,Totaalgewicht,Waga ca\u0142kowita,Points totaux,Puntos totales,"
        "Prix d'achat,Precio de coste,Prezzo di acquisto,Inkoopprijs,Cena zakupu,Commission totale,"
        "Comisi\u00f3n total,Pourboire,Frais de port,Gastos de env\u00edo,Spese di spedizione,Verzendkosten,"
        "Koszt dostawy,Frete,Total TVA,Remise totale,Descuento total,Montant d\u00fb,Saldo,"
        "Nombre total d'articles,Total art\u00edculos,Totale articoli,Totaal aantal,Total items,"
        "Total quantity,Total orders,Gesamtanzahl,Net profit,Gross margin,Gross weight,Total savings,"
        "Ersparnis gesamt,UVP,List price,Listenpreis,Streichpreis,Prix barr\u00e9,Original price,"
        "Compare at price,Preisliste,Price list,Kreditlimit,Kaution,Deposit,Pfand,Payment fee,"
        "Total cost,Wertigkeit,Summe Rabatte,Steuerbetrag,Amount due,Betrag offen,Total discount,"
        "Total reviews"
    ),
    "status": (
        "Estado civil,VAT status,Statut TVA,"
        "\u00c9tat civil,Stato civile,Burgerlijke staat,Stan cywilny,Statut TVA,Estado del env\u00edo,"
        "Stato spedizione,Verzendstatus,Status wysy\u0142ki,Estado de env\u00edo,Statut de livraison,Kontostatus,"
        "Account status,Versandstatus"
    ),
    "order_id": (
        "Rechnungsname,Invoice Email,Invoice Name,Invoice City,Order Source,Order Channel,Order Day,"
        "Order weight,Order Employee Name,Reference price,Pedido por,"
        "Nom de facturation,Nombre de facturaci\u00f3n,Nome fatturazione,Factuurnaam,Ville de facturation,"
        "Adresse de facturation,Source de commande,Origen del pedido,Canale ordine,Jour de commande,"
        "Poids commande,Moyen de paiement commande,Mode de commande,Nb commandes,Order type,Order size,"
        "Order rank,Order currency,Order comment,Bestellweg,Bestellart,Auftragsart,Belegart,"
        "Order tags,Order count,Number of orders,Order discount,Bestellung bezahlt,Order paid,"
        "Order confirmed,Rechnungsadresse,Rechnungsland,Invoice sent,Invoice PDF,Customer reference,"
        "Order language,Order IP,Order hour,Heure commande,Order month,Pedido pagado"
    ),
    "items_count": (
        "Returned quantity,Qty refunded,Anzahl Bestellungen,Lagermenge,"
        "Nb commandes,Cantidad devuelta,Quantit\u00e0 resa,Ilo\u015b\u0107 zwr\u00f3cona,Aantal retour,"
        "Anzahl Bestellungen,"
        "Aantal bestellingen,Cantidad de pedidos,Quantit\u00e9 en stock,Voorraad aantal,Quantit\u00e9 livr\u00e9e,"
        "Total quantity discount"
    ),
    "unit_price": ("Unit cost,Unit discount,Unit tax,Einzelpreis EK,Weight per unit,Unit weight,Unit price refunded"),
    "refunded": ("Refundable,Erstattet am,Refunded by,Remboursable"),
}


@pytest.mark.parametrize(("field", "names"), LIKELY.items())
def test_names_are_known_for_what_they_are(field: str, names: str) -> None:
    assert [name for name in names.split(",") if not likely(field, [name], ())] == []


@pytest.mark.parametrize(("field", "names"), NEVER.items())
def test_names_of_something_else_are_proposed_for_no_field(field: str, names: str) -> None:
    assert [name for name in names.split(",") if likely(field, [name], ())] == []
