"""What an import says about a file, in one screen."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC
from types import MappingProxyType

from churn.domain.timestamps import from_millis
from churn.domain.values import storable
from infra.tools.importer.columns import FALLBACKS
from infra.tools.importer.event_figures import EventFigures, told_types, unknown_types
from infra.tools.importer.export_format import plain
from infra.tools.importer.history import History
from infra.tools.importer.orders import Figures
from infra.tools.importer.statuses import STATUSES, plain_status

_LINES = {
    "order": "an order",
    "item": "a part of an order: the values of an order's lines add up",
    "total": "an order, or a further line of one: an order's total counts once",
}
_MOST_REASONS = 8
_MOST_MONTHS = 24
_PLOT_WIDTH = 40
_ODD_SHARE = 0.2
_FEW_ORDERS = 20
_NAMES = frozenset({"name", "fullname", "nom", "nombre", "nome", "naam", "nazwisko", "nachname", "lastname", "surname"})
_PAID_BACK = re.compile("refund|return|erstatt|rembours|re[ei]mbols|rimbors|terugbetaal|zwr\u00f3c")


def describe_file(history: History) -> Iterator[str]:
    """Yield what the file was recognised as, and what its columns mean."""
    what = history.format.name if history.format else f"{history.kind} with columns by name"
    yield f"recognised: {what} ({history.source.description})"
    if history.columns:
        yield "columns: " + storable(", ".join(f"{name} = {column}" for name, column in history.columns.items()))
    if history.line:
        yield f"a line is {_LINES[history.line]}"


def describe_content(history: History) -> Iterator[str]:
    """Yield what the file's lines came to; call it when all events were taken."""
    figures, tally = history.figures, history.tally
    yield _pair("lines read", f"{tally.lines:,}")
    if history.kind == "orders":
        yield from _orders(history, figures)
    if tally.types:
        yield from _reasons("events", tally.types)
        yield from _events(history.staging.event_figures)
    if tally.continuations:
        yield _pair("continuations", f"{tally.continuations:,} further lines of orders whose own cells are empty")
    if figures.joined:
        yield _pair("joined", f"{figures.joined:,} lines repeat an order number")
    if figures.equal:
        yield _pair("equal", f"{figures.equal:,} lines equal another of their order in every column, and count once")
    not_counted = tally.not_counted + figures.not_counted
    yield from _reasons("not counted", not_counted)
    such = {reason: f" (such as {example!r})" for reason, example in tally.examples.items()}
    yield from _reasons("rejected", tally.rejects, such)
    if history.kind == "orders" and figures.orders:
        yield from _months(figures)
    yield from _doubts(history)


def _orders(history: History, figures: Figures) -> Iterator[str]:
    yield _pair("orders", f"{figures.orders:,}")
    guests = history.tally.statuses.guests
    by = " or ".join(repr(storable(history.columns[name])) for name in FALLBACKS if name in history.columns)
    of_guests = f" ({guests:,} lines are of guests, by {by})" if guests else ""
    yield _pair("customers", f"{figures.customers:,}{of_guests}")
    if figures.first is not None and figures.last is not None:
        yield _pair("placed", f"{_day(figures.first)} to {_day(figures.last)}")
    yield _pair("money", _money(history, figures))
    if figures.cancelled or figures.refunded:
        part = f"; of {figures.refunded:,} more a part ({figures.refunded_money:,.2f})" if figures.refunded else ""
        yield _pair("taken back", f"{figures.cancelled:,} orders ({figures.cancelled_money:,.2f}){part}")
    if figures.earlier:
        yield _pair("refunds", f"of {figures.earlier:,} orders that the file does not have: of the stored ones")
    if figures.free:
        yield _pair("without value", f"{figures.free:,} orders of value 0, which count nowhere")


def _events(figures: EventFigures) -> Iterator[str]:
    yield _pair("orders", f"{figures.orders:,}")
    if figures.first is not None and figures.last is not None:
        yield _pair("from", f"{_day(figures.first)} to {_day(figures.last)}")
    if figures.orders:
        unknown = f"; of {figures.unvalued:,} orders the value is not known" if figures.unvalued else ""
        yield _pair("money", f"{figures.money / 100:,.2f}{unknown}")


