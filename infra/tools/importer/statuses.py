"""What the words mean that shops write for the state of an order: one table, in eight languages."""

import re
from typing import Literal

type StatusClass = Literal["counts", "cancelled", "never"]
"""The order counts; it was taken back; or it never was one: unpaid, a draft, refused."""

STATUS_CLASSES: tuple[StatusClass, ...] = ("counts", "cancelled", "never")

_WORDS: dict[StatusClass, str] = {
    "counts": """
        completed, complete, paid, processing, processed, shipped, unshipped, delivered, fulfilled, unfulfilled,
        invoiced, partially fulfilled, partially shipped, partially refunded, partially paid, partially
        returned, awaiting fulfillment, awaiting fulfilment, awaiting shipment, awaiting pickup, ready for
        pickup, ready to ship, in transit, out for delivery, picked up, shipping, on the way, dispatched,
        despatched, authorized, authorised, captured, succeeded, successful, success, settled, cleared,
        confirmed, accepted, closed, done, finished, active, open, new, received, packed, picking, packing,
        exported, archived, sold, sale, backordered, partial, partialrefund, partial refund, payment, charge,
        charged, approved, ok, order, purchase, payment accepted, payment received, remote payment accepted,
        preparation in progress, in progress, shipped - delivered to buyer, shipped - picked up, shipped - out
        for delivery, delivered to buyer, paid out, paidout, in production, printed, collected, fulfillment,
        partially completed, canceled reversal, cancelled reversal, paypal canceled reversal, teilweise zurückgezahlt,
        placed, processing in progress, on backorder (paid), invoice, sales invoice, sales order,
        tax invoice, sales receipt, rechnung, verkauf, facture, vente, factura, venta, fattura, vendita, factuur,
        verkoop, fatura, venda, faktura, sprzedaż,
        abgeschlossen, bezahlt, versendet, versandt, verschickt, geliefert, zugestellt, ausgeliefert, erledigt,
        fertig, fertiggestellt, in bearbeitung, in zustellung, bearbeitet, bestätigt, fakturiert, teilweise
        erstattet, teilweise versendet, teilweise geliefert, teillieferung, komplett bezahlt, vollständig
        bezahlt, komplett abgeschlossen, versandbereit, bereit zur lieferung, bereit zur abholung, abgeholt,
        genehmigt, neu, erfolgreich, zahlung eingegangen, zahlung akzeptiert, zahlung erhalten, bestellung in
        bearbeitung, teilweise abgeschlossen, komplett ausgeliefert, teilweise ausgeliefert, zur lieferung bereit,
        komplett in rechnung gestellt, teilweise bezahlt, vorbestellung (bezahlt),
        terminée, terminé, terminee, termine, payée, payé, payee, paye, expédiée, expédié, expediee, expedie,
        livrée, livré, livree, livre, en cours, en cours de traitement, en préparation, en preparation, validée,
        validé, validee, valide, confirmée, confirmé, facturée, traitée, remboursée partiellement, partiellement
        remboursée, partiellement remboursé, paiement accepté, en cours de préparation, paiement à distance accepté,
        en attente de réapprovisionnement (payé), préparation en cours, en cours de livraison,
        completado, completada, pagado, pagada, enviado, enviada, entregado, entregada, procesando, en proceso,
        confirmado, confirmada, finalizado, finalizada, facturado, en preparación, parcialmente reembolsado,
        reembolsado parcialmente, pago aceptado, procesado, aprobado, aprobada, pago remoto aceptado, preparación en
        curso, preparación en proceso, en reparto,
        completato, completata, pagato, pagata, spedito, spedita, consegnato, consegnata, evaso, evasa, in
        lavorazione, in elaborazione, confermato, confermata, parzialmente rimborsato, rimborsato parzialmente,
        pagamento accettato, preparazione in corso, in consegna, pagamento remoto accettato,
        voltooid, afgerond, betaald, verzonden, geleverd, bezorgd, afgeleverd, in behandeling, verwerkt,
        gedeeltelijk terugbetaald, deels terugbetaald, bevestigd, verwerken, wordt verwerkt, opgehaald, betaling
        aanvaard, betaling geaccepteerd, wordt momenteel voorbereid,
        concluído, concluido, concluída, concluida, processando, pago, paga, enviada, entregue, em
        processamento, processado, processada, faturado, em separação, em transporte, parcialmente reembolsado,
        despachado, pagamento aceite, pagamento aceito, preparação em andamento, preparação em curso, saiu para entrega,
        zrealizowane, zrealizowano, opłacone, oplacone, zapłacone, wysłane, wyslane, dostarczone, zakończone,
        zakonczone, w trakcie realizacji, w realizacji, przetwarzane, potwierdzone, odebrane, częściowo
        zwrócone, płatność zaakceptowana, przygotowanie w toku, gotowe do wysyłki,
    """,
    "cancelled": """
        cancelled, canceled, cancel, void, voided, refunded, refund, returned, reversed, chargeback, charged back,
        disputed, dispute lost, lost, payment refund, fully refunded, cancelled by customer, canceled by
        customer, cancelled by buyer, cancelled by seller, annulled, revoked, returned to seller, shipped -
        returned to seller, shipped - returning to seller, shipped - rejected by buyer, rejected by buyer,
        shipped - lost in transit, shipped - undeliverable, shipped - damaged, undeliverable, lost in transit,
        credit memo, creditmemo, credit invoice, sales return, stornorechnung, rechnungskorrektur, avoir,
        facture d'avoir,
        factura rectificativa, nota de crédito, nota di credito, creditnota, creditfactuur, faktura korygująca, korekta,
        return, credit, credited, credit note, creditnote, cancellation, cancelation, reversal, withdrawn, taken
        back, money back, rolled back, return complete,
        zurückgezahlt,
        storniert, storno, abgebrochen, erstattet, rückerstattet, rueckerstattet, zurückerstattet, retourniert,
        retoure, zurückgesendet, zurückgeschickt, zurückgegeben, widerrufen, gutgeschrieben, gutschrift,
        annulliert, komplett erstattet, vollständig erstattet, rückgabe, rückbuchung, rücklastschrift, storniert /
        abgelehnt, wiedergutschrift,
        annulée, annulé, annulee, annule, remboursée, remboursé, remboursee, rembourse, retournée, retourné,
        retour, avoir, remboursement, annulation,
        cancelado, cancelada, anulado, anulada, reembolsado, reembolsada, devuelto, devuelta, devolución,
        devolucion, reembolso, cancelación,
        annullato, annullata, cancellato, cancellata, rimborsato, rimborsata, reso, restituito, stornato,
        rimborso,
        geannuleerd, terugbetaald, geretourneerd, teruggestort, gecrediteerd, retour gezonden, terugbetaling,
        reembolsado total, estornado, estornada, devolvido, devolvida, cancelamento, reembolso total,
        anulowane, anulowano, anulowany, anulowana, zwrócone, zwrocone, zwrot, zwrócono, wycofane, odwołane,
        refundacja,
    """,
    "never": """
        pending, unpaid, draft, trash, trashed, failed, failure, declined, expired, abandoned, incomplete,
        denied, pending payment, payment pending, awaiting payment, waiting for payment, payment failed, payment
        error, on hold, onhold, hold, holded, held, checkout draft, auto draft, payment review, pending review,
        requires payment method, requires action, requires confirmation, requires capture, blocked, fraud,
        suspected fraud, manual verification required, not paid, quotation, estimate, proforma, pro forma, proforma
        invoice, kostenvoranschlag, devis, presupuesto, preventivo, offerte, orçamento,
        quote, cart, basket, rejected, refused, test,
        uncaptured, invalid, error, unclaimed, awaiting bank wire payment, awaiting check payment, temporary,
        pending paypal, open payment, overdue, uncleared, waiting, payment declined, authorization failed, no
        payment, processing payment, created, deleted, removed, on backorder (not paid), awaiting cheque payment,
        awaiting cash on delivery validation,
        ausstehend, unbezahlt, nicht bezahlt, offen, entwurf, papierkorb, fehlgeschlagen, zahlung ausstehend,
        warten auf zahlung, wartet auf zahlung, zahlung offen, in wartestellung, abgelehnt, abgelaufen, zahlung
        fehlgeschlagen, wartend, angebot, gelöscht, in der warteschlange, warten auf zahlungseingang, warten auf
        zahlungseingang scheck, warten auf zahlungseingang banküberweisung, fehler bei der bezahlung, zahlungsfehler,
        en attente, en attente de paiement, attente paiement, impayée, impayé, impayee, impaye, brouillon,
        échouée, échoué, echouee, echoue, échec, echec, refusée, refusé, refusee, corbeille, expirée, expiré,
        paiement en attente, erreur de paiement, paiement refusé, non payée, non payé, en attente du paiement par
        chèque, en attente de paiement par chèque, en attente de virement bancaire, en attente du paiement par virement
        bancaire, en attente de réapprovisionnement (non payé), en attente de paiement à la livraison,
        pendiente, pendiente de pago, pago pendiente, sin pagar, impagado, impagada, no pagado, borrador,
        fallido, fallida, rechazado, rechazada, papelera, en espera, caducado, caducada, vencido, error de pago, error
        en pago, en espera de pago, en espera de pago por cheque, en espera de pago por transferencia bancaria,
        in attesa, in attesa di pagamento, in sospeso, non pagato, non pagata, bozza, fallito, fallita,
        rifiutato, rifiutata, cestino, scaduto, scaduta, pagamento fallito, errore di pagamento, in attesa di
        pagamento con assegno, in attesa di pagamento con bonifico bancario,
        in afwachting, wachtend, wacht op betaling, wachten op betaling, in de wacht, onbetaald, niet betaald,
        openstaand, concept, mislukt, geweigerd, prullenbak, verlopen, betaling mislukt, betalingsfout, wachten op
        betaling per cheque, in afwachting van bankoverschrijving, in afwachting van betaling,
        pendente, aguardando pagamento, aguardando, não pago, nao pago, rascunho, falhado, falhou, malsucedido,
        recusado, recusada, lixo, lixeira, expirado, expirada, em espera, pagamento pendente, pagamento
        recusado, erro de pagamento, aguardando pagamento por cheque, aguardando transferência bancária,
        oczekujące, oczekujace, oczekuje, oczekujące na płatność, oczekiwanie na płatność, nieopłacone,
        nieoplacone, niezapłacone, szkic, wersja robocza, nieudane, odrzucone, wstrzymane, kosz, wygasłe, nie
        powiodło się, błąd płatności, oczekiwanie na płatność czekiem, oczekiwanie na płatność przelewem,
    """,
}
"""In each class first English, then German, French, Spanish, Italian, Dutch, Portuguese and Polish."""


def plain_status(word: str) -> str:
    """Return a word as words are compared: without case, blanks, ``_``, ``-`` and the ``wc-`` of WooCommerce."""
    return re.sub(r"[\W_]+", "", word.casefold().removeprefix("wc-"))


STATUSES: dict[str, StatusClass] = {
    plain_status(word): kind for kind, words in _WORDS.items() for word in words.split(",") if word.strip()
}
"""The meaning of each word, as `plain_status` writes it."""
