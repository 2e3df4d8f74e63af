"""What answers tell of later requests, by the links of the OpenAPI document."""

import random
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any

from schemathesis import Case, Response

_KEPT = 20


class Links:
    """The links that answers gave, by the operation that each leads to: a request takes one of the newest."""

    def __init__(self, document: Mapping[str, Any], chance: random.Random) -> None:
        self._chance = chance
        self._links: dict[str, list[Mapping[str, Any]]] = {}
        for operations in document["paths"].values():
            for operation in operations.values():
                good = (answer for status, answer in operation["responses"].items() if status.startswith("2"))
                self._links[operation["operationId"]] = [
                    link for answer in good for link in answer.get("links", {}).values()
                ]
        self._told: defaultdict[str, deque[Mapping[str, Any]]] = defaultdict(lambda: deque(maxlen=_KEPT))

    @property
    def sources(self) -> frozenset[str]:
        """The operations whose answers lead to others."""
        return frozenset(name for name, links in self._links.items() if links)

    def keep(self, operation: str, case: Case[Any], response: Response) -> None:
        """Note what a good answer tells."""
        for link in self._links[operation]:
            told = {
                name: self._evaluated(link[name], case, response)
                for name in ("parameters", "requestBody")
                if name in link
            }
            if None not in _leaves(told):
                self._told[link["operationId"]].append(told)

    def follow(self, operation: str, case: Case[Any]) -> None:
        """Let three of four requests go where an earlier answer leads."""
        if not self._told[operation] or self._chance.random() > 0.75:
            return
        told = self._chance.choice(self._told[operation])
        for name, value in (told.get("parameters") or {}).items():
            self._set(case, name, value)
        if isinstance(case.body, dict):
            case.body = {**case.body, **(told.get("requestBody") or {})}

    @staticmethod
    def _set(case: Case[Any], name: str, value: object) -> None:
        if name == "If-Match":
            case.headers[name] = str(value)
        elif f"{{{name}}}" in case.path:
            case.path_parameters[name] = str(value)
        else:
            case.query[name] = str(value)

    def _evaluated(self, value: Any, case: Case[Any], response: Response) -> Any:
        """Return a value with its runtime expressions replaced, by None for what an answer does not tell."""
        if isinstance(value, dict):
            return {name: self._evaluated(inner, case, response) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._evaluated(inner, case, response) for inner in value]
        source, _, name = value.rpartition("#" if "#" in value else ".")
        match source:
            case "$response.body":
                return self._at(response.json(), name)
            case "$response.header":
                return response.headers.get(name.lower(), [None])[0]
            case "$request.path":
                return case.path_parameters[name]
        raise ValueError(f"{value} is no expression of these links")

    def _at(self, document: Any, pointer: str) -> Any:
        """Return what a pointer names; of a list any, in the place of the first."""
        for part in pointer.split("/")[1:]:
            if isinstance(document, list):
                document = self._chance.choice(document) if document else None
            else:
                document = document.get(part) if document else None
        return document


def _leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for part in inner for leaf in _leaves(part)]
