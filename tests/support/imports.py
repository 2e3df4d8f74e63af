"""Files that are imported, or read as by an import, with all that comes of them in lists."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from churn.domain.events import Event
from infra.tools.importer import command
from infra.tools.importer.export_format import Kind, LineKind
from infra.tools.importer.history import Options, Tally
from infra.tools.importer.orders import Figures
from infra.tools.importer.parser import read_history
from infra.tools.importer.staging import Reject
from infra.tools.importer.summary import describe_content, describe_file


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What a file was read as."""

    events: list[Event]
    rejects: list[Reject]
    lines: int
    tally: Tally
    figures: Figures
    said: str
    """What the command says about the file."""
    columns: dict[str, str]
    format: str | None
    kind: Kind
    line: LineKind | None
    description: str


def import_csv(folder: Path, name: str, text: str) -> int:
    """Import a text as a CSV file of that name into the shop of the environment; return the command's exit code."""
    file = folder / f"{name}.csv"
    file.write_text(text)
    return command.main([str(file)])


def read_file(
    path: Path,
    kind: Kind | None = None,
    *,
    now: datetime,
    columns: Mapping[str, str] | None = None,
    allowed: Container[str] = (),
    **options: Any,
) -> ReadFile:
    """Read a file; the options are those of `infra.tools.importer.history.Options`."""
    whole = Options(kind=kind, columns=columns or {}, allowed=allowed, **options)
    with read_history(path, whole, now=now) as history:
        events = list(history.events())
        return ReadFile(
            events,
            list(history.rejects()),
            history.lines,
            history.tally,
            history.figures,
            "\n".join([*describe_file(history), *describe_content(history)]),
            history.columns,
            history.format.name if history.format else None,
            history.kind,
            history.line,
            history.source.description,
        )
