"""Lets in who says "good", tells "poor" apart, counts its calls in a file."""

import os
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return a policy for the whole API, without /secret."""
    with Path(os.environ["SCRATCH"], "authorizer-calls").open("a", encoding="ascii") as calls:
        calls.write("x")
    headers = {name.lower(): value for name, value in event["headers"].items()}
    token = (event.get("queryStringParameters") or {}).get("token") or headers.get("authorization", "")
    if token == "broken":
        return {"nothing": True}
    if token not in ("good", "poor"):
        raise Exception("Unauthorized")
    everything = event["methodArn"].split("/", 1)[0] + "/*"
    statements = [
        {"Effect": "Allow" if token == "good" else "Deny", "Action": "execute-api:Invoke", "Resource": everything}
    ]
    statements.append({"Effect": "Deny", "Action": "execute-api:*", "Resource": "arn:aws:execute-api:*/secret"})
    return {
        "principalId": token,
        "policyDocument": {"Version": "2012-10-17", "Statement": statements},
        "context": {"role": "admin", "level": 3, "whole": True},
    }
