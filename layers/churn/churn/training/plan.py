"""The plan of a training run, and the errors of a history that does not make a model."""

from dataclasses import dataclass, field
from datetime import datetime

from churn.domain.assumptions import Campaign
from churn.domain.errors import ChurnError


class CannotTrainError(ChurnError):
    """The history does not make a model; the text says what is wrong, and how much is there and is needed."""


class TooLittleHistoryError(CannotTrainError):
    """The history is too short so far; meanwhile, the purchase process can serve a young shop."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to train for, and how.

    Without `test_at`, training tests on the newest window and fits at up to four cut-offs before it, with
    `embargo_days` between the last window to fit and the one to test. Without `search`, for a quick model, shapes of
    the forest are not compared, the report has neither intervals nor baselines, and the forest serves alone, as no data
    have chosen the weights of a blend. Without `blend`, it serves alone, too.
    """

    horizon_days: int = 90
    lookback_days: int = 180
    embargo_days: int = 7
    test_at: datetime | None = None
    fit_at: tuple[datetime, ...] = ()
    trees: int = 200
    seed: int = 1
    search: bool = True
    blend: bool = True
    campaign: Campaign = field(default_factory=Campaign)
    """What the report's profit of a campaign is worked out with."""
