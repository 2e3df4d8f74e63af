"""What to train for, and why a history may not make a model."""

from dataclasses import dataclass
from datetime import datetime


class CannotTrainError(Exception):
    """The history does not make a model; the text says what is wrong, and how much is there and needed."""


class TooLittleHistoryError(CannotTrainError):
    """Time will mend it: a young shop can be served by its purchase process meanwhile."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train for, and how.

    Without `test_at`, the newest window and up to four cut-offs before it are chosen, `embargo_days` free between the
    last window that is learned from and the one that is tested. `search` is off where a quick model is wanted: then
    the forest's settings are not compared, and the report has neither intervals nor other models beside it.
    """

    horizon_days: int = 90
    lookback_days: int = 180
    embargo_days: int = 7
    test_at: datetime | None = None
    fit_at: tuple[datetime, ...] = ()
    trees: int = 200
    seed: int = 1
    search: bool = True
