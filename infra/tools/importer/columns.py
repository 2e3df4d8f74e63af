"""The columns of a shop's files, and the fields that they mean."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.formats import Format, Kind, LineKind, plain, recognise

KINDS: tuple[Kind, ...] = ("orders", "events", "customers")

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
        "cancelled": ("cancelledat", "canceledat", "cancelled", "canceled", "iscancelled", "iscanceled", "cancel"),
        "status": ("orderstatus", "status", "financialstatus", "paymentstatus", "orderstate", "state"),
        "refunded": (
            *("refundedamount", "amountrefunded", "refundedtotal", "totalrefunded", "refundamount", "refundtotal"),
            *("refundvalue", "refunded", "refund", "totalrefund", "amountrefund", "refundstotal"),
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
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "orders": ("customer_id", "timestamp"),
    "customers": ("customer_id",),
    "events": (),
}
TIMES = ("timestamp", "cancelled", "updated_at", "registered_at")
AMOUNTS = ("order_value", "unit_price", "items_count", "discount", "refunded", "adjusted", "loyalty_points")
_LINE_NAMES = frozenset({"linetotal", "itemtotal", "lineamount", "itemprice", "linevalue", "itemamount", "lineprice"})
_TOTAL_NAMES = frozenset(
    {"ordertotal", "ordervalue", "orderamount", "totalprice", "grandtotal", "total", "totalamount", "invoicetotal"}
)
_EMAILS = re.compile(r"email|mail$")
_MOST_SHOWN = 1000
# What the name of a column ends in that is not the first of its name (`infra.tools.importer.tables.unique_names`).
_REPEATED = re.compile(r" \(\d+\)$")
_LONGEST_NAME = 100
# Parts of names in other languages, by which the likeliest column of a field is guessed; a guess is only shown.
_HINTS = {
    "customer_id": (
        "kund",
        "klant",
        "klient",
        "client",
        "acheteur",
        "compr",
        "customer",
        "buyer",
        "user",
        "member",
        "mail",
    ),
    "timestamp": (
        *("datum", "date", "data", "fecha", "zeit", "time", "wann", "when", "czas", "dia", "day"),
        *("creat", "placed", "paid at"),
    ),
    "order_value": (
        *("betr", "summe", "gesamt", "umsatz", "preis", "wert", "montant", "prix", "importe", "importo", "bedrag"),
        *("valor", "kwota", "wartosc", "amount", "total", "price", "value", "sum", "brutto", "netto", "revenue"),
    ),
    "order_id": (
        *("bestellnr", "bestellnummer", "auftragsn", "rechnungsn", "belegn", "numer zam", "commande", "pedido"),
        *("ordine", "ordernummer", "factuur", "facture", "fattura", "factura", "fatura", "id_order", "order"),
    ),
    "status": ("status", "state", "statut", "stato", "estado", "situa", "zustand", "etat", "\u00e9tat", "stan"),
}
# Without them a file can be read, but not what was cancelled, nor a later export of the same orders.
_ALSO_NAMED = ("order_id", "status")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file by field; `line`: what its lines are, None where their values tell."""

    by_field: Mapping[str, str]
    format: Format | None = None
    named: frozenset[str] = frozenset()
    values_are: LineKind | None = None
    """What the values themselves say that they are of."""

    @property
    def value_is(self) -> LineKind | None:
        """What the values, or the name of their column, say that they are of."""
        if self.values_are is not None:
            return self.values_are
        name = plain(self.by_field.get("order_value", ""))
        if "order_value" not in self.by_field or name in _LINE_NAMES:
            return "item"
        return "total" if name in _TOTAL_NAMES else None

    @property
    def customers_are_emails(self) -> bool:
        """Whether customers are known by addresses, whose case does not count; not if somebody named the column."""
        column = self.by_field.get("customer_id", "")
        return "customer_id" not in self.named and bool(_EMAILS.search(plain(column)))


def is_header(cells: Sequence[str]) -> bool:
    """Return whether cells name columns that an import knows: those of a format, or at least two usual ones."""
    names = {plain(cell) for cell in cells} - {""}
    known = [field for fields in SYNONYMS.values() for field, usual in fields.items() if not names.isdisjoint(usual)]
    return len(set(known)) >= 2 or recognise(cells, None) is not None


def check_fields(kind: Kind, names: Mapping[str, str]) -> None:
    """Check that columns are named for fields that the kind has.

    Raises UnreadableFileError if one is not.
    """
    unknown = names.keys() - SYNONYMS[kind].keys()
    if unknown:
        fields = ", ".join(SYNONYMS[kind]) or "none"
        raise UnreadableFileError(f"{kind} have no field {', '.join(sorted(unknown))}; their fields are: {fields}")


