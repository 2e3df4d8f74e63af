"""The columns of a shop's files, and the fields that they mean."""

import re
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from infra.tools.importer.column_words import SYNONYMS, likeliest
from infra.tools.importer.export_format import Format, Kind, LineKind, plain
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
_MOST_SHOWN = 1000
_LONGEST_REASON = 300
# What the name of a column ends in that is not the first of its name (`infra.tools.importer.tables.unique_names`).
_REPEATED = re.compile(r" \(\d+\)$")
# Without them a file can be read, but not what was taken back, nor a later export of the same orders.
_ALSO_NAMED = ("order_id", "status", "refunded")
# A customer's orders, by their number and sum.
_OF_CUSTOMERS = frozenset(
    {
        *("totalspent", "totalspend", "lifetimespend", "lifetimevalue", "orderscount", "ordercount", "totalorders"),
        *("numberoforders", "orders"),
    }
)
# Money that did not stay: shops and plug-ins add such columns to exports that have none.
_ALSO_USUAL = ("status", "cancelled", "refunded")
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
    fields = {name: column for name, column in columns.items() if column}
    return Columns(fields, known, frozenset(named), regions=regions, price_beside=price)


def _guests(column: str, by_name: Mapping[str, str]) -> dict[str, str]:
    """Return the column of e-mail addresses, by which guests are known where a column of ids knows the others."""
    if _EMAILS.search(plain(column)):
        return {}
    addresses = (name for name in SYNONYMS["orders"]["customer_id"] if _EMAILS.search(name) and name in by_name)
    address = next(addresses, None)
    return {} if address is None else {"fallback": by_name[address]}


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
    """Return sentences on fields that more than one column may be of, and on a number of orders that none is read as.

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
    return sentences + _without_numbers(kind, header, columns)


def of_customers(header: Sequence[str]) -> bool:
    """Return whether a header that is of no known system may be of a list of customers."""
    names = {plain(name) for name in header}
    return not names.isdisjoint(_OF_CUSTOMERS) or {"firstname", "lastname"} <= names


def _without_numbers(kind: Kind, header: Sequence[str], columns: Columns) -> list[str]:
    """Return a sentence where no column is read as the order's number, and one looks like it.

    It is not read by itself: orders that were stored without a number would come again with one.
    """
    if kind != "orders" or "order_id" in columns.by_field or "order_id" in columns.named:
        return []
    taken = set(columns.by_field.values())
    by_name = {plain(name): name for name in reversed(header) if name not in taken}
    usual = next((by_name[name] for name in SYNONYMS[kind]["order_id"] if name in by_name), None)
    column = usual or likeliest("order_id", header, taken)
    if column is None:
        return []
    sentence = f"WARNING: no column is read as the order's number, so each line is an order: if {column!r} is it, "
    return [f"{sentence}{shlex.quote(f'--column=order_id={column}')} names it"]


def missing_fields(kind: Kind, header: Sequence[str], columns: Columns) -> list[str]:
    """Return the required fields without a column.

    The value of orders is one where a column looks like it: a file without amounts is one of orders all the same.
    """
    missing = [field for field in REQUIRED[kind] if field not in columns.by_field]
    has_value = not {"order_value", "unit_price"}.isdisjoint(columns.by_field) or "order_value" in columns.named
    taken = set(columns.by_field.values())
    if kind == "orders" and not has_value and (missing or likeliest("order_value", header, taken)):
        missing.append("order_value")
    return missing


def refusal(
    kind: Kind, header: Sequence[str], columns: Columns, missing: Sequence[str], file: str, *, is_table: bool
) -> str:
    """Return the sentence for a header without required fields: the whole command that would work, with a guess.

    `is_table`: all lines have this header.
    """
    guesses: dict[str, str] = {}
    for field in (*missing, *(_ALSO_NAMED if kind == "orders" else ())):
        guess = likeliest(field, header, {*columns.by_field.values(), *columns.regions, *guesses.values()})
        if field in missing:
            guesses[field] = guess or "COLUMN"
        elif field not in columns.by_field and guess is not None:
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
        f"columns: make import FILE={shlex.quote(file).replace('$', '$$')}{of_kind} ARGS={_double_quoted(options)}"
    )
    if "order_value" in missing:
        sentence += "; if the file has no amounts, say so with --column=order_value= (nothing behind it)"
    if kind == "orders" and columns.format is None and of_customers(header):
        sentence += "; if it is a list of customers: KIND=customers"
    if columns.format is not None and "customer_id" in missing:
        sentence += f"; {columns.format.name} without a column for the buyer says nothing about customers"
    return sentence


def reason_of_line(refused: UnreadableFileError) -> str:
    """Return a refusal in short, for the one line of JSON that it is of."""
    return shorten(str(refused).partition("; this would work")[0], _LONGEST_REASON, placeholder=" ...")


def shown(header: Sequence[str]) -> str:
    """Return the names of columns, shortened if they are many."""
    text = ", ".join(header)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + " ..."


def _double_quoted(options: str) -> str:
    # A dollar is one of make, too, which two stand for.
    return '"' + re.sub(r'(["`\\\\])', r"\\\1", options).replace("$", r"\$\$") + '"'
