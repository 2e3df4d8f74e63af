"""Files that look like orders and are none: lists of customers, logs of visits, drafts, abandoned checkouts."""

from collections.abc import Mapping, Sequence

from infra.tools.importer.columns import Columns, of_customers
from infra.tools.importer.export_format import plain
from infra.tools.importer.faults import DoubtError

DRAFT_NUMBERS = "#D[0-9]*"
"""The numbers of drafts in Shopify, as a pattern of SQLite's GLOB."""
DRAFTS = (
    "the numbers of all lines are those of drafts (#D1), which nobody has bought yet: export the orders; "
    "if each line is an order: KIND=orders"
)
_OF_CHECKOUTS = frozenset(
    {"recoverystatus", "abandonedcheckoutid", "abandonedcheckouturl", "abandonedat", "cartrecoverystatus"}
)
_PERSONAL = frozenset({"email", "emailaddress", "firstname", "lastname", "name", "phone", "acceptsmarketing", "tags"})
_SUMS = frozenset({"totalspent", "totalspend", "lifetimespend", "lifetimevalue"})


def told_by_header(header: Sequence[str]) -> str:
    """Return why a file with these columns may have no orders, and how to go on; empty if nothing says so."""
    names = {plain(name): name for name in header}
    if found := sorted(_OF_CHECKOUTS & names.keys()):
        return (
            f"column {names[found[0]]!r} is one of abandoned checkouts, none of which was bought: export the orders; "
            "if each line is an order: KIND=orders"
        )
    return ""


def list_of_customers(header: Sequence[str], columns: Mapping[str, str]) -> str:
    """Return why the lines are customers rather than orders, and how to go on; empty if nothing says so."""
    value = columns.get("order_value", "")
    names = {plain(name) for name in header}
    counts = of_customers([name for name in header if name != value])
    if "order_id" in columns or plain(value) not in _SUMS or not (counts or _PERSONAL & names):
        return ""
    return (
        f"column {value!r} is a sum of a customer's orders, and no column is an order's number: if this is a list of "
        "customers, KIND=customers imports it as one; if each line is an order: KIND=orders"
    )


def maybe_customers(header: Sequence[str], columns: Columns) -> list[str]:
    """Return a sentence where what is read as orders may be a list of customers. Raises DoubtError if it looks so."""
    if columns.format is not None or "order_id" in columns.by_field or not of_customers(header):
        return []
    if why := list_of_customers(header, columns.by_field):
        raise DoubtError(why)
    return ["WARNING: this may be a list of customers, and not of orders: KIND=customers imports it as one"]
