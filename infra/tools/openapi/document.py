"""The OpenAPI document, from the table of routes and the types of requests and answers."""

from pathlib import Path
from typing import Any

from churn.domain.roles import WRITE
from churn.entrypoints.http.requests import NoQuery
from churn.entrypoints.http.routes import ROUTES, Route
from infra.tools.openapi.examples import PROBLEMS, REQUESTS, example_of
from infra.tools.openapi.glossary import text_of
from infra.tools.openapi.links import links_of
from infra.tools.openapi.schemas import REF, schemas

FILE = Path(__file__).parents[3] / "docs" / "openapi.json"
_TAGS = {
    "audit": "Who read, changed, exported and erased what",
    "alerts": "Alerts, who works on them, and what came of them; tickets, sessions and API keys",
    "customers": "Customers, their stories, and the segments that they are in",
    "dashboard": "A page for people, and this description",
    "events": "What happened in the shop",
    "health": "Whether the service is well",
    "models": "Versions of the model, and their training",
    "prediction": "Churn probabilities, of stored customers and of what-ifs",
    "stats": "Figures of the whole shop",
}
_PROBLEMS = {
    "400": "Something in the request is wrong; `errors` names each field",
    "401": "There is no valid token, or code",
    "403": "The token's role is too weak",
    "404": "There is no such thing",
    "409": "It cannot be done as things stand; `detail` says why",
    "412": "It has changed since: its version is none of those of `If-Match`",
    "413": "The body is too large",
    "429": "Too many requests in this minute",
    "503": "Something that is needed is not available now",
}
_LIMIT_HEADERS = {
    "X-RateLimit-Limit": "Requests that this client may make in a minute",
    "X-RateLimit-Remaining": "Requests that are left of them",
    "X-RateLimit-Reset": "When the next minute begins, in seconds since 1970",
}


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    received = {model for route in ROUTES for model in (route.query, route.body) if model is not None}
    answered = {name for route in ROUTES for name in _answers(route)} | {"ProblemDocument"}
    described = schemas(received, answered)
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, described)
    for route in ROUTES:
        described.pop(route.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Churn service",
            "version": "0.1.0",
            "description": "Which of a shop's customers are about to leave, and why. "
            "docs/events.md describes the WebSocket API and the events on Kafka.",
            "contact": {"name": "Whoever runs this service"},
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The service that serves this description"}],
        "security": [{"token": []}],
        "tags": [{"name": name, "description": _TAGS[name]} for name in sorted({route.function for route in ROUTES})],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(described.items())),
            "examples": {
                _problem(status): {"summary": _PROBLEMS[str(status)], "value": value}
                for status, value in PROBLEMS.items()
            },
            "headers": {
                name: {"description": text, "schema": {"type": "integer"}} for name, text in _LIMIT_HEADERS.items()
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "HS256, with `sub`, `exp` and `role`: read < predict < act < admin",
                }
            },
        },
    }


def _answers(route: Route) -> list[str]:
    return [name for name in (route.answer, route.other_answer) if name]


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.function],
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
    }
    if route.role is None:
        operation |= {"security": [], "description": "Needs no token."}
    else:
        stronger = "`admin`" if route.role == WRITE else "a stronger one"
        operation["description"] = f"Needs a token with the role `{route.role}` or {stronger}."
    if route.body is not None:
        content = {"schema": {"$ref": REF + route.body.__name__}, "example": REQUESTS[route.operation]}
        operation["requestBody"] = {
            "required": not route.body_is_optional,
            "content": {"application/json": content},
        }
    return operation


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text_of("Path", name),
            "schema": {"type": "string"},
        }
        for name in names
    ]
    if route.query is not NoQuery:
        for name, schema in schemas[route.query.__name__]["properties"].items():
            plain = {key: value for key, value in schema.items() if key not in {"description", "title"}}
            parameters.append(
                {"name": name, "in": "query", "required": False, "schema": _without_null(plain)}
                | ({"description": schema["description"]} if "description" in schema else {})
            )
    if route.takes_version:
        text = "The `ETag` as it was read: if it has changed since, nothing is done (412)"
        schema = {"type": "string", "examples": ['"42"']}
        parameters.append(
            {"name": "If-Match", "in": "header", "required": False, "schema": schema, "description": text}
        )
    return parameters


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    # A query has no null: the parameter is left out.
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) != 1:
        return schema
    return {**options[0], **{key: value for key, value in schema.items() if key not in {"anyOf", "default"}}}


def _responses(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS}
    answer: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in route.media_types}
    if route.answer:
        options = [{"$ref": REF + name} for name in _answers(route)]
        schema = options[0] if len(options) == 1 else {"anyOf": options}
        answer = {"application/json": {"schema": schema, "example": example_of(route.answer, schemas)}}
    if route.is_table:
        answer = {"text/csv": {"schema": {"type": "string"}}}
    page = {"text/html": {"schema": {"type": "string"}}} if route.is_page else {}
    success: dict[str, Any] = {"description": route.summary, "headers": limits, "content": answer | page}
    if route.is_table:
        following = {"description": "The next part (`rel=next`); none with the last one", "schema": {"type": "string"}}
        success["headers"] = {**limits, "Link": following}
    if route.has_version:
        version = {"description": "Its version, for `If-Match`", "schema": {"type": "string"}}
        success["headers"] = {**limits, "ETag": version}
    if route.status in {201, 202}:
        place = {"description": "Where it is, or its state", "schema": {"type": "string", "format": "uri-reference"}}
        success["headers"] = {**success["headers"], "Location": place}
    if route.status == 204:
        success = {"description": route.summary, "headers": limits}
    if links := links_of(route):
        success["links"] = links
    responses: dict[str, Any] = {str(route.status): success}
    for status in _statuses(route):
        response: dict[str, Any] = {
            "description": _PROBLEMS[status],
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": REF + "ProblemDocument"},
                    "examples": {"problem": {"$ref": f"#/components/examples/{_problem(int(status))}"}},
                }
            },
        }
        if status in {"429", "503"}:
            response["headers"] = {
                "Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}},
                **(limits if status == "429" else {}),
            }
        responses[status] = response
    if route.answer == "Health":
        responses["503"] = {"description": "The service is unhealthy", "content": answer}
    if route.method == "HEAD":
        responses = {status: {**response, "content": {}} for status, response in responses.items()}
    return responses


_NEVER_IN_CONFLICT = {"predict", "predict_batch", "take_events", "issue_ticket", "open_session"}
"""The operations with a body that change nothing which could stand in their way."""


def _statuses(route: Route) -> list[str]:
    statuses = ["400", "429", "503"]
    if route.role is not None:
        statuses += ["401", "403"]
    elif route.answer == "Session":
        statuses.append("401")
    if "{" in route.path or route.operation == "predict":
        statuses.append("404")
    if route.body is not None and route.operation not in _NEVER_IN_CONFLICT:
        statuses.append("409")
    if route.body is not None:
        statuses.append("413")
    if route.takes_version:
        statuses.append("412")
    if route.method == "DELETE":
        statuses.append("409")
    return sorted(statuses)


def _problem(status: int) -> str:
    """Return the name of the example of an error."""
    return f"Problem{status}"
