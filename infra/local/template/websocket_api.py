"""The WebSocket API of a template."""

from collections.abc import Mapping
from typing import Any

from infra.local.template.intrinsics import TemplateError
from infra.local.template.specs import AuthorizerSpec, FunctionName, SocketApiSpec, SocketRoute


def websocket_api(api_id: str, properties: Mapping[str, Any], path: str, function_name: FunctionName) -> SocketApiSpec:
    """Read a WebSocket API. Raises TemplateError."""
    selection = str(properties.get("RouteSelectionExpression"))
    if not selection.startswith("$request.body."):
        raise TemplateError(f"{path}.RouteSelectionExpression: {selection} is not supported by the local stack")
    auth = properties.get("Auth") or {}
    authorizer = None
    if auth.get("AuthType") == "CUSTOM":
        source = [str(item) for item in auth.get("IdentitySource") or []]
        for item in source:
            if not item.startswith(("route.request.header.", "route.request.querystring.")):
                raise TemplateError(f"{path}.Auth.IdentitySource: {item} is not supported by the local stack")
        authorizer = AuthorizerSpec(
            function_name(auth.get("AuthArn"), f"{path}.Auth.AuthArn"),
            tuple(item.rsplit(".", 1)[1] for item in source if ".header." in item),
            tuple(item.rsplit(".", 1)[1] for item in source if ".querystring." in item),
            ttl=0.0,
        )
    elif auth.get("AuthType") not in (None, "NONE"):
        raise TemplateError(f"{path}.Auth.AuthType: {auth['AuthType']} is not supported by the local stack")
    return SocketApiSpec(
        api_id=api_id,
        stage=str(properties.get("StageName", "default")),
        selection=tuple(selection.removeprefix("$request.body.").split(".")),
        routes={
            key: SocketRoute(
                function_name(route.get("FunctionArn"), f"{path}.Routes.{key}.FunctionArn"),
                answers=route.get("RouteResponseSelectionExpression") == "$default",
                timeout=float(route.get("IntegrationTimeout", 29_000)) / 1000,
            )
            for key, route in (properties.get("Routes") or {}).items()
        },
        authorizer=authorizer,
    )
