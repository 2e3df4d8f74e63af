"""CloudFormation's YAML tags and intrinsic functions, resolved for one machine."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class TemplateError(ValueError):
    """The template cannot be served as it is written; the text names the place and says why."""


class _Loader(yaml.CSafeLoader):
    """A YAML loader that writes the short tags (`!Sub x`) in their long form (`{"Fn::Sub": x}`)."""


def _tag(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)
# CloudFormation reads dates as text: "2012-10-17" is a policy's version.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> dict[str, Any]:
    """Return the template's content, every short tag in its long form. Raises TemplateError if it is no mapping."""
    try:
        content = yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader with CloudFormation's tags)
    except yaml.YAMLError as error:
        raise TemplateError(f"not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise TemplateError("not a mapping at its top level")
    return content


def is_intrinsic(value: object) -> bool:
    """Return whether `value` is a call of an intrinsic function such as `{"Ref": "X"}`."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::", "Condition"))


class Resolver:
    """The results of intrinsic functions.

    `reference(logical_id)` and `attribute(logical_id, name)` give what a resource is called here; both raise KeyError
    for what they do not know.
    """

    def __init__(
        self,
        parameters: Mapping[str, Any],
        conditions: Mapping[str, Any],
        mappings: Mapping[str, Any],
        reference: Callable[[str], str],
        attribute: Callable[[str, str], str],
    ) -> None:
        self._parameters = parameters
        self._conditions = conditions
        self._mappings = mappings
        self._reference = reference
        self._attribute = attribute

    def resolve(self, value: Any, path: str) -> Any:
        """Return `value` with the results of its intrinsic functions. Raises TemplateError naming `path`."""
        resolved = self._resolve(value, path)
        return None if resolved is _NO_VALUE else resolved

    def condition(self, name: str, path: str) -> bool:
        """Return whether the condition called `name` holds."""
        if name not in self._conditions:
            raise TemplateError(f"{path}: there is no condition {name}")
        return self._truth(self._conditions[name], f"Conditions.{name}")

    def _resolve(self, value: Any, path: str) -> Any:
        if isinstance(value, list):
            items = [self._resolve(item, f"{path}[{index}]") for index, item in enumerate(value)]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if is_intrinsic(value):
            ((name, argument),) = value.items()
            return self._call(name, argument, path)
        members = {key: self._resolve(item, f"{path}.{key}") for key, item in value.items()}
        return {key: item for key, item in members.items() if item is not _NO_VALUE}

    def _call(self, name: str, argument: Any, path: str) -> Any:  # noqa: PLR0911  (one case a function)
        match name, argument:
            case "Ref", str():
                return self._named(argument, path)
            case "Fn::GetAtt", [str() as logical_id, str() as attribute]:
                return self._attribute_of(logical_id, attribute, path)
            case "Fn::Sub", str():
                return self._substitute(argument, {}, path)
            case "Fn::Sub", [str() as text, dict() as names]:
                return self._substitute(text, self._resolve(names, path), path)
            case "Fn::Join", [str() as glue, items]:
                return glue.join(str(item) for item in self._resolve(items, path))
            case "Fn::Select", [index, items]:
                return self._resolve(items, path)[int(self._resolve(index, path))]
            case "Fn::Split", [str() as glue, text]:
                return str(self._resolve(text, path)).split(glue)
            case "Fn::If", [str() as condition, yes, no]:
                return self._resolve(yes if self.condition(condition, path) else no, path)
            case "Fn::FindInMap", [table, first, second]:
                return self._mappings[self._resolve(table, path)][self._resolve(first, path)][
                    self._resolve(second, path)
                ]
            case _:
                raise TemplateError(f"{path}: {name} is not supported by the local stack in this form")

    def _named(self, name: str, path: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        if name in self._parameters:
            return self._parameters[name]
        try:
            return self._reference(name)
        except KeyError:
            raise TemplateError(f"{path}: nothing is called {name}") from None

    def _attribute_of(self, logical_id: str, attribute: str, path: str) -> str:
        try:
            return self._attribute(logical_id, attribute)
        except KeyError:
            raise TemplateError(f"{path}: {logical_id}.{attribute} is not supported by the local stack") from None

    def _substitute(self, text: str, names: Mapping[str, Any], path: str) -> str:
        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in names:
                return str(names[name])
            if "." in name:
                logical_id, attribute = name.split(".", 1)
                return self._attribute_of(logical_id, attribute, path)
            return str(self._named(name, path))

        return _PLACEHOLDER.sub(replace, text)

    def _truth(self, expression: Any, path: str) -> bool:
        if not is_intrinsic(expression):
            raise TemplateError(f"{path}: not a condition")
        ((name, argument),) = expression.items()
        match name:
            case "Condition":
                return self.condition(argument, path)
            case "Fn::Equals":
                left, right = (self._resolve(side, path) for side in argument)
                return bool(str(left) == str(right))
            case "Fn::Not":
                return not self._truth(argument[0], path)
            case "Fn::And":
                return all(self._truth(item, path) for item in argument)
            case "Fn::Or":
                return any(self._truth(item, path) for item in argument)
            case _:
                raise TemplateError(f"{path}: {name} is not supported by the local stack in a condition")
