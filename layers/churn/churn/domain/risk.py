"""What a churn probability means: bands, a customer's standing, expected spend."""

from collections.abc import Mapping
from dataclasses import dataclass

from churn.domain.features import Features

RISK_LEVELS = ("low", "medium", "high", "critical")
"""From the weakest to the strongest."""

CUSTOMER_STATUSES = ("insufficient_data", "new", "active", "at_risk", "lapsed")

RANDOM_FOREST = "random_forest"
PURCHASE_PROCESS = "purchase_process"
MODEL_KINDS = (RANDOM_FOREST, PURCHASE_PROCESS)

NEW_CUSTOMER_DAYS = 30
# The order rate of somebody known for a day would promise a fortune.
_SHORTEST_HISTORY_DAYS = 30.0


class BrokenModel(Exception):
    """The bytes are not a whole, unaltered model that this version of the code can serve."""


def kind_of(metadata: Mapping[str, object]) -> str:
    """Which of MODEL_KINDS a model's metadata describe."""
    return str(metadata.get("kind", RANDOM_FOREST))


@dataclass(frozen=True, slots=True)
class Prediction:
    """The model's answer for one customer.

    `contributions` are signed probabilities, a feature each; with `base` they sum to `churn_probability`. `interval` is
    what the model's own uncertainty leaves open, where it is known.
    """

    churn_probability: float
    confidence: float
    model_version: str
    contributions: Mapping[str, float]
    base: float
    model_kind: str = RANDOM_FOREST
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class RiskBands:
    """From which churn probability on a risk level holds. Raises ValueError unless 0 < medium < high < critical < 1."""

    medium: float = 0.4
    high: float = 0.6
    critical: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.medium < self.high < self.critical < 1:
            raise ValueError("the risk bands must rise: 0 < medium < high < critical < 1")

    def level(self, probability: float) -> str:
        """The risk level of a churn probability."""
        if probability >= self.critical:
            return "critical"
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.medium else "low"

    def entry(self, level: str) -> float:
        """The churn probability from which a level holds; 0 for the lowest."""
        return {"low": 0.0, "medium": self.medium, "high": self.high, "critical": self.critical}[level]


def customer_status(features: Features, risk_level: str, *, inactivity_days: int) -> str:
    """One of CUSTOMER_STATUSES: who never ordered, who is new, active, at risk, and who has already left."""
    recency = features["days_since_last_order"]
    if recency is None:
        return "insufficient_data"
    if recency > inactivity_days:
        return "lapsed"
    if (features["account_age_days"] or 0) < NEW_CUSTOMER_DAYS:
        return "new"
    return "at_risk" if risk_level in {"high", "critical"} else "active"


def expected_spend(features: Features, horizon_days: int) -> float:
    """What the customer would spend in the horizon if he went on as in his life so far."""
    age = max(features["account_age_days"] or 0.0, _SHORTEST_HISTORY_DAYS)
    return (features["total_spent"] or 0.0) / age * horizon_days