def _doubts_of_events(history: History) -> Iterator[str]:
    if unknown := unknown_types(history.tally.types):
        yield (
            "WARNING: types of events that this service does not know are stored and change nothing: "
            f"{storable(told_types(unknown))}; those that it knows are in docs/events.md"
        )
    if equal := history.staging.event_figures.equal if history.kind == "events" else 0:
        yield (
            f"WARNING: {equal:,} events without an id equal another of the file in every column, and count once; "
            "if each is an event, a column 'event_id' tells them apart"
        )


def _money(history: History, figures: Figures) -> str:
    valued = figures.orders - figures.unvalued
    if figures.unvalued and not valued:
        return "not known: no order has a value, so all that needs money is unknown"
    mean = f" ({figures.money / valued:,.2f} an order)" if valued else ""
    currency = history.currencies.most_common(1)
    name = f" {storable(currency[0][0])}" if len(history.currencies) == 1 else ""
    unknown = f"; of {figures.unvalued:,} orders the value is not known" if figures.unvalued else ""
    return f"{figures.money:,.2f}{name}{mean}{unknown}"


def _reasons(name: str, reasons: Counter[str], such: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    for number, (reason, count) in enumerate(reasons.most_common(_MOST_REASONS)):
        yield _pair("" if number else name, f"{count:,} {storable(reason + such.get(reason, ''))}")
    if len(reasons) > _MOST_REASONS:
        rest = reasons.total() - sum(count for _, count in reasons.most_common(_MOST_REASONS))
        yield _pair("", f"{rest:,} for other reasons")


def _months(figures: Figures) -> Iterator[str]:
    by_month = figures.months
    months = sorted(by_month)[-_MOST_MONTHS:]
    left_out = len(by_month) - len(months)
    yield "does this look right? orders a month" + (f" (the {left_out:,} before are left out):" if left_out else ":")
    most = max(by_month[month] for month in months)
    for month in months:
        count = by_month[month]
        yield f"  {month} {'#' * max(round(count / most * _PLOT_WIDTH), 1):<{_PLOT_WIDTH}} {count:,}"


def _doubts(history: History) -> Iterator[str]:
    figures, tally = history.figures, history.tally
    yield from history.notes
    if tally.nobodies:
        ids = ", ".join(f"{name!r} ({count:,})" for name, count in tally.nobodies.most_common(5))
        yield (
            f"WARNING: {tally.nobodies.total():,} lines were rejected, as their ids stand for no customer: {ids}; "
            "if one is a customer, import again with --allow-id=ID"
        )
    yield from _doubts_of_events(history)
    if tally.statuses.unknown:
        words = ", ".join(f"{storable(word)!r} ({count:,})" for word, count in tally.statuses.unknown.most_common(8))
        first = storable(tally.statuses.unknown.most_common(1)[0][0])
        yield (
            f"WARNING: unknown words for the state of an order count as orders: {words}; "
            f"say what one means with --status 'cancelled={first}', 'never={first}' or 'counts={first}'"
        )
    partly = _paid_back_in_part(tally.statuses.whole)
    has_entries = history.format is not None and history.format.refund_types is not None
    if partly and not has_entries:
        column = history.columns.get("refunded")
        missing = f"{column!r} is empty" if column else "no column says how much"
        yield (
            f"WARNING: {sum(partly.values()):,} orders were paid back in part ({', '.join(map(repr, partly))}), and "
            f"{missing}: they count whole; --column=refunded=COLUMN names {'another' if column else 'one'}"
        )
    if len(history.currencies) > 1:
        names = ", ".join(f"{storable(name)} ({count:,})" for name, count in history.currencies.most_common(5))
        yield f"WARNING: amounts in several currencies are added as they stand: {names}"
    yield from _maybe_cents(history, figures)
    yield from _unknown_values(history, figures)
    if figures.ahead and figures.last is not None:
        yield f"WARNING: {figures.ahead:,} orders lie ahead, up to {_day(figures.last)}: are day and month swapped?"
    if figures.unmatched:
        yield f"{figures.unmatched:,} cancelled orders or credit notes cancel no other order of this file"
    if figures.partly:
        yield f"{figures.partly:,} orders have lines that were cancelled, and stand with the others"
    yield from _doubts_of_lines(history, figures)
    yield from _shared_numbers(history)
    yield from _odd_customers(history, figures)


def _doubts_of_lines(history: History, figures: Figures) -> Iterator[str]:
    """Yield what is told of lines that may be no part of their orders."""
    if alone := history.tally.amounts_alone:
        yield (
            f"WARNING: {alone:,} lines with nothing but amounts are no sums of the lines above, and were "
            "added to the order above; take them out of the file if they are no items of it"
        )
    if figures.versions:
        yield (
            f"{figures.versions:,} lines are other versions of their orders, of which the one that was changed last "
            "counts (if they are items: --line=item)"
        )
    if figures.totals:
        yield (
            f"WARNING: a customer is called {storable(figures.totals)!r}, as lines of totals are, and has orders: take "
            "such lines out of the file"
        )
    if figures.equal_refunds:
        column = storable(history.columns.get("refunded", ""))
        yield (
            f"WARNING: {figures.equal_refunds:,} orders have the same amount of {column!r} on each of their lines, and "
            "the amounts are added; if it is the order's, leave it on one line of each"
        )
    if figures.far_apart:
        yield (
            f"WARNING: {figures.far_apart:,} order numbers have lines more than 90 days apart (such as "
            f"{storable(figures.example_far_apart)!r}) and are read as one order each, of the first day: if numbers "
            "begin again, as each year, make them differ in the file, or, if each line is an order, import again with "
            "--column=order_id= (nothing behind it)"
        )


def _paid_back_in_part(words: Counter[str]) -> dict[str, int]:
    """Return the words for orders that count, of which something was paid back, with their counts."""
    return {
        storable(word): count
        for word, count in words.items()
        if STATUSES.get(plain_status(word)) == "counts" and _PAID_BACK.search(word.casefold())
    }


def _maybe_cents(history: History, figures: Figures) -> Iterator[str]:
    """Yield a sentence on amounts of an API that are whole numbers, as those are that count in cents."""
    column, header = history.columns.get("order_value", ""), {*history.header}
    # An object of an amount and its currency, or a record of Stripe.
    is_object = column.endswith(".amount") or f"{column}.amount" in header
    of_api = is_object or (column == "amount" and "object" in header)
    if history.source.is_json and of_api and figures.money and figures.are_whole:
        yield (
            f"WARNING: the amounts of {storable(column)!r} are whole numbers: APIs such as those of Square and Stripe "
            "count in cents; if this one does, divide them by 100 before the import"
        )


def _unknown_values(history: History, figures: Figures) -> Iterator[str]:
    if figures.free and not figures.orders:
        yield (
            "WARNING: every order has the value 0, so none counts; if the values are not known, import again with "
            "--column=order_value= (nothing behind it)"
        )
    taken = set(history.columns.values())
    others = [repr(storable(name[:80])) for name in history.header if name not in taken]
    if figures.unvalued == figures.orders > 0 and others and "order_value" not in history.columns:
        yield (
            f"WARNING: no column has the values of the orders: if {' or '.join(others[:4])} does, import again with "
            "--column=order_value=COLUMN"
        )


def _shared_numbers(history: History) -> Iterator[str]:
    shared = history.shared_numbers
    if shared.same:
        yield (
            f"WARNING: {shared.same:,} order numbers stand under several customers, with one time and one value "
            f"(such as {storable(shared.example)!r}): they count for each of them"
        )


def _odd_customers(history: History, figures: Figures) -> Iterator[str]:
    most, customer = figures.largest
    if figures.orders >= _FEW_ORDERS and most > figures.orders * _ODD_SHARE:
        yield (
            f"WARNING: {most / figures.orders:.0%} of all orders are of one customer, {storable(customer)!r}: "
            "guests under one id?"
        )
    persons = _columns_of_persons(history)
    if figures.orders >= _FEW_ORDERS and figures.customers == figures.orders and persons:
        column = history.columns.get("customer_id", "")
        yield (
            f"WARNING: every customer has one order: is {column!r} the customer? {persons[0]!r} names persons "
            f"(--column 'customer_id={persons[0]}')"
        )


def _columns_of_persons(history: History) -> list[str]:
    """Return other columns of a table whose names say that they name persons."""
    is_known = history.format is not None and history.format.is_of_a_system
    taken = {name for field, name in history.columns.items() if is_known or field not in FALLBACKS}
    parts = ("mail", "customer", "buyer", "client", "user", "kund", "phone")
    others = [name for name in history.header if name not in taken]
    return [name for name in others if plain(name) in _NAMES or any(part in name.casefold() for part in parts)]


def _pair(name: str, text: str) -> str:
    return f"  {name:<14} {text}"


def _day(millis: int) -> str:
    return f"{from_millis(millis).astimezone(UTC):%Y-%m-%d}"
