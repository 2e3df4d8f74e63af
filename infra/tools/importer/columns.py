"""The columns of a shop's files, and the fields that they mean."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from infra.tools.importer.column_words import SYNONYMS, likeliest
from infra.tools.importer.export_format import Format, Kind, LineKind, one_line, plain
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.formats import recognise

KINDS: tuple[Kind, ...] = ("orders", "events", "customers")

REQUIRED: dict[Kind, tuple[str, ...]] = {
    "orders": ("customer_id", "timestamp"),
    "customers": ("customer_id",),
    "events": (),
}
FALLBACKS = ("fallback", "fallback_2", "fallback_3", "fallback_4")
"""The columns that know a customer whom the first column does not."""
TIMES = ("timestamp", "cancelled", "updated_at", "registered_at")
AMOUNTS = ("order_value", "unit_price", "items_count", "discount", "refunded", "adjusted", "loyalty_points")
_LINE_NAMES = frozenset({"linetotal", "itemtotal", "lineamount", "itemprice", "linevalue", "itemamount", "lineprice"})
_TOTAL_NAMES = frozenset(
    {
        *(
            "ordertotal",
            "ordervalue",
            "orderamount",
            "grandtotal",
            "invoicetotal",
        ),
        *("bestellsumme", "auftragssumme", "rechnungssumme", "rechnungsbetrag", "totaldelacommande", "totalcommande"),
        *("montanttotaldelacommande", "importetotaldelpedido", "totaldelpedido", "totalpedido", "totaleordine"),
        *("totaledellordine", "ordertotaal", "totaldopedido", "valortotaldopedido", "wartosczamowienia"),
        *("kwotazamowienia", "sumazamowienia"),
    }
)
# Two customers may have the same.
_NO_IDS = re.compile("name|description")
_EMAILS = re.compile(r"email|mail$")
# As objects of JSON name the address of whoever ordered.
_NESTED_EMAIL = re.compile(r"(billing|customer|buyer|contact|shipping|user|client)\w*\.(\w+\.)?e_?mail(_?address)?")
_MOST_SHOWN = 1000
# What the name of a column ends in that is not the first of its name (`infra.tools.importer.tables.unique_names`).
_REPEATED = re.compile(r" \(\d+\)$")
# A customer's orders, by their number and sum.
_OF_CUSTOMERS = frozenset(
    {
        *("totalspent", "totalspend", "lifetimespend", "lifetimevalue", "orderscount", "ordercount", "totalorders"),
        *("numberoforders", "orders"),
    }
)
# Money that did not stay, and what says which version is newer: shops and plug-ins add such columns to exports.
_ALSO_USUAL = ("status", "cancelled", "refunded", "updated_at")
# By so many fields whose names are guessed, cells are a header.
_ENOUGH_GUESSED = 3


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file by field; `line`: what its lines are, None where their values tell."""

    by_field: Mapping[str, str]
    format: Format | None = None
    named: frozenset[str] = frozenset()
    values_are: LineKind | None = None
    """What the values themselves say that they are of."""
    regions: frozenset[str] = frozenset()
    """Columns of addresses that are called as the state of orders is."""
    price_beside: str | None = None
    """A column of the price of one piece, which is not read beside the values."""

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
    if len(set(known)) >= 2 or recognise(cells, None) is not None:
        return True
    guessed = {likeliest(field, cells, ()) for field in ("customer_id", "timestamp", "order_value", "order_id")}
    return len(guessed - {None}) >= _ENOUGH_GUESSED


def check_fields(kind: Kind, names: Mapping[str, str]) -> None:
    """Check that columns are named for fields that the kind has.

    Raises UnreadableFileError if one is not.
    """
    unknown = names.keys() - SYNONYMS[kind].keys()
    if unknown:
        fields = ", ".join(SYNONYMS[kind]) or "none"
        raise UnreadableFileError(f"{kind} have no field {', '.join(sorted(unknown))}; their fields are: {fields}")


