"""What one transaction of scoring has done."""

from collections import Counter
from dataclasses import dataclass, field

from churn.domain.model import Prediction
from churn.domain.risk import RiskLevel
from churn.services.hourly_stats import Activity


@dataclass(slots=True)
class BatchResult:
    """What one transaction has done."""

    events: int = 0
    repeated: int = 0
    conflicting: int = 0
    """Events under the id of an earlier event with another content; the earlier one counts."""
    too_late: int = 0
    """Events from before the instant up to which their customer's history has been deleted."""
    unknown_types: int = 0
    dead_letters: int = 0
    rescored: int = 0
    is_outdated: bool = False
    """Nobody was scored, as the model's version serves no more."""
    new_model: str | None = None
    """The version that has served here for the first time."""
    hours: Activity = field(default_factory=Counter)
    """What an import changes of the dashboard's hours."""
    alert_ids: list[int] = field(default_factory=list)
    predictions: list[tuple[str, RiskLevel, Prediction]] = field(default_factory=list)
    """Customer id, risk level and prediction of each customer that was scored."""
