"""Tables written as one object of JSON: columns by name, as pandas writes them, or records by their numbers."""

import json
from collections.abc import Iterator
from typing import IO, Any

from infra.tools.importer.rows import Row
from infra.tools.importer.tables import IsHeader

# Such an object is read whole: as objects of Python it may take twenty times its length.
_BEGIN = 4096
_LONGEST = 16 * 1024 * 1024


def is_json_table(file: IO[str], is_header: IsHeader) -> bool:
    """Return whether a text is one object that has all records as its values, or the columns of all."""
    records = _records(file)
    return records is not None and is_header([*records[0]])


def json_table_rows(file: IO[str]) -> Iterator[Row]:
    """Yield the records of such a text; each has its place in the table as the number of its line."""
    for number, values in enumerate(_records(file) or [], 1):
        yield Row(number, json.dumps(values, ensure_ascii=False), values)


def _records(file: IO[str]) -> list[dict[str, Any]] | None:
    text = file.read(_BEGIN)
    is_object = text.lstrip("\ufeff \t\r\n").startswith("{")
    text += file.read(_LONGEST + 1 - len(text)) if is_object else ""
    if not is_object or len(text) > _LONGEST:
        return None
    try:
        whole = json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
    if whole.keys() == {"columns", "index", "data"} and all(map(_is_list, whole.values())):
        return _split(whole["columns"], whole["data"]) or None
    parts = [part for part in whole.values() if isinstance(part, dict) and part]
    if not parts or len(parts) < len(whole):
        return None
    places = parts[0].keys()
    if all(part.keys() == places for part in parts) and all(place.isdigit() for place in places):
        return [{name: whole[name][place] for name in whole} for place in places]
    # A record of its own may have objects, too: those of records are alike.
    return parts if len(parts) > 1 and all(len(places & part.keys()) * 2 > len(places) for part in parts) else None


def _split(names: list[Any], rows: list[Any]) -> list[dict[str, Any]]:
    """Return the records of rows that stand beside the names of their columns; none where something else names them."""
    are_names = all(isinstance(name, str) for name in names)
    return [dict(zip(names, cells, strict=False)) for cells in rows if _is_list(cells)] if are_names else []


def _is_list(value: object) -> bool:
    return isinstance(value, list)
