"""What the event source says of its progress, where it can be asked: the local gateway."""

import base64
import json
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from churn.domain.errors import UnavailableError

_TIMEOUT_SECONDS = 1.5


class EventSourceUnavailableError(UnavailableError):
    """The event source does not answer, or not in words that are understood."""

    dependency = "event source"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reading of a topic or a queue is."""

    waiting: int | None
    """The records that were not applied; None while the brokers do not tell."""
    behind_seconds: float
    """How long the oldest of them has waited, or what stands in the way has stood there."""
    cause: str | None
    """Why it does not go on, where it does not."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """All topics and queues, and how long the schedules have been running with them."""

    running_seconds: float
    sources: list[Progress]

    @property
    def waiting(self) -> int | None:
        """The records that were not applied, of all sources that tell; None if none does."""
        known = [one.waiting for one in self.sources if one.waiting is not None]
        return sum(known) if known else None

    @property
    def behind_seconds(self) -> float | None:
        """How far behind the slowest is; None without any source."""
        return max((one.behind_seconds for one in self.sources), default=None)


def ask(url: str) -> SourceStatus:
    """Return what the event source says at this address, which may have a name and a password.

    Raises EventSourceUnavailableError.
    """
    try:
        with urllib.request.urlopen(_request(url), timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 (the deployment's own)
            told: dict[str, Any] = json.load(answer)
        return SourceStatus(
            float(told["running_seconds"]),
            [
                Progress(one["waiting"], float(one["behind_seconds"]), one["cause"])
                for one in [*told["kafka"], *told["queues"]]
            ],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EventSourceUnavailableError(f"the event source does not answer: {type(error).__name__}") from error


def _request(url: str) -> urllib.request.Request:
    parts = urlsplit(url)
    account, _, host = parts.netloc.rpartition("@")
    headers = {"Authorization": "Basic " + base64.b64encode(account.encode()).decode()} if account else {}
    return urllib.request.Request(parts._replace(netloc=host).geturl(), headers=headers)  # noqa: S310
