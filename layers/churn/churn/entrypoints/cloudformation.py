"""A function as a custom resource of CloudFormation, which waits for an answer at an address that it gives."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import Request, urlopen

_ANSWER_SECONDS = 10
_ATTEMPTS = 3
_LONGEST_REASON = 1000


def answer(event: Mapping[str, Any], log_stream: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work, tell CloudFormation how it ended, and return the result.

    A failure of the work is an answer too: it ends the deployment. Raises OSError when CloudFormation's address cannot
    be reached, and whatever the work raised.
    """
    try:
        result = work()
    except Exception as error:
        _tell(event, log_stream, "FAILED", f"{type(error).__name__}: {error}; see log stream {log_stream}")
        raise
    _tell(event, log_stream, "SUCCESS", "")
    return result


def _tell(event: Mapping[str, Any], log_stream: str, status: str, reason: str) -> None:
    body = {
        "Status": status,
        "Reason": reason[:_LONGEST_REASON],
        # It stays the same: another would make CloudFormation delete the one before.
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"LogStream": log_stream},
    }
    # The address is signed for a request without a content type.
    request = Request(  # noqa: S310 (CloudFormation gives the address)
        event["ResponseURL"], json.dumps(body).encode(), {"Content-Type": ""}, method="PUT"
    )
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            urlopen(request, timeout=_ANSWER_SECONDS).close()  # noqa: S310
        except OSError:
            if attempt == _ATTEMPTS:
                raise
        else:
            return
