"""The refusal of a file whose columns are not all known: the whole command that would work."""

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from textwrap import shorten

from infra.tools.importer.column_words import is_other, is_price, likely
from infra.tools.importer.columns import (
    REQUIRED,
    Columns,
    find_columns,
    of_customers,
    shown,
    sums_of_customers,
    usual_number,
)
from infra.tools.importer.export_format import Kind, plain
from infra.tools.importer.faults import DoubtError, UnreadableFileError
from infra.tools.importer.first_lines import FirstLines, is_value
from infra.tools.importer.history import Options
from infra.tools.importer.prices import Prices, decided
from infra.tools.importer.readers import Source

_LONGEST_REASON = 300
# Without them a file can be read, but not what was taken back, nor a later export of the same orders.
_ALSO_NAMED = ("order_id", "status", "refunded")
_UNKNOWN = "COLUMN"
_PRICED = ("unit_price", "order_value")
_NAMES = "customer_id, timestamp, order_value, order_id"


def likeliest_of(field: str, header: Sequence[str], columns: Mapping[str, str], lines: FirstLines | None) -> str | None:
    """Return the column of a header that is likeliest a field's, by its name and its first cells; None if none is.

    `columns`: those of other fields, by field.
    """
    found = likely(field, header, set(columns.values()))
    return next((name for name in found if lines is None or lines.fits(field, name, columns)), None)


def missing_fields(kind: Kind, header: Sequence[str], columns: Columns, lines: FirstLines | None = None) -> list[str]:
    """Return the required fields without a column.

    The value of orders is one where a column looks like it: a file without amounts is one of orders all the same.
    """
    missing = [field for field in REQUIRED[kind] if field not in columns.by_field]
    has_value = not {"order_value", "unit_price"}.isdisjoint(columns.by_field) or "order_value" in columns.named
    if kind == "orders" and not has_value:
        by_field = columns.by_field
        if missing or any(likeliest_of(name, header, by_field, lines) for name in ("order_value", "unit_price")):
            missing.append("order_value")
    return missing


