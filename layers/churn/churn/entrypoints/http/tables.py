"""Lists that are answered as parts of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from churn.entrypoints.http.app import Call, Table
from churn.entrypoints.http.routes import BY_OPERATION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from churn.services.csv_files import ListFile


def part_of_file(call: Call, operation: str, file: ListFile, page: Mapping[str, Any]) -> Table:
    """Return a page of a list as a part of its file; the header `Link` leads to the part after it."""
    if page["next_cursor"] is not None:
        # Only lists without a cursor know of an offset.
        asked = call.query.model_dump(mode="json", exclude_unset=True, exclude={"offset", "cursor"})
        query = {name: _text(value) for name, value in asked.items() if value is not None}
        query["cursor"] = page["next_cursor"]
        call.headers["Link"] = f'<{BY_OPERATION[operation].path}?{urlencode(query)}>; rel="next"'
    return Table(file.csv(page[file.name], has_header=call.query.cursor is None), f"{file.name}.csv")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, list) else str(value)
