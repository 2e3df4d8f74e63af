"""From whom a version may have learned: by when it was trained, and its newest cut-off."""

from datetime import UTC, datetime
from typing import Any

import pytest

from churn.domain.model_versions import LearningSpan

_TRAINED = {"source": "history", "trained_at": "2026-05-10T12:00:00Z", "fitted_at": ["2026-01-01T00:00:00Z"]}


def _day(month: int, day: int) -> datetime:
    return datetime(2026, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("first", "erased", "holds"),
    [
        (_day(1, 1), _day(5, 11), True),
        (_day(1, 2), _day(5, 11), False),
        (_day(1, 1), _day(5, 9), False),
        (None, _day(5, 11), False),
    ],
    ids=["before the cut-off", "after it", "erased before training", "no event that counts"],
)
def test_a_version_learned_from_who_was_there_and_not_yet_erased(
    first: datetime | None, erased: datetime, holds: bool
) -> None:
    span = LearningSpan.of(_TRAINED)
    assert span is not None
    assert span.holds(first, erased) == holds


@pytest.mark.parametrize(
    ("metadata", "until"),
    [
        (_TRAINED, _day(1, 1)),
        ({**_TRAINED, "freshness": {"as_of": "2026-05-09T00:00:00Z"}}, _day(5, 9)),
        ({"source": "history", "trained_at": "2026-05-10T00:00:00Z"}, _day(5, 10)),
    ],
)
def test_the_newest_cut_off_counts(metadata: dict[str, Any], until: datetime) -> None:
    span = LearningSpan.of(metadata)
    assert span is not None
    assert span.until == until


@pytest.mark.parametrize(
    "metadata", [{}, {"source": "sample", "trained_at": "2026-05-10T12:00:00Z"}, {"source": "history"}]
)
def test_a_simulated_shops_version_learned_from_nobody(metadata: dict[str, Any]) -> None:
    assert LearningSpan.of(metadata) is None
