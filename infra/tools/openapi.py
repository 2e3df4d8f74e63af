"""`python -m infra.tools.openapi [--check]`: writes docs/openapi.json from the table of routes and its types."""

import argparse
import ast
import inspect
import json
import sys
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from pathlib import Path
from types import UnionType, get_original_bases
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import ConfigDict, Field, WithJsonSchema, create_model
from pydantic.json_schema import models_json_schema

from churn.domain import (
    alert_answers,
    answers,
    dashboard_answers,
    features,
    model_answers,
    segment_answers,
    story_answers,
)
from churn.domain.features import FEATURES
from churn.entrypoints.http import alert_requests, customer_requests, requests, segment_requests
from churn.entrypoints.http.requests import Model, NoQuery
from churn.entrypoints.http.routes import ROUTES, Route
from churn.entrypoints.http.tokens import WRITE
from infra import console

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
_MODULES = (
    answers, alert_answers, dashboard_answers, model_answers, segment_answers, story_answers, features,
    alert_requests, segment_requests, customer_requests, requests,
)  # fmt: skip
_CLASSES = {
    node.name: node
    for module in reversed(_MODULES)
    for node in ast.parse(inspect.getsource(module)).body
    if isinstance(node, ast.ClassDef)
}
_FEATURE_TEXTS = {feature.name: f"{feature.description} ({feature.unit}); null = not known" for feature in FEATURES}
_REF = "#/components/schemas/"
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
_EXAMPLES: dict[str, Any] = {
    "predict": {"total_orders": 12, "total_spent": 640.5, "days_since_last_order": 75, "support_tickets": 3},
    "predict_batch": {"customers": [{"customer_id": "CUST-001"}, {"total_orders": 2, "days_since_last_order": 140}]},
    "take_events": {
        "events": [
            {
                "event_id": "order-8124",
                "event_type": "order_placed",
                "customer_id": "CUST-001",
                "timestamp": "2026-11-23T10:15:00Z",
                "data": {"order_id": "8124", "order_value": 49.9},
            }
        ]
    },
    "resolve_alert": {"resolution_notes": "Called; the card had expired."},
    "acknowledge_alert": {},
    "work_on_alert": {"status": "in_progress", "assigned_to": "me", "note": "She asks for a call next week."},
    "work_on_alerts": {"ids": [17, 21], "status": "dismissed", "reason": "Test orders."},
    "issue_ticket": {},
    "open_session": {"code": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJzZXNzaW9uIn0.c2lnbmF0dXJl"},
    "add_segment": {"name": "Big baskets gone quiet", "filter": {"status": "current", "min_total_spent": 500}},
    "change_segment": {"filter": {"status": ["new", "active", "at_risk"], "min_total_spent": 800}},
    "promote_model": {"force": True, "reason": "The shop has changed; the version in use is blind to it."},
    "roll_back_model": {"reason": "Twice as many alerts as the day before."},
    "train_model": {},
}


class _OpenModel(Model):
    model_config = ConfigDict(extra="allow")


def document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    schemas = _schemas()
    paths: dict[str, Any] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    for route in ROUTES:
        schemas.pop(route.query.__name__, None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Churn service",
            "version": "0.1.0",
            "description": "Which of a shop's customers are about to leave, and why. "
            "docs/events.md describes the WebSocket API and the events on Kafka.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:3000", "description": "The local stack"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
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


def _schemas() -> dict[str, Any]:
    received = {model for route in ROUTES for model in (route.query, route.body) if model is not None}
    sent = {_model(name) for name in {name for route in ROUTES for name in _answers(route)} | {"ProblemDocument"}}
    modes: list[tuple[type[Model], Any]] = [(model, "validation") for model in received]
    modes += [(model, "serialization") for model in sent]
    modes.sort(key=lambda pair: pair[0].__name__)
    _, definitions = models_json_schema(modes, ref_template=_REF + "{model}")
    schemas: dict[str, Any] = definitions["$defs"]
    for name, schema in schemas.items():
        for field, text in _field_docstrings(_described(name)).items():
            schema["properties"][field]["description"] = text
    return schemas


def _answers(route: Route) -> list[str]:
    return [name for name in (route.answer, route.other_answer) if name]


def _described(name: str) -> type[Any]:
    described: type[Any] = next(getattr(module, name) for module in _MODULES if hasattr(module, name))
    return described


@cache
def _model(name: str) -> type[Model]:
    """Return the model of an answer's type; one without fields of its own may have any."""
    answer = _described(name)
    fields: dict[str, Any] = {}
    for field, hint in get_type_hints(answer, include_extras=True).items():
        default = None if get_origin(hint) is NotRequired else ...
        fields[field] = (_annotation(hint), Field(default, description=_FEATURE_TEXTS.get(field)))
    base = Model if fields else _OpenModel
    model: type[Model] = create_model(name, __base__=base, __doc__=answer.__doc__, **fields)
    return model


def _annotation(hint: Any) -> Any:
    """Return an annotation with the models of answers in the place of their types."""
    if is_typeddict(hint):
        return _model(hint.__name__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is NotRequired:
        return _annotation(arguments[0])
    if origin is Annotated:
        return Annotated[arguments[0], WithJsonSchema(arguments[1])]
    if origin in (Union, UnionType):
        return reduce(or_, map(_annotation, arguments))
    return list[_annotation(arguments[0])] if origin is list else hint  # type: ignore[misc]


def _field_docstrings(described: type[Any]) -> dict[str, str]:
    """Return what stands in quotes below the fields of a class, and of its bases."""
    texts: dict[str, str] = {}
    for base in get_original_bases(described):
        if isinstance(base, type):
            texts |= _field_docstrings(base)
    written = _CLASSES.get(described.__name__)
    for field, text in pairwise(written.body if written else ()):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                texts[name] = inspect.cleandoc(words)
    return texts


def _operation(route: Route, schemas: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.function],
        "parameters": _parameters(route, schemas),
        "responses": _responses(route),
    }
    if route.role is None:
        operation["security"] = []
    else:
        stronger = "`admin`" if route.role == WRITE else "a stronger one"
        operation["description"] = f"Needs a token with the role `{route.role}` or {stronger}."
    if route.body is not None:
        content = {"schema": {"$ref": _REF + route.body.__name__}, "example": _EXAMPLES[route.operation]}
        operation["requestBody"] = {
            "required": not route.body_is_optional,
            "content": {"application/json": content},
        }
    return operation


def _parameters(route: Route, schemas: dict[str, Any]) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    if route.query is not NoQuery:
        for name, schema in schemas[route.query.__name__]["properties"].items():
            plain = {key: value for key, value in schema.items() if key not in {"description", "title"}}
            parameters.append(
                {"name": name, "in": "query", "required": False, "schema": _without_null(plain)}
                | ({"description": schema["description"]} if "description" in schema else {})
            )
    if _takes_version(route):
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


def _responses(route: Route) -> dict[str, Any]:
    limits = {name: {"$ref": f"#/components/headers/{name}"} for name in _LIMIT_HEADERS}
    answer: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in route.media_types}
    if route.answer:
        schemas = [{"$ref": _REF + name} for name in _answers(route)]
        answer = {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}
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
    responses: dict[str, Any] = {str(route.status): success}
    for status in _statuses(route):
        response: dict[str, Any] = {
            "description": _PROBLEMS[status],
            "content": {"application/problem+json": {"schema": {"$ref": _REF + "ProblemDocument"}}},
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


def _statuses(route: Route) -> list[str]:
    statuses = ["400", "429", "503"]
    if route.role is not None:
        statuses += ["401", "403"]
    elif route.answer == "Session":
        statuses.append("401")
    if "{" in route.path or route.operation == "predict":
        statuses.append("404")
    if route.body is not None and route.operation not in {"predict", "predict_batch", "issue_ticket", "open_session"}:
        statuses.append("409")
    if route.body is not None:
        statuses.append("413")
    if _takes_version(route):
        statuses.append("412")
    if route.method == "DELETE":
        statuses.append("409")
    return sorted(statuses)


def _takes_version(route: Route) -> bool:
    """Return whether a change is of one version alone, which `If-Match` names: what is made new has none before."""
    return route.has_version and route.method in {"PATCH", "DELETE"}


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is not up to date")
    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if parser.parse_args().check:
        current = FILE.exists() and FILE.read_text(encoding="utf-8") == text
        if not current:
            print(f"{FILE.name} is not up to date: run 'make openapi'", file=sys.stderr)
        return 0 if current else 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    console.run(main)
