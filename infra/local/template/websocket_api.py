"""The WebSocket API of a template."""

from collections.abc import Mapping
from typing import Any

from infra.local.template.intrinsics import TemplateError
from infra.local.template.specs import AuthorizerSpec, FunctionName, WebSocketApiSpec, WebSocketRoute


def websocket_api(
    api_id: str, properties: Mapping[str, Any], path: str, function_name: FunctionName
) -> WebSocketApiSpec:
    """Read a WebSocket API. Raises TemplateError."""
    selection = str(properties.get("RouteSelectionExpression"))
    if not selection.startswith("$request.body."):
        raise TemplateError(f"{path}.RouteSelectionExpression: {selection} is not supported by the local stack")
    return WebSocketApiSpec(
        api_id=api_id,
        stage=str(properties.get("StageName", "default")),
        selection=tuple(selection.removeprefix("$request.body.").split(".")),
        routes={
            key: WebSocketRoute(
                function_name(route.get("FunctionArn"), f"{path}.Routes.{key}.FunctionArn"),
                answers=route.get("RouteResponseSelectionExpression") == "$default",
                timeout=float(route.get("IntegrationTimeout", 29_000)) / 1000,
            )
            for key, route in (properties.get("Routes") or {}).items()
        },
        authorizer=_authorizer(properties.get("Auth") or {}, f"{path}.Auth", function_name),
    )


def _authorizer(auth: Mapping[str, Any], path: str, function_name: FunctionName) -> AuthorizerSpec | None:
    if auth.get("AuthType") in (None, "NONE"):
        return None
    if auth["AuthType"] != "CUSTOM":
        raise TemplateError(f"{path}.AuthType: {auth['AuthType']} is not supported by the local stack")
    sources = [str(source) for source in auth.get("IdentitySource") or []]
    for source in sources:
        if not source.startswith(("route.request.header.", "route.request.querystring.")):
            raise TemplateError(f"{path}.IdentitySource: {source} is not supported by the local stack")
    return AuthorizerSpec(
        function_name(auth.get("AuthArn"), f"{path}.AuthArn"),
        tuple(source.rsplit(".", 1)[1] for source in sources if ".header." in source),
        tuple(source.rsplit(".", 1)[1] for source in sources if ".querystring." in source),
        ttl=0.0,
    )
