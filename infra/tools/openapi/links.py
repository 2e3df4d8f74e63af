"""The links of the OpenAPI document: which operations take what an answer tells."""

from collections.abc import Iterator
from typing import Any

from churn.entrypoints.http.routes import ROUTES, Route

# The operation that answers, the place of an id in its answer, and the path whose last parameter the id is.
_IDS = (
    ("list_customers", "/customers/0/customer_id", "/api/customers/{customer_id}"),
    ("list_notes", "/notes/0/id", "/api/customers/{customer_id}/notes/{id}"),
    ("add_note", "/id", "/api/customers/{customer_id}/notes/{id}"),
    ("list_segments", "/segments/0/id", "/api/segments/{id}"),
    ("add_segment", "/id", "/api/segments/{id}"),
    ("list_alerts", "/alerts/0/id", "/api/alerts/{id}"),
    ("list_api_keys", "/keys/0/id", "/api/keys/{id}"),
    ("make_api_key", "/id", "/api/keys/{id}"),
    ("list_models", "/versions/0/version", "/api/models/{version}"),
    ("train_model", "/run_id", "/api/models/runs/{run_id}"),
)
# The operation that answers, the one that takes a part of the answer in its body, and that body.
_BODIES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("list_customers", "predict", {"customer_id": "$response.body#/customers/0/customer_id"}),
    ("list_alerts", "work_on_alerts", {"ids": ["$response.body#/alerts/0/id"]}),
)


def links_of(route: Route) -> dict[str, Any]:
    """Return the links of an operation's good answer, by their names."""
    links = {
        operation: {"operationId": operation, "requestBody": body}
        for source, operation, body in _BODIES
        if source == route.operation
    }
    for target, parameters in _with_parameters(route):
        name = "next_page" if target is route else target.operation
        links[name] = {"operationId": target.operation, "parameters": parameters}
    return links


def _with_parameters(route: Route) -> Iterator[tuple[Route, dict[str, str]]]:
    """Yield the operations that a link gives parameters, with these."""
    own = {name: f"$request.path.{name}" for name in _names(route.path)}
    if "cursor" in route.query.model_fields and not route.is_table:
        yield route, {**own, "cursor": "$response.body#/next_cursor"}
    for target in ROUTES:
        if route.has_version and route.method == "GET" and target.takes_version and target.path == route.path:
            yield target, {**own, "If-Match": "$response.header.ETag"}
        for source, place, path in _IDS:
            *others, last = _names(path)
            is_told = set(others) <= set(own) and _names(target.path) == [*others, last]
            if source == route.operation and is_told and f"{target.path}/".startswith(f"{path}/"):
                yield target, {**{name: own[name] for name in others}, last: f"$response.body#{place}"}


def _names(path: str) -> list[str]:
    return [part[1:-1] for part in path.split("/") if part.startswith("{")]
