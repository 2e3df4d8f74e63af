"""What `make status` says of the reading of events."""

from typing import Any

import pytest

from infra.local.__main__ import reading


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"waiting": 0, "behind_seconds": 0.0, "cause": None}, "7 delivered, 0 wait"),
        ({"waiting": 3, "behind_seconds": 12.4, "cause": None}, "7 delivered, 3 wait, the oldest for 12 s"),
        (
            {"waiting": 3, "behind_seconds": 95.0, "cause": "it cannot be read"},
            "7 delivered, 3 wait, the oldest for 95 s: it cannot be read",
        ),
        (
            {"waiting": None, "behind_seconds": 4.0, "cause": "the broker does not answer"},
            "7 delivered, the number that waits is not known, the oldest for 4 s: the broker does not answer",
        ),
    ],
)
def test_what_waits_is_told_with_its_cause(told: dict[str, Any], sentence: str) -> None:
    assert reading({"delivered": 7, **told}) == sentence
