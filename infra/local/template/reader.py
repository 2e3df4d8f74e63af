"""The reader of a SAM template: what the local stack serves of it.

Every property of the template is honoured, or listed in `infra.local.template.schema` as without meaning on one
machine, or refused by name: nothing is ignored in silence.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.template import schema
from infra.local.template.event_sources import is_enabled, kafka_source, queue_source, schedule
from infra.local.template.intrinsics import Resolver, TemplateError, is_intrinsic, parse_yaml
from infra.local.template.rest_api import rest_api
from infra.local.template.specs import ACCOUNT, FunctionSpec, RestApiSpec, Template, WebSocketApiSpec
from infra.local.template.websocket_api import websocket_api

_API_HOST = re.compile(r"^(?:https|wss)://(?P<api>[a-z0-9]+)\.execute-api\.[a-z0-9-]+\.[a-z.]+(?:/[^/]+)?$")


def load(
    path: Path,
    parameters: Mapping[str, str] | None = None,
    *,
    region: str = "us-east-1",
    aws_endpoint: str = "",
    socket_endpoint: str = "",
) -> Template:
    """Read the template at `path`.

    `parameters` override the template's defaults; those that the template does not declare are ignored.
    Queues have their URLs at `aws_endpoint`; `socket_endpoint` replaces the address of the WebSocket API.
    Raises TemplateError, naming the place, for what cannot be served here.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
        return _Reader(content, path.parent.resolve(), parameters or {}, region, aws_endpoint, socket_endpoint).read()
    except TemplateError as error:
        raise TemplateError(f"{path.name}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Event:
    """An event of a function, its properties resolved."""

    function: str
    name: str
    kind: str
    properties: dict[str, Any]


class _Reader:
    """One template on its way to what is served of it."""

    def __init__(
        self,
        content: dict[str, Any],
        root: Path,
        parameters: Mapping[str, str],
        region: str,
        aws_endpoint: str,
        socket_endpoint: str,
    ) -> None:
        for section in content.keys() - schema.SECTIONS:
            raise TemplateError(f"{section} is not supported by the local stack")
        self._root = root
        self._region = region
        self._aws_endpoint = aws_endpoint
        self._socket_endpoint = socket_endpoint
        self._globals: dict[str, Any] = content.get("Globals") or {}
        self._raw: dict[str, Any] = content.get("Resources") or {}
        self._stack = "churn"
        self._resolver = Resolver(
            self._parameters(content.get("Parameters") or {}, parameters),
            content.get("Conditions") or {},
            content.get("Mappings") or {},
            self._reference,
            self._attribute,
        )
        self._resources: dict[str, dict[str, Any]] = {}

    def _parameters(self, declared: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, Any]:
        values: dict[str, Any] = {
            "AWS::Region": self._region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self._stack,
            "AWS::StackId": f"arn:aws:cloudformation:{self._region}:{ACCOUNT}:stack/{self._stack}/local",
        }
        for name, declaration in declared.items():
            if name in overrides:
                values[name] = overrides[name]
            elif "Default" in declaration:
                values[name] = declaration["Default"]
            else:
                raise TemplateError(f"Parameters.{name} has no default and was given no value")
            if "List" in str(declaration.get("Type")):
                values[name] = [item.strip() for item in str(values[name]).split(",")]
        return values

    def read(self) -> Template:
        for name in self._globals.keys() - schema.GLOBALS.keys():
            raise TemplateError(f"Globals.{name} is not supported by the local stack")
        for logical_id, resource in self._raw.items():
            properties = self._properties(logical_id, resource)
            if properties is not None:
                self._resources[logical_id] = properties
        functions = {self._name(id_): self._function(id_) for id_ in self._of_type("AWS::Serverless::Function")}
        events = self._events()
        return Template(
            functions=functions,
            rest=self._rest_api(events),
            websocket=self._websocket_api(),
            kafka=tuple(
                kafka_source(
                    self._function_name(self._resources[id_].get("FunctionName"), f"Resources.{id_}.FunctionName"),
                    id_,
                    self._resources[id_],
                )
                for id_ in self._of_type("AWS::Lambda::EventSourceMapping")
            ),
            queue_sources=tuple(
                queue_source(event.function, event.properties)
                for event in events
                if event.kind == "SQS" and event.properties.get("Enabled", True)
            ),
            schedules=tuple(
                schedule(event.function, event.name, event.properties)
                for event in events
                if event.kind.startswith("Schedule") and is_enabled(event.properties)
            ),
            buckets=self._buckets(),
            queues=self._queues(),
            secrets={
                self._name(id_): str(self._resources[id_].get("SecretString", ""))
                for id_ in self._of_type("AWS::SecretsManager::Secret")
            },
        )

    def _events(self) -> list[_Event]:
        return [
            self._event(id_, name, event)
            for id_ in self._of_type("AWS::Serverless::Function")
            for name, event in (self._resources[id_].get("Events") or {}).items()
        ]

    def _rest_api(self, events: Sequence[_Event]) -> RestApiSpec | None:
        api_events = [(event.function, event.properties) for event in events if event.kind == "Api"]
        ids = self._of_type("AWS::Serverless::Api")
        return _single([rest_api(*self._api(id_), api_events, self._function_name) for id_ in ids])

    def _websocket_api(self) -> WebSocketApiSpec | None:
        ids = self._of_type("AWS::Serverless::WebSocketApi")
        return _single([websocket_api(*self._api(id_), self._function_name) for id_ in ids])

    def _buckets(self) -> dict[str, bool]:
        """Return whether each bucket keeps versions."""
        return {
            self._name(id_): (self._resources[id_].get("VersioningConfiguration") or {}).get("Status") == "Enabled"
            for id_ in self._of_type("AWS::S3::Bucket")
        }

    def _queues(self) -> dict[str, dict[str, str]]:
        return {
            self._name(id_): {
                key: str(self._resources[id_][key])
                for key in ("VisibilityTimeout", "MessageRetentionPeriod")
                if key in self._resources[id_]
            }
            for id_ in self._of_type("AWS::SQS::Queue")
        }

    # -- names ---------------------------------------------------------------------------------------------------------

    def _type(self, logical_id: str) -> str:
        return str(self._raw[logical_id].get("Type"))

    def _of_type(self, kind: str) -> list[str]:
        return [id_ for id_ in self._resources if self._type(id_) == kind]

    def _name(self, logical_id: str) -> str:
        kind = self._type(logical_id)
        key = {
            "AWS::Serverless::Function": "FunctionName",
            "AWS::S3::Bucket": "BucketName",
            "AWS::SQS::Queue": "QueueName",
            "AWS::SecretsManager::Secret": "Name",
        }.get(kind)
        properties = self._raw[logical_id].get("Properties") or {}
        if key and key in properties:
            name = self._resolver.resolve(properties[key], f"Resources.{logical_id}.Properties.{key}")
            if name is not None:
                return str(name)
        if kind in {"AWS::S3::Bucket", "AWS::Serverless::Api", "AWS::Serverless::WebSocketApi"}:
            return logical_id.lower() if kind != "AWS::S3::Bucket" else f"{self._stack}-{logical_id.lower()}"
        return logical_id

    def _reference(self, logical_id: str) -> str:
        # A function has one version here, which whatever names it reaches.
        owner, _, published = logical_id.partition(".")
        if published in {"Alias", "Version"} and self._type(owner) == "AWS::Serverless::Function":
            return self._attribute(owner, "Arn")
        kind, name = self._type(logical_id), self._name(logical_id)
        match kind:
            case "AWS::SQS::Queue":
                return f"{self._aws_endpoint}/{ACCOUNT}/{name}"
            case "AWS::SecretsManager::Secret":
                return self._attribute(logical_id, "Id")
            case "AWS::Serverless::LayerVersion":
                return f"layer:{logical_id}"
            case _:
                return name

    def _attribute(self, logical_id: str, attribute: str) -> str:  # noqa: PLR0911  (one case a kind)
        kind, name = self._type(logical_id), self._name(logical_id)
        match kind, attribute:
            case "AWS::Serverless::Function", "Arn":
                return f"arn:aws:lambda:{self._region}:{ACCOUNT}:function:{name}"
            case "AWS::SQS::Queue", "Arn":
                return f"arn:aws:sqs:{self._region}:{ACCOUNT}:{name}"
            case "AWS::SQS::Queue", "QueueName":
                return name
            case "AWS::S3::Bucket", "Arn":
                return f"arn:aws:s3:::{name}"
            case "AWS::SecretsManager::Secret", "Id":
                return name
            case (("AWS::Serverless::Api" | "AWS::Serverless::WebSocketApi"), ("ApiId" | "RestApiId")):
                return name
            case _ if kind.startswith(schema.MOOT_RESOURCES):
                return f"local-{logical_id}-{attribute}"
            case _:
                raise KeyError(attribute)

    def _localised(self, value: str) -> str:
        """Replace an address of the WebSocket API's stage by that of the local one."""
        host = _API_HOST.match(value)
        apis = {self._name(id_) for id_ in self._of_type("AWS::Serverless::WebSocketApi")}
        return self._socket_endpoint if host and host["api"] in apis and self._socket_endpoint else value

    # -- properties ----------------------------------------------------------------------------------------------------

    def _properties(self, logical_id: str, resource: Any) -> dict[str, Any] | None:
        path = f"Resources.{logical_id}"
        if not isinstance(resource, dict) or "Type" not in resource:
            raise TemplateError(f"{path} has no Type")
        for attribute in resource.keys() - schema.RESOURCE_ATTRIBUTES:
            raise TemplateError(f"{path}.{attribute} is not supported by the local stack")
        kind = self._type(logical_id)
        if "Condition" in resource and not self._resolver.condition(resource["Condition"], f"{path}.Condition"):
            return None
        if kind.startswith(schema.MOOT_RESOURCES):
            return None
        if kind not in schema.RESOURCE_SPECS:
            raise TemplateError(f"{path}: {kind} is not supported by the local stack")
        section = next((name for name, of in schema.GLOBALS.items() if of == kind), "")
        defaults = self._walk(self._globals.get(section) or {}, schema.RESOURCE_SPECS[kind], f"Globals.{section}")
        own = self._walk(resource.get("Properties") or {}, schema.RESOURCE_SPECS[kind], f"{path}.Properties")
        merged: dict[str, Any] = _merge(defaults, own)
        return merged

    def _walk(self, value: Any, spec: schema.Spec, path: str) -> Any:
        """Return what is honoured of `value`, resolved. Raises TemplateError for a member that `spec` does not name."""
        if spec is schema.USED:
            return self._resolver.resolve(value, path)
        if is_intrinsic(value):
            value = self._resolver.resolve(value, path)
        if isinstance(value, list):
            return [self._walk(item, spec, f"{path}[{index}]") for index, item in enumerate(value)]
        if value is None:
            return None
        if not isinstance(value, dict):
            raise TemplateError(f"{path}: only the form with named members is supported by the local stack")
        assert isinstance(spec, Mapping)  # noqa: S101
        honoured = {}
        for key, item in value.items():
            inner = spec.get(key, spec.get("*"))
            if inner is None:
                raise TemplateError(f"{path}.{key} is not supported by the local stack")
            if inner is not schema.MOOT:
                honoured[key] = self._walk(item, inner, f"{path}.{key}")
        return honoured

    def _event(self, logical_id: str, name: str, event: Any) -> _Event:
        path = f"Resources.{logical_id}.Properties.Events.{name}"
        kind = event.get("Type") if isinstance(event, dict) else None
        if kind not in schema.EVENT_SPECS:
            raise TemplateError(f"{path}: an event of type {kind} is not supported by the local stack")
        properties = self._walk(event.get("Properties") or {}, schema.EVENT_SPECS[kind], f"{path}.Properties")
        return _Event(self._name(logical_id), name, kind, properties)

    # -- resources -----------------------------------------------------------------------------------------------------

    def _function(self, logical_id: str) -> FunctionSpec:
        properties, path = self._resources[logical_id], f"Resources.{logical_id}.Properties"
        runtime = properties.get("Runtime")
        if not str(runtime).startswith("python"):
            raise TemplateError(f"{path}.Runtime: {runtime} is not supported by the local stack")
        folder = self._folder(properties, "CodeUri", path)
        layers = tuple(self._layer(layer, f"{path}.Layers") for layer in properties.get("Layers") or [])
        variables = (properties.get("Environment") or {}).get("Variables") or {}
        reserved = properties.get("ReservedConcurrentExecutions")
        return FunctionSpec(
            name=self._name(logical_id),
            label=logical_id.removesuffix("Function").lower(),
            handler=str(properties["Handler"]),
            folder=folder,
            layers=layers,
            memory_mb=int(properties.get("MemorySize", 128)),
            timeout=float(properties.get("Timeout", 3)),
            environment={
                key: _in_layers(self._localised(_text(value)), layers)
                for key, value in variables.items()
                if value is not None
            },
            reserved_concurrency=None if reserved is None else int(reserved),
        )

    def _folder(self, properties: Mapping[str, Any], key: str, path: str) -> Path:
        folder = self._root / str(properties.get(key))
        if key not in properties or not folder.is_dir():
            raise TemplateError(f"{path}.{key}: there is no folder {properties.get(key)}")
        return folder

    def _layer(self, reference: str, path: str) -> Path:
        logical_id = str(reference).removeprefix("layer:")
        if logical_id not in self._resources:
            raise TemplateError(f"{path}: {reference} is not a layer of this template")
        return self._folder(self._resources[logical_id], "ContentUri", f"Resources.{logical_id}.Properties")

    def _api(self, logical_id: str) -> tuple[str, dict[str, Any], str]:
        return self._name(logical_id), self._resources[logical_id], f"Resources.{logical_id}.Properties"

    def _function_name(self, arn: Any, path: str) -> str:
        name = str(arn).split(":function:")[-1]
        if name not in {self._name(id_) for id_ in self._of_type("AWS::Serverless::Function")}:
            raise TemplateError(f"{path}: {arn} is not a function of this template")
        return name


def _single[T](apis: Sequence[T]) -> T | None:
    if len(apis) > 1:
        raise TemplateError("Resources: more than one API of a kind is not supported by the local stack")
    return apis[0] if apis else None


def _merge(defaults: Any, own: Any) -> Any:
    """Merge by SAM's rule for Globals: objects are merged, lists are appended, anything else is replaced."""
    if isinstance(defaults, dict) and isinstance(own, dict):
        return defaults | {
            key: _merge(defaults[key], value) if key in defaults else value for key, value in own.items()
        }
    if isinstance(defaults, list) and isinstance(own, list):
        return defaults + own
    return own


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _in_layers(value: str, layers: tuple[Path, ...]) -> str:
    """Replace a path under /opt, where Lambda unpacks layers, by that of the layer's own folder."""
    if not value.startswith("/opt/"):
        return value
    inside = value.removeprefix("/opt/")
    for layer in layers:
        if (layer / inside).exists() or layer.name == inside.split("/", 1)[0]:
            return str(layer / inside)
    return value
