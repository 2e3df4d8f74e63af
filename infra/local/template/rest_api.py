"""The REST API of a template: routes, authorizers and the gateway's own answers."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from infra.local.template.intrinsics import TemplateError
from infra.local.template.specs import AuthorizerSpec, FunctionName, GatewayResponse, RestApiSpec, RestRoute


def rest_api(
    api_id: str,
    properties: Mapping[str, Any],
    path: str,
    events: Sequence[tuple[str, Mapping[str, Any]]],
    function_name: FunctionName,
) -> RestApiSpec:
    """Read a REST API; `events` are the functions' events of type Api. Raises TemplateError."""
    auth = properties.get("Auth") or {}
    authorizers = {
        name: _authorizer(settings, f"{path}.Auth.Authorizers.{name}", function_name)
        for name, settings in (auth.get("Authorizers") or {}).items()
    }
    responses = {
        name: _gateway_response(settings, f"{path}.GatewayResponses.{name}")
        for name, settings in (properties.get("GatewayResponses") or {}).items()
    }
    smallest = properties.get("MinimumCompressionSize")
    return RestApiSpec(
        api_id=api_id,
        stage=str(properties["StageName"]),
        routes=tuple(
            _route(function, event, auth.get("DefaultAuthorizer"), authorizers, path) for function, event in events
        ),
        authorizers=authorizers,
        responses=responses,
        binary_types=tuple(str(kind).replace("~1", "/") for kind in properties.get("BinaryMediaTypes") or ()),
        compression_from=None if smallest is None else int(smallest),
    )


def _authorizer(settings: Mapping[str, Any], path: str, function_name: FunctionName) -> AuthorizerSpec:
    if settings.get("FunctionPayloadType") != "REQUEST":
        raise TemplateError(f"{path}: only REQUEST authorizers are supported")
    identity = settings.get("Identity") or {}
    return AuthorizerSpec(
        function_name(settings.get("FunctionArn"), f"{path}.FunctionArn"),
        tuple(identity.get("Headers") or ()),
        tuple(identity.get("QueryStrings") or ()),
        float(identity.get("ReauthorizeEvery", 300)),
    )


def _route(
    function: str, event: Mapping[str, Any], default: str | None, authorizers: Container[str], path: str
) -> RestRoute:
    authorizer = (event.get("Auth") or {}).get("Authorizer", default)
    authorizer = None if authorizer == "NONE" else authorizer
    if authorizer is not None and authorizer not in authorizers:
        raise TemplateError(f"{path}.Auth: there is no authorizer {authorizer}")
    return RestRoute(str(event["Method"]).upper(), str(event["Path"]), function, authorizer)


def _unquoted(value: Any, path: str) -> str:
    text = str(value)
    if not (len(text) >= 2 and text[0] == text[-1] == "'"):
        raise TemplateError(f"{path}: only a 'quoted' constant is supported by the local stack")
    return text[1:-1]


def _gateway_response(settings: Mapping[str, Any], path: str) -> GatewayResponse:
    headers = ((settings.get("ResponseParameters") or {}).get("Headers")) or {}
    templates = settings.get("ResponseTemplates") or {}
    if len(templates) > 1:
        raise TemplateError(f"{path}.ResponseTemplates: more than one is not supported by the local stack")
    status = settings.get("StatusCode")
    return GatewayResponse(
        status=None if status is None else int(status),
        headers={
            name: _unquoted(value, f"{path}.ResponseParameters.Headers.{name}")
            for name, value in headers.items()
            if value is not None
        },
        template=next(iter(templates.items()), None),
    )
