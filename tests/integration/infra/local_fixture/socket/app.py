"""Writes down every socket event, and does what a message asks."""

import json
import os
from pathlib import Path
from typing import Any

import boto3


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return an answer as the route integration of a WebSocket API gives it."""
    context = event["requestContext"]
    with Path(os.environ["SCRATCH"], "socket-events").open("a", encoding="utf-8") as events:
        events.write(json.dumps(event) + "\n")
    if context["eventType"] == "CONNECT":
        status = int((event.get("queryStringParameters") or {}).get("status", 200))
        if status == 1:
            raise ValueError("as asked")
        return {"statusCode": status}
    if context["eventType"] == "DISCONNECT":
        return {"statusCode": 200}
    message = event["body"]
    if "fail" in message:
        raise ValueError("as asked")
    if "echo" in message:
        client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["SOCKET_ENDPOINT"])
        client.post_to_connection(ConnectionId=context["connectionId"], Data=message.encode())
    return {"statusCode": 200, "body": f"answer {context['routeKey']}"}
