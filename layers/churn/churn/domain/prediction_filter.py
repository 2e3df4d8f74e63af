"""Which new predictions an open socket is told of."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import Any

MAX_CUSTOMERS = 100
"""The most customers that a socket may name."""

MAX_PREDICTIONS = 20
"""The most predictions of one batch for a socket that names no customers: a dashboard is for people."""

type Prediction = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PredictionFilter:
    """What a client asks for; all that is given must hold.

    `customer_ids`: None for everybody. `min_risk`: the least churn probability. `segment`: the id of a segment.
    """

    customer_ids: tuple[str, ...] | None = None
    min_risk: float = 0.0
    segment: int | None = None


class Ranking:
    """New predictions, the highest churn probability first. Each has `customer_id` and `churn_probability`."""

    def __init__(self, predictions: Iterable[Prediction]) -> None:
        self.predictions: Sequence[Prediction] = sorted(
            predictions, key=lambda prediction: float(prediction["churn_probability"]), reverse=True
        )
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        for place, prediction in enumerate(self.predictions):
            self._places[prediction["customer_id"]].append(place)

    @property
    def customer_ids(self) -> Collection[str]:
        """The customers whose predictions these are."""
        return self._places.keys()

    def riskiest(self, min_risk: float, members: Collection[str] | None = None) -> list[int]:
        """Return the places of the first MAX_PREDICTIONS from a risk on, only of `members` where these are given."""
        return list(islice(self._wanted(range(len(self.predictions)), min_risk, members), MAX_PREDICTIONS))

    def of(self, customer_ids: Iterable[str], min_risk: float, members: Collection[str] | None = None) -> list[int]:
        """Return the places of all predictions of some customers from a risk on, only of `members` likewise."""
        places = sorted(place for customer_id in customer_ids for place in self._places.get(customer_id, ()))
        return list(self._wanted(places, min_risk, members))

    def _wanted(self, places: Iterable[int], min_risk: float, members: Collection[str] | None) -> Iterator[int]:
        of_risk = takewhile(lambda place: self.predictions[place]["churn_probability"] >= min_risk, places)
        return (place for place in of_risk if members is None or self.predictions[place]["customer_id"] in members)