def named_here(named: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the columns that were named by field; none for a field whose column an object of JSON leaves out."""
    return {field: column if column in names else "" for field, column in named.items()}


def find_columns(
    kind: Kind, header: Sequence[str], named: Mapping[str, str], regions: frozenset[str] = frozenset()
) -> Columns:
    """Return the columns by field, as named on the command line, by the format, or by the first usual name.

    A field that is named with an empty column has none. `regions`: columns that are of addresses, whatever their names.

    Raises UnreadableFileError if a named column is not there.
    """
    named = {field: column if column in header else one_line(column) for field, column in named.items()}
    absent = [column for column in named.values() if column and column not in header]
    if absent:
        raise UnreadableFileError(f"there is no column {absent[0]!r} among {shown(header)}")
    by_name = {plain(name): name for name in reversed(header) if name not in regions}
    known = recognise(header, kind)
    usual = _names_by_field(kind, known)
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
    is_of_none = known is None or not known.is_of_a_system
    if kind == "orders" and is_of_none and columns.keys() & {"customer_id"} - named.keys():
        columns |= _guests(columns["customer_id"], by_name)
    columns |= _further_fallbacks(columns, usual, by_name)
    if columns.get("fallback") == columns.get("customer_id"):
        columns.pop("fallback", None)
    price = None
    if "order_value" in columns and columns["order_value"] != columns.get("unit_price"):
        price = columns.pop("unit_price", None)
    if kind == "orders" and known is None and "unit_price" in columns and "items_count" not in columns:
        # Without the quantity, each line would be one piece.
        quantity = likeliest("items_count", header, [*columns.values(), *named.values()])
        columns |= {} if quantity is None else {"items_count": quantity}
    fields = {name: column for name, column in columns.items() if column}
    return Columns(fields, known, frozenset(named), regions=regions, price_beside=price)


def _guests(column: str, by_name: Mapping[str, str]) -> dict[str, str]:
    """Return the column of e-mail addresses, by which guests are known where a column of ids knows the others."""
    if _EMAILS.search(plain(column)):
        return {}
    addresses = (name for name in SYNONYMS["orders"]["customer_id"] if _EMAILS.search(name) and name in by_name)
    address = next(addresses, None)
    if address is not None:
        return {"fallback": by_name[address]}
    nested = next((name for name in by_name.values() if _NESTED_EMAIL.fullmatch(name.casefold())), None)
    return {} if nested is None else {"fallback": nested}


def _further_fallbacks(
    columns: Mapping[str, str], usual: Mapping[str, Sequence[str]], by_name: Mapping[str, str]
) -> dict[str, str]:
    """Return the other columns that know guests, for those whom the first one does not know; names are none."""
    taken = {columns.get("fallback"), columns.get("customer_id")}
    if None in taken or "fallback" not in usual:
        return {}
    others = [by_name[name] for name in usual["fallback"] if name in by_name and not _NO_IDS.search(name)]
    further = [column for column in others if column not in taken]
    return dict(zip(FALLBACKS[1:], further, strict=False))


def _names_by_field(kind: Kind, known: Format | None) -> Mapping[str, Sequence[str]]:
    """Return what columns of a format, or of none, are called, by field."""
    if known is None or not known.fields:
        return SYNONYMS[kind]
    if kind != "orders":
        return known.fields
    # Where entries of their own pay orders back, a column of the same amounts would count twice.
    also = () if known.refund_types else _ALSO_USUAL
    return {**known.fields, **{field: (*known.fields.get(field, ()), *SYNONYMS[kind][field]) for field in also}}


def also_possible(kind: Kind, header: Sequence[str], columns: Columns) -> list[str]:
    """Return sentences on fields that more than one column may be of.

    Of a format, columns with one name alone.
    """
    by_name = {plain(name): name for name in reversed(header)}
    taken = {name for field, name in columns.by_field.items() if field not in FALLBACKS}
    sentences = []
    for field in (*REQUIRED[kind], *(("order_value",) if kind == "orders" else ())):
        usual = SYNONYMS[kind].get(field, ()) if columns.format is None else ()
        others = [by_name[name] for name in usual if name in by_name]
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


def of_customers(header: Sequence[str]) -> bool:
    """Return whether a header that is of no known system may be of a list of customers."""
    names = {plain(name) for name in header}
    return not names.isdisjoint(_OF_CUSTOMERS) or {"firstname", "lastname"} <= names


def usual_number(header: Sequence[str], columns: Columns) -> str | None:
    """Return the column that is usually called the order's number and is no other field's."""
    taken = set(columns.by_field.values())
    by_name = {plain(name): name for name in reversed(header) if name not in taken}
    return next((by_name[name] for name in SYNONYMS["orders"]["order_id"] if name in by_name), None)


def sums_of_customers(header: Sequence[str]) -> list[str]:
    """Return the columns that are called as the number or the sum of a customer's orders."""
    return [name for name in header if plain(name) in _OF_CUSTOMERS]


def shown(header: Sequence[str]) -> str:
    """Return the names of columns, shortened if they are many."""
    text = ", ".join(header)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + " ..."
