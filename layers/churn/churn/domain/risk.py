"""What a churn probability means: risk bands, a customer's status, expected spend."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, get_args

from churn.domain.features import Features
from churn.domain.model import Estimate
from churn.domain.values import MAX_SUM

RiskLevel = Literal["low", "medium", "high", "critical"]
RISK_LEVELS: tuple[RiskLevel, ...] = get_args(RiskLevel)
"""From the weakest to the strongest."""

HIGH_RISK_LEVELS: frozenset[RiskLevel] = frozenset({"high", "critical"})
"""The levels of customers at risk."""

CustomerStatus = Literal["insufficient_data", "new", "active", "at_risk", "lapsed"]
CUSTOMER_STATUSES: tuple[CustomerStatus, ...] = get_args(CustomerStatus)
CURRENT = "current"
"""What stands for `ACTIVE_STATUSES` where customers are asked for by status."""
ACTIVE_STATUSES: tuple[CustomerStatus, ...] = ("new", "active", "at_risk")
"""The statuses of current customers, whom the dashboard's sums count."""

SpendBasis = Literal["purchase_process"]
"""How an expected spend was found: expected orders times the expected value of one."""

NEW_CUSTOMER_DAYS = 30
PROBABILITY_BINS = 1000
"""Customers are counted by their churn probability in so many bins, to tell who has a higher risk than how many."""


@dataclass(frozen=True, slots=True)
class RiskBands:
    """The churn probability at which each risk level begins.

    Raises ValueError unless 0 < medium < high < critical < 1.
    """

    medium: float = 0.4
    high: float = 0.6
    critical: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.medium < self.high < self.critical < 1:
            raise ValueError("the risk bands must rise: 0 < medium < high < critical < 1")

    def level(self, probability: float) -> RiskLevel:
        """Return the risk level of a churn probability."""
        if probability >= self.critical:
            return "critical"
        if probability >= self.high:
            return "high"
        return "medium" if probability >= self.medium else "low"

    def entry(self, level: RiskLevel) -> float:
        """Return the churn probability from which a level holds; 0 for the lowest."""
        return {"low": 0.0, "medium": self.medium, "high": self.high, "critical": self.critical}[level]


@dataclass(frozen=True, slots=True)
class RiskRules:
    """What decides a customer's risk level and status."""

    bands: RiskBands = field(default_factory=RiskBands)
    inactivity_days: int = 180


def customer_status(features: Features, risk_level: str, *, inactivity_days: int) -> CustomerStatus:
    """Return a customer's status: never ordered, new, active, at risk, or lapsed after `inactivity_days`."""
    recency = features["days_since_last_order"]
    if recency is None:
        return "insufficient_data"
    if recency > inactivity_days:
        return "lapsed"
    if (features["account_age_days"] or 0) < NEW_CUSTOMER_DAYS:
        return "new"
    return "at_risk" if risk_level in HIGH_RISK_LEVELS else "active"


@dataclass(frozen=True, slots=True)
class Money:
    """What a customer means to the shop over the horizon, in the currency.

    None without an order, and where the values of orders are unknown: the customer's, or the shop's to the model.
    """

    expected_spend: float | None
    value_at_risk: float | None
    """The churn probability times the spend of one like them who orders at all."""


def money_of(prediction: Estimate) -> Money:
    """Return a customer's expected spend and value at risk: the one definition of both."""
    outlook = prediction.outlook
    if outlook is None or outlook.spend is None or outlook.spend_if_ordering is None:
        return Money(None, None)
    spend, if_ordering = min(round(outlook.spend, 2), MAX_SUM), min(round(outlook.spend_if_ordering, 2), MAX_SUM)
    return Money(spend, _lost(prediction.churn_probability, if_ordering))


def _lost(churn_probability: float, spend: float) -> float:
    """Return what is expected to be lost of a spend, in whole hundredths."""
    return round(churn_probability * spend * 100) / 100


def stored_value_at_risk(row: Mapping[str, Any]) -> float | None:
    """Return the value at risk of a stored customer, None without a prediction, and if it is unknown.

    Rows of versions that did not know of it have it from the expected spend.
    """
    probability, value, spend = row["churn_probability"], row["value_at_risk"], row["expected_spend"]
    if probability is None or (value is None and spend is None):
        return None
    return _lost(float(probability), float(spend)) if value is None else float(value)


def probability_bin(churn_probability: float) -> int:
    """Return which of PROBABILITY_BINS equal bins a churn probability lies in."""
    return min(int(churn_probability * PROBABILITY_BINS), PROBABILITY_BINS - 1)


class RiskPercentiles:
    """Where a churn probability stands among those of the current customers, who are counted by its bins."""

    def __init__(self, counts: Mapping[int, int]) -> None:
        self._up_to = list(accumulate(counts.get(number, 0) for number in range(PROBABILITY_BINS)))

    def of(self, churn_probability: float) -> float | None:
        """Return the per cent of them whose probability is not higher, None if nobody is counted."""
        everybody = self._up_to[-1]
        return round(100 * self._up_to[probability_bin(churn_probability)] / everybody, 1) if everybody > 0 else None
