"""Gives the event back, or misbehaves as the query string asks."""

import json
import os
import resource
import threading
import time
from typing import Any

_BEGUN = time.time()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return a proxy response with the event and what the process knows of itself."""
    want = (event.get("queryStringParameters") or {}).get("do")
    if want == "crash":
        os._exit(3)
    if want == "hang":
        time.sleep(60)
    if want == "grow":
        hoard = bytearray(400 * 1024 * 1024)
        hoard[::4096] = b"x" * len(hoard[::4096])
        time.sleep(60)
    if want == "starve":
        # A thread takes over the stack of one that has ended, and then finds nothing for itself.
        for most in (resource.RLIM_INFINITY, 1):
            resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            thread = threading.Thread(target=time.time)
            thread.start()
            thread.join()
    if want == "raise":
        raise ValueError("as asked")
    if want == "nonsense":
        return {"no": "status"}
    if want == "binary":
        return {"statusCode": 200, "headers": {"Content-Type": "image/x"}, "body": "AAEC", "isBase64Encoded": True}
    if want == "cookies":
        return {"statusCode": 204, "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"]}}
    facts = {
        "event": event,
        "pid": os.getpid(),
        "environment": dict(os.environ),
        "left": context.get_remaining_time_in_millis(),
        "arn": context.invoked_function_arn,
    }
    return {"statusCode": 200, "body": json.dumps(facts)}
