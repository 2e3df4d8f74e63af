"""What a line of a file is: an order, a part of one, or its total; what the orders of several lines have in common."""

from infra.tools.importer.columns import Columns
from infra.tools.importer.export_format import LineKind
from infra.tools.importer.faults import DoubtError
from infra.tools.importer.staging import Repeated, Staging

# Among so many orders of several lines, all with one value, a chance is ruled out.
_ENOUGH = 20
_NEARLY_ALL = 0.98
_MOST = 0.9
# Orders of several lines are worth more than those of one, or nearly each of them something else.
_MORE = 1.25
_MANY_AMOUNTS = 0.5


def line_kind(staging: Staging, columns: Columns, name_says: LineKind | None) -> LineKind:
    """Return what a line is; `name_says`: what the name of the column with the value says. Raises DoubtError."""
    repeated = staging.repeated()
    if _may_be_versions(staging, columns):
        is_of_a_system = columns.format is not None and columns.format.is_of_a_system
        if (is_of_a_system and name_says == "total") or repeated.same >= _MOST * repeated.orders:
            return "total"
        raise DoubtError(
            f"{repeated.orders - repeated.same:,} orders have several lines of different values, changed at different "
            f"times: the lines are items, {repeated.added:,.2f} in all (--line=item), or versions of their orders, of "
            "which the one that was changed last counts (--line=total)"
        )
    if not repeated.orders:
        return _kind_of_single(staging, columns, name_says)
    share = repeated.same / repeated.orders
    if name_says == "item":
        return "item"
    if name_says == "total":
        return "total" if share >= _MOST else "item"
    is_same = repeated.orders >= _ENOUGH and share >= _NEARLY_ALL
    if is_same and _are_totals(staging, repeated):
        return "total"
    if share < 1 and not is_same:
        return "item"
    raise DoubtError(
        f"{repeated.same:,} of {repeated.orders:,} orders with several lines have the same value on all of them: it is "
        f"{repeated.once:,.2f} in all if each line repeats the order's total (--line=total), or {repeated.added:,.2f} "
        "if the lines add up (--line=item)"
    )


def _kind_of_single(staging: Staging, columns: Columns, name_says: LineKind | None) -> LineKind:
    """Return what a line is where no order has several that count. Raises DoubtError."""
    if name_says == "total" or not staging.has_items_taken_back():
        return "order"
    if "product" in columns.by_field:
        return "item"
    raise DoubtError(
        "an order has lines of one time and different values, of which some are taken back: items, of which the "
        "others stay (--line=item), or the order, which is taken back whole (--line=order)"
    )


def _may_be_versions(staging: Staging, columns: Columns) -> bool:
    """Return whether each line of an order may be the whole order as of another change."""
    if "updated_at" not in columns.by_field or "product" in columns.by_field or columns.value_is == "item":
        return False
    several, versions = staging.versions()
    return several > 0 and versions >= _MOST * several


def _are_totals(staging: Staging, repeated: Repeated) -> bool:
    """Return whether values that are the same on all lines of an order are totals.

    Where everything costs the same, those of items are so too.
    """
    amounts = staging.amounts()
    if amounts.different >= _MANY_AMOUNTS * repeated.orders:
        return True
    return amounts.singles >= _ENOUGH and repeated.once / repeated.orders >= _MORE * amounts.mean_of_singles
