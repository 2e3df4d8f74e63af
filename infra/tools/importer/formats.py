"""The exports that are recognised by their header: one table.

A format is recognised when all columns of one of its signatures are there. To add one: its signature, the columns of
its fields in the order of preference, and what is peculiar to it; then a file for
`tests/unit/infra/test_importer_formats.py` and a line in `docs/import.md`.
"""

from collections.abc import Iterable

from infra.tools.importer.export_format import Format, Kind, plain
from infra.tools.importer.market_formats import MARKETS
from infra.tools.importer.shop_formats import SHOPS

FORMATS = (*SHOPS, *MARKETS)


def recognise(header: Iterable[str], kind: Kind | None) -> Format | None:
    """Return the format that a header is of, None if it is of none; `kind`: what the lines are said to be."""
    names = {plain(name) for name in header}
    found = [
        (len(signature), -index, known)
        for index, known in enumerate(FORMATS)
        for signature in known.signatures
        if signature <= names and kind in {None, known.kind}
    ]
    return max(found, key=lambda one: one[:2])[2] if found else None