def without_numbers(kind: Kind, header: Sequence[str], columns: Columns, lines: FirstLines | None) -> list[str]:
    """Return a sentence where no column is read as the order's number, and one looks like it.

    It is not read by itself: orders that were stored without a number would come again with one.
    """
    if kind != "orders" or "order_id" in columns.by_field or "order_id" in columns.named:
        return []
    usual = usual_number(header, columns)
    column = usual or likeliest_of("order_id", header, columns.by_field, lines)
    if column is None:
        return []
    sentence = f"WARNING: no column is read as the order's number, so each line is an order: if {column!r} is it, "
    return [f"{sentence}{shlex.quote(f'--column=order_id={column}')} names it"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is refused, and the options that it was to be read with."""

    source: Source
    kind: Kind
    options: Options
    lines: FirstLines | None


def refusal(refused: Refused, header: Sequence[str], columns: Columns, missing: Sequence[str]) -> str:
    """Return the sentence for a header without required fields: the whole command that would work, with a guess."""
    return _refusal(refused, header, columns, missing) + refused.source.elsewhere()


def _refusal(refused: Refused, header: Sequence[str], columns: Columns, missing: Sequence[str]) -> str:
    kind, lines = refused.kind, refused.lines
    file, is_table = str(refused.source.content.path), refused.source.is_table
    if len(header) == 1 and is_table:
        return (
            f"there is one column only, {shown(header)!r}: if it is several, they are divided by none of comma, "
            "semicolon, tab and bar; save the file with one of these"
        )
    absent = f"there is no column for {', '.join(missing)} among {shown(header)}"
    value = next((name for name in header if is_value(name)), None)
    if (
        is_table
        and value is not None
        and not any(likely(field, header, ()) for field in (*REQUIRED[kind], *_ALSO_NAMED))
    ):
        return (
            f"{absent}: the first line holds {value!r}, as a line of {kind} does, and no names of columns; "
            f"write a line with their names above it ({_NAMES if kind == 'orders' else ', '.join(REQUIRED[kind])} …)"
        )
    if is_table and lines is not None and (example := lines.grouped_by()):
        return (
            f"{absent}: the lines are grouped, each group below a line of its own ({example!r:.60}), as reports are; "
            "export a plain list with the customer on each line"
        )
    guesses, more = _guesses(kind, header, columns, missing, lines)
    options = refused.options
    may_be_customers = kind == "orders" and columns.format is None and options.kind is None
    sums = sums_of_customers(header) if may_be_customers and not options.columns else []
    if sums and usual_number(header, columns) is None and plain(guesses.get("order_id", "id")) == "id":
        own = find_columns("customers", header, {})
        named, _ = _guesses("customers", header, own, missing_fields("customers", header, own), lines)
        return (
            f"{absent}; column {sums[0]!r} is one of a list of customers, and this would work if it is such a list: "
            f"{_make(file, 'customers', named, options)}; if each line is an order, KIND=orders shows the command for "
            "that"
        )
    shown_kind = kind if options.kind or kind != "orders" else ""
    command = _make(file, shown_kind, {**options.columns, **guesses}, options)
    sentence = f"{absent}; this would work, if these are the right columns: {command}{more}"
    if "order_value" in missing:
        sentence += "; if the file has no amounts, say so with --column=order_value= (nothing behind it)"
    if may_be_customers and of_customers(header):
        sentence += "; if it is a list of customers: KIND=customers"
    if columns.format is not None and "customer_id" in missing:
        sentence += f"; {columns.format.name} without a column for the buyer says nothing about customers"
    return sentence


def reason_of_line(refused: UnreadableFileError) -> str:
    """Return a refusal in short, for the one line of JSON that it is of."""
    return shorten(str(refused).partition("; this would work")[0], _LONGEST_REASON, placeholder=" ...")


def _guesses(
    kind: Kind, header: Sequence[str], columns: Columns, missing: Sequence[str], lines: FirstLines | None
) -> tuple[dict[str, str], str]:
    """Return the columns to name, by field, and what else is to be told of them."""
    guesses: dict[str, str] = {}
    more = ""
    for field in (*missing, *(_ALSO_NAMED if kind == "orders" else ())):
        known = {**columns.by_field, **{f"region {name}": name for name in columns.regions}, **guesses}
        if field == "order_value":
            values, more = _values(header, known, lines)
            guesses |= values
        elif (guess := likeliest_of(field, header, known, lines) or _by_cells(field, header, known, lines)) is not None:
            if field not in columns.by_field:
                guesses[field] = guess
        elif field in missing:
            guesses[field] = _UNKNOWN
    return guesses, more


def _by_cells(field: str, header: Sequence[str], known: Mapping[str, str], lines: FirstLines | None) -> str | None:
    """Return the column that nothing but its cells tells, as names in another script do."""
    if lines is None or field not in {"timestamp", "customer_id"}:
        return None
    taken = [*known.values(), *(name for name in header if is_other(field, name))]
    return lines.only_times(taken) if field == "timestamp" else lines.only_addresses(taken)


def _values(header: Sequence[str], known: Mapping[str, str], lines: FirstLines | None) -> tuple[dict[str, str], str]:
    """Return the columns of the value of a line, or of the price of one piece and the quantity, and a doubt of them."""
    value = likeliest_of("order_value", header, known, lines)
    price = likeliest_of("unit_price", header, known, lines)
    quantity = known.get("items_count") or likeliest_of("items_count", header, known, lines)
    if quantity is None and lines is not None and lines.counts((*known.values(), value, price)):
        # Which of them it is, no name says.
        quantity = _UNKNOWN
    counted = {} if quantity is None or "items_count" in known else {"items_count": quantity}
    if value is None:
        return ({"order_value": _UNKNOWN} if price is None else {"unit_price": price, **counted}), ""
    if quantity is None or not is_price(value):
        return {"order_value": value}, ""
    field = None if quantity == _UNKNOWN else _priced(value, quantity, header, known, lines)
    if field is not None:
        return {field: value, **(counted if field == "unit_price" else {})}, ""
    return {"order_value": _UNKNOWN}, (
        f"; {value!r} is the price of one piece ({_options({'unit_price': value, **counted})}) or the amount of all "
        f"({_options({'order_value': value})})"
    )


def _priced(
    amount: str, quantity: str, header: Sequence[str], known: Mapping[str, str], lines: FirstLines | None
) -> str | None:
    """Return which field a bare price is, beside a quantity: the values tell, or None if they do not."""
    product = known.get("product") or likeliest_of("product", header, known, lines)
    if product is None or lines is None:
        return None
    names = (product, quantity, amount)
    prices = Prices(quantity, amount, product, None)
    for cells in zip(*(lines.columns[name] for name in names), strict=False):
        prices.add(dict(zip(names, cells, strict=True)))
    shared = {"items_count": quantity, "product": product}
    with suppress(DoubtError):
        # What one name and the other lead to alike, the values say.
        found = [decided(Columns({name: amount, **shared}), prices, lines.number_reader)[0] for name in _PRICED]
        return next((name for name in _PRICED if all(name in columns.by_field for columns in found)), None)
    return None


def _make(file: str, kind: str, columns: Mapping[str, str], given: Options) -> str:
    """Return the command with these columns, and with what else was given on the command line before."""
    options = " ".join(filter(None, (_options(columns), *map(shlex.quote, _given(given)))))
    return (
        f"make import FILE={shlex.quote(file).replace('$', '$$')}{f' KIND={kind}' if kind else ''}"
        f"{f' ARGS={_double_quoted(options)}' if options else ''}"
    )


def _given(options: Options) -> list[str]:
    named = {
        "date-format": options.date_format,
        "dates": options.dates,
        "decimal": options.decimal,
        "line": options.line,
        "sheet": options.sheet,
        "list": options.list_name,
        "encoding": options.encoding,
        "zone": None if options.zone is UTC else str(options.zone),
    }
    statuses = [f"--status={kind}={word}" for word, kind in options.statuses.items()]
    return [f"--{name}={value}" for name, value in named.items() if value is not None] + statuses


def _options(columns: Mapping[str, str]) -> str:
    return " ".join(shlex.quote(f"--column={field}={column}") for field, column in columns.items())


def _double_quoted(options: str) -> str:
    # A dollar is one of make, too, which two stand for.
    return '"' + re.sub(r'(["`\\\\])', r"\\\1", options).replace("$", r"\$\$") + '"'
