"""The schemas of requests and answers, made from their types, each field with what it means."""

import ast
import inspect
from collections.abc import Iterable
from functools import cache, reduce
from itertools import pairwise
from operator import or_
from types import UnionType, get_original_bases
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import ConfigDict, Field, WithJsonSchema, create_model
from pydantic.json_schema import models_json_schema

from churn.domain import (
    access_answers,
    alert_answers,
    answers,
    cohort_answers,
    dashboard_answers,
    features,
    health_answers,
    ingestion_answers,
    model_answers,
    segment_answers,
    story_answers,
)
from churn.domain.features import FEATURES
from churn.entrypoints.http import alert_requests, customer_requests, dashboard_requests, requests, segment_requests
from churn.entrypoints.http.requests import Model
from infra.tools.openapi.glossary import text_of

REF = "#/components/schemas/"
_MODULES = (
    access_answers, answers, alert_answers, cohort_answers, dashboard_answers, health_answers, ingestion_answers,
    model_answers, segment_answers, story_answers, features, alert_requests, segment_requests, customer_requests,
    dashboard_requests, requests,
)  # fmt: skip
_CLASSES = {
    node.name: node
    for module in reversed(_MODULES)
    for node in ast.parse(inspect.getsource(module)).body
    if isinstance(node, ast.ClassDef)
}
_FEATURE_TEXTS = {feature.name: f"{feature.description} ({feature.unit}); null = not known" for feature in FEATURES}


class _OpenModel(Model):
    model_config = ConfigDict(extra="allow")


def schemas(received: Iterable[type[Model]], answered: Iterable[str]) -> dict[str, Any]:
    """Return the schemas of requests, by their models, and of answers, by the names of their types."""
    modes: list[tuple[type[Model], Any]] = [(model, "validation") for model in received]
    modes += [(_model(name), "serialization") for name in answered]
    modes.sort(key=lambda pair: pair[0].__name__)
    _, definitions = models_json_schema(modes, ref_template=REF + "{model}")
    made: dict[str, Any] = definitions["$defs"]
    for name, schema in made.items():
        written = _field_docstrings(_described(name))
        for field, part in _plain(schema).get("properties", {}).items():
            text = written.get(field) or part.get("description") or text_of(name, field)
            if text is not None:
                part["description"] = text
    return made


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Take out of a schema what says nothing: titles that repeat the name of a field, and null as a default."""
    parts = [*schema.get("properties", {}).values()]
    for part in parts:
        part.pop("title", None)
    for part in (*parts, *schema.get("anyOf", ()), schema.get("items")):
        if isinstance(part, dict):
            _plain(part)
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


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