def find_columns(kind: Kind, header: Sequence[str], named: Mapping[str, str]) -> Columns:
    """Return the columns by field, as named on the command line, by the format, or by the first usual name.

    A field that is named with an empty column has none.

    Raises UnreadableFileError if a named column is not there.
    """
    absent = [column for column in named.values() if column and column not in header]
    if absent:
        raise UnreadableFileError(f"there is no column {absent[0]!r} among {shown(header)}")
    by_name = {plain(name): name for name in reversed(header)}
    known = recognise(header, kind)
    usual = known.fields if known and known.fields else SYNONYMS[kind]
    columns: dict[str, str] = {}
    for field in {**SYNONYMS[kind], **usual}:
        column = next((by_name[name] for name in usual.get(field, ()) if name in by_name), None)
        if field in named:
            columns[field] = named[field]
        elif column is not None and column not in named.values():
            columns[field] = column
    if kind == "orders" and "customer_id" not in columns and "fallback" in columns:
        # Everybody is known as guests are.
        columns["customer_id"] = columns.pop("fallback")
    if "order_value" in columns and columns["order_value"] != columns.get("unit_price"):
        columns.pop("unit_price", None)
    return Columns({name: column for name, column in columns.items() if column}, known, frozenset(named))


def also_possible(kind: Kind, header: Sequence[str], columns: Columns) -> list[str]:
    """Return sentences on fields that more than one column may be of, where no format tells."""
    if columns.format is not None:
        return []
    by_name = {plain(name): name for name in reversed(header)}
    taken = set(columns.by_field.values())
    sentences = []
    for field in (*REQUIRED[kind], *(("order_value",) if kind == "orders" else ())):
        others = [by_name[name] for name in SYNONYMS[kind].get(field, ()) if name in by_name]
        others = [name for name in others if name not in taken]
        others += [
            name for name in header if _REPEATED.sub("", name) == columns.by_field.get(field) and name not in taken
        ]
        if field in columns.by_field and field not in columns.named and others:
            sentences.append(
                f"{field} is {columns.by_field[field]!r}; {', '.join(map(repr, others[:4]))} could be it too "
                f"(--column {field}=COLUMN)"
            )
    return sentences


def missing_fields(kind: Kind, header: Sequence[str], columns: Columns) -> list[str]:
    """Return the required fields without a column.

    The value of orders is one where a column looks like it: a file without amounts is one of orders all the same.
    """
    missing = [field for field in REQUIRED[kind] if field not in columns.by_field]
    has_value = not {"order_value", "unit_price"}.isdisjoint(columns.by_field) or "order_value" in columns.named
    if kind == "orders" and not has_value and (missing or _likeliest("order_value", header, columns)):
        missing.append("order_value")
    return missing


def refusal(
    kind: Kind, header: Sequence[str], columns: Columns, missing: Sequence[str], file: str, *, is_table: bool
) -> str:
    """Return the sentence for a header without required fields: the whole command that would work, with a guess.

    `is_table`: all lines have this header.
    """
    guesses = {field: _likeliest(field, header, columns) or "COLUMN" for field in missing}
    for field in _ALSO_NAMED if kind == "orders" else ():
        guess = _likeliest(field, [name for name in header if name not in guesses.values()], columns)
        if field not in columns.by_field and guess is not None:
            guesses[field] = guess
    options = " ".join(shlex.quote(f"--column={field}={column}") for field, column in guesses.items())
    if len(header) == 1 and is_table:
        return (
            f"there is one column only, {shown(header)!r}: if it is several, they are divided by none of comma, "
            "semicolon, tab and bar; save the file with one of these"
        )
    of_kind = "" if kind == "orders" else f" KIND={kind}"
    sentence = (
        f"there is no column for {', '.join(missing)} among {shown(header)}; this would work, if these are the right "
        f"columns: make import FILE={shlex.quote(file)}{of_kind} ARGS={_double_quoted(options)}"
    )
    if "order_value" in missing:
        sentence += "; if the file has no amounts, say so with --column=order_value= (nothing behind it)"
    if columns.format is not None and "customer_id" in missing:
        sentence += f"; {columns.format.name} without a column for the buyer says nothing about customers"
    return sentence


def shown(header: Sequence[str]) -> str:
    """Return the names of columns, shortened if they are many."""
    text = ", ".join(header)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + " ..."


def _double_quoted(options: str) -> str:
    return '"' + re.sub(r'(["$`\\\\])', r"\\\1", options) + '"'


def _likeliest(field: str, header: Sequence[str], columns: Columns) -> str | None:
    taken = set(columns.by_field.values())
    for hint in _HINTS.get(field, ()):
        for name in header:
            if hint in name.casefold() and name not in taken and len(name) <= _LONGEST_NAME:
                return name
    return None
