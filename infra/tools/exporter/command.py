"""`make export`: all customers, alerts or predictions, or those of a segment, as one file of CSV or Parquet.

They come over REST, part by part, from the local stack or from a deployment (URL and TOKEN), so that a file holds what
the API answers, and memory holds one part. The file appears under its name when it is whole.
"""

import argparse
import csv
import io
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from churn.domain.alert_answers import Alert
from churn.domain.answers import Customer, StoredPrediction
from churn.services.csv_files import ALERTS, CUSTOMERS, PREDICTIONS, ListFile
from infra import console
from infra.tools.exporter.parts import ExportError, Service
from infra.tools.progress import Progress
from infra.tools.stack_environment import endpoints


@dataclass(frozen=True, slots=True)
class _Export:
    """What can be exported: its file, its type in answers, its list, and what is asked for where nothing else is."""

    file: ListFile
    answer: type
    path: str
    query: Mapping[str, str]


_EXPORTS = {
    # By an id that does not change while the parts are read; by the risk, somebody could come twice or not at all.
    "customers": _Export(CUSTOMERS, Customer, "/api/customers", {"sort": "customer_id", "order": "asc"}),
    "alerts": _Export(ALERTS, Alert, "/api/alerts", {"snoozed": "true"}),
    "predictions": _Export(PREDICTIONS, StoredPrediction, "/api/churn/predictions", {}),
}


_OF_PAGES = frozenset({"sort", "order", "limit", "offset", "cursor"})


def main() -> int:
    """Run the command line; return 1 if there is no file because the service refuses or stays away."""
    options = _options()
    try:
        url, token = _service()
        query = _query(options.segment, options.query)
        number = export(options.file, url, token, what=options.what, form=options.format, query=query)
    except (ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{options.file}: {number:,} {options.what}")
    return 0


def export(path: Path, url: str, token: str, *, what: str, form: str, query: Mapping[str, str]) -> int:
    """Write a file of what a service lists; return how many lines or rows it has. Raises ExportError, OSError."""
    wanted = _EXPORTS[what]
    query = {**wanted.query, **query}
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with Service(url, token) as service, Progress(what) as progress:
            if form == "csv":
                number = _write_csv(unfinished, service.csv_parts(wanted.path, query), progress)
            else:
                from infra.tools.exporter.parquet import write_parquet  # noqa: PLC0415 (pyarrow takes a second)

                items = _items(service, wanted, query, progress)
                number = write_parquet(unfinished, wanted.file, wanted.answer, items)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return number


def _write_csv(path: Path, parts: Iterator[bytes], progress: Progress) -> int:
    # The first line has the names of the columns, and a cell may have line breaks of its own.
    number = -1
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            number += sum(1 for _ in csv.reader(io.StringIO(part.decode(), newline="")))
            progress(number)
    return number


def _items(
    service: Service, wanted: _Export, query: Mapping[str, str], progress: Progress
) -> Iterator[Mapping[str, object]]:
    number = 0
    for page in service.pages(wanted.path, query):
        yield from page[wanted.file.name]
        number += len(page[wanted.file.name])
        progress(number)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.tools.exporter.command", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--what", choices=[*_EXPORTS], default="customers")
    parser.add_argument("--format", choices=["csv", "parquet"], help="by default what the file's name ends in, or csv")
    parser.add_argument("--segment", default="", help="the id or name of a segment: its customers alone")
    parser.add_argument("--query", default="", help="filters of the list, such as status=current&min_total_orders=3")
    options = parser.parse_args()
    if options.segment and options.what != "customers":
        parser.error("a segment has customers: with SEGMENT, WHAT is customers")
    unknown_here = sorted(_query("", options.query).keys() & _OF_PAGES)
    if unknown_here:
        parser.error(f"QUERY takes filters; a file has an order and a length of its own: {', '.join(unknown_here)}")
    options.format = options.format or ("parquet" if options.file.suffix == ".parquet" else "csv")
    return options


def _query(segment: str, query: str) -> dict[str, str]:
    chosen = dict(parse_qsl(query, keep_blank_values=True))
    return {**chosen, "segment": segment} if segment else chosen


def _service() -> tuple[str, str]:
    """Return address and token of the service that the environment names, else of the running local stack."""
    url, token = os.environ.get("URL", ""), os.environ.get("TOKEN", "")
    if url and not token:
        raise ExportError("which token? TOKEN=… make export URL=…; JWT_SECRET=… make token ROLE=read prints one")
    if not url:
        addresses = endpoints()
        if not addresses:
            raise ExportError("no local stack runs: start one with 'make up', or name a deployment by URL and TOKEN")
        url, token = addresses["base_url"], addresses["token"]
    return url, token


if __name__ == "__main__":
    console.run(main)
