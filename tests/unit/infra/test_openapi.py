"""The API's description says what everything means, and its examples are what they are examples of."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from infra.tools.openapi.document import document
from infra.tools.openapi.glossary import text_of

_DOCUMENT = document()
_SCHEMAS = _DOCUMENT["components"]["schemas"]
_OPERATIONS = {
    operation["operationId"]: operation for methods in _DOCUMENT["paths"].values() for operation in methods.values()
}


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    parts: list[Any] = []
    if isinstance(value, dict):
        yield value
        parts = [*value.values()]
    elif isinstance(value, list):
        parts = value
    for part in parts:
        yield from _nodes(part)


def _examples(content: dict[str, Any]) -> list[Any]:
    named = [each["$ref"].split("/")[-1] for each in content.get("examples", {}).values()]
    values = [_DOCUMENT["components"]["examples"][name]["value"] for name in named]
    return [*values, *([content["example"]] if "example" in content else [])]


def test_every_schema_field_and_parameter_says_what_it_means() -> None:
    silent = [name for name, schema in _SCHEMAS.items() if not schema.get("description")]
    silent += [
        f"{name}.{field}"
        for name, schema in _SCHEMAS.items()
        for field, part in schema.get("properties", {}).items()
        if not part.get("description")
    ]
    silent += [
        f"{name}: {parameter['name']}"
        for name, operation in _OPERATIONS.items()
        for parameter in operation["parameters"]
        if not parameter.get("description")
    ]
    assert silent == [], "write a string below the field, or its meaning into infra/tools/openapi/glossary.py"


def test_every_operation_has_a_name_a_tag_and_a_description() -> None:
    names = [operation["operationId"] for methods in _DOCUMENT["paths"].values() for operation in methods.values()]
    assert [name for name, times in Counter(names).items() if times > 1] == []
    tags = {tag["name"] for tag in _DOCUMENT["tags"] if tag["description"]}
    for operation in _OPERATIONS.values():
        assert operation["summary"]
        assert operation["description"]
        assert len(operation["tags"]) == 1
        assert tags.issuperset(operation["tags"])


def test_nothing_is_null_by_default() -> None:
    nodes = [*_nodes(_SCHEMAS), *_nodes(_DOCUMENT["paths"])]
    assert [node for node in nodes if "default" in node and node["default"] is None] == []


@pytest.mark.parametrize("name", _OPERATIONS)
def test_json_has_examples_that_are_as_described(name: str) -> None:
    operation = _OPERATIONS[name]
    responses = [response.get("content", {}) for response in operation["responses"].values()]
    for contents in [*responses, operation.get("requestBody", {}).get("content", {})]:
        for kind, content in contents.items():
            if not kind.endswith("json"):
                continue
            examples = _examples(content)
            assert examples, f"{name} has no example"
            schema = {**content["schema"], "components": _DOCUMENT["components"]}
            for example in examples:
                assert [error.message for error in Draft202012Validator(schema).iter_errors(example)] == []


def test_a_term_that_no_field_has_is_no_term() -> None:
    assert text_of("Customer", "churn_probability")
    assert text_of("CustomersQuery", "min_total_spent") == "Only those whose `total_spent` is not below this"
    assert text_of("Customer", "shoe_size") is None
