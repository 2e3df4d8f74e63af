"""The description of the API as a client reads it: with the address under which it is asked for."""

import json
from pathlib import Path

from churn.entrypoints.http.app import Call, File
from churn.entrypoints.http.web_page import Kept, kept, unless_known


class ApiDescription:
    """A file with the OpenAPI document of this service."""

    def __init__(self, file: Path, route: str) -> None:
        """`route`: the path of the description below the address of the service."""
        self._file = file
        self._route = route
        self._kept: dict[str, Kept] = {}

    def document(self, call: Call) -> File:
        """Return the description, whose paths hold below the address that the client has used."""
        address = call.at.removesuffix(self._route) or "/"
        if address not in self._kept:
            described = json.loads(self._file.read_text(encoding="utf-8"))
            described["servers"] = [{**described["servers"][0], "url": address}]
            text = json.dumps(described, ensure_ascii=False, separators=(",", ":"))
            # There are as many addresses as the service has names.
            self._kept = {address: kept(text, "application/json")}
        call.headers["Cache-Control"] = "no-cache"
        return unless_known(self._kept[address], call)
