"""How much is fuzzed: a short form is part of all tests, the long one is `make fuzz`, of which FUZZ=0.1 is a tenth."""

import os
from collections.abc import Mapping
from types import MappingProxyType

import hypothesis
from hypothesis import HealthCheck, Phase

_SHARE = float(os.environ.get("FUZZ") or 0)
_CASES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "requests": (1_200, 45_000),
        "messages": (300, 8_000),
        "records": (1_000, 20_000),
        "files": (440, 22_000),
        "artifacts": (1_000, 10_000),
    }
)
"""By what is sent: the cases of the short and of the long form."""


def cases(kind: str) -> int:
    """Return how many cases of a kind this run has."""
    short, long = _CASES[kind]
    return max(short, round(long * _SHARE))


def drawing(count: int) -> hypothesis.settings:
    """Return the settings of so many cases for a service: each run draws the same, and sends none again."""
    return hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
