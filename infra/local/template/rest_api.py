"""The REST API of a template: routes, authorizers, CORS and the gateway's own answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.local.template.intrinsics import TemplateError
from infra.local.template.specs import AuthorizerSpec, Cors, FunctionName, GatewayResponse, RestApiSpec, RestRoute


def rest_api(
    api_id: str,
    properties: Mapping[str, Any],
    path: str,
    events: Sequence[tuple[str, Mapping[str, Any]]],
    function_name: FunctionName,
) -> RestApiSpec:
    """Read a REST API; `events` are the functions' events of type Api. Raises TemplateError."""
    auth = properties.get("Auth") or {}
    default = auth.get("DefaultAuthorizer")
    authorizers = {}
    for name, given in (auth.get("Authorizers") or {}).items():
        if given.get("FunctionPayloadType") != "REQUEST":
            raise TemplateError(f"{path}.Auth.Authorizers.{name}: only REQUEST authorizers are supported")
        identity = given.get("Identity") or {}
        authorizers[name] = AuthorizerSpec(
            function_name(given.get("FunctionArn"), f"{path}.Auth.Authorizers.{name}.FunctionArn"),
            tuple(identity.get("Headers") or ()),
            tuple(identity.get("QueryStrings") or ()),
            float(identity.get("ReauthorizeEvery", 300)),
        )
    routes = []
    for function, event in events:
        authorizer = (event.get("Auth") or {}).get("Authorizer", default)
        authorizer = None if authorizer == "NONE" else authorizer
        if authorizer is not None and authorizer not in authorizers:
            raise TemplateError(f"{path}.Auth: there is no authorizer {authorizer}")
        routes.append(RestRoute(str(event["Method"]).upper(), str(event["Path"]), function, authorizer))
    cors = properties.get("Cors")
    return RestApiSpec(
        api_id=api_id,
        stage=str(properties["StageName"]),
        routes=tuple(routes),
        authorizers=authorizers,
        responses={
            name: _gateway_response(given, f"{path}.GatewayResponses.{name}")
            for name, given in (properties.get("GatewayResponses") or {}).items()
        },
        cors=None if cors is None else _cors(cors),
        binary_types=tuple(str(kind).replace("~1", "/") for kind in properties.get("BinaryMediaTypes") or ()),
    )


def _unquoted(value: Any, path: str) -> str:
    text = str(value)
    if not (len(text) >= 2 and text[0] == text[-1] == "'"):
        raise TemplateError(f"{path}: only a 'quoted' constant is supported by the local stack")
    return text[1:-1]


def _gateway_response(given: Mapping[str, Any], path: str) -> GatewayResponse:
    headers = ((given.get("ResponseParameters") or {}).get("Headers")) or {}
    templates = given.get("ResponseTemplates") or {}
    if len(templates) > 1:
        raise TemplateError(f"{path}.ResponseTemplates: more than one is not supported by the local stack")
    status = given.get("StatusCode")
    return GatewayResponse(
        status=None if status is None else int(status),
        headers={
            name: _unquoted(value, f"{path}.ResponseParameters.Headers.{name}") for name, value in headers.items()
        },
        template=next(iter(templates.items()), None),
    )


def _cors(given: Mapping[str, Any]) -> Cors:
    path = "Cors"
    values = {
        key: None if given.get(key) is None else _unquoted(given[key], f"{path}.{key}")
        for key in ("AllowOrigin", "AllowHeaders", "AllowMethods", "MaxAge")
    }
    if values["AllowOrigin"] is None:
        raise TemplateError(f"{path}.AllowOrigin is missing")
    return Cors(values["AllowOrigin"], values["AllowHeaders"], values["AllowMethods"], values["MaxAge"])
