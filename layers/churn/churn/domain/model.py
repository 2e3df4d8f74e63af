"""A model's answer for one customer, and what anything that predicts offers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, cast, get_args, runtime_checkable

from churn.domain.errors import ConflictError, UnavailableError
from churn.domain.features import INPUT_NAMES, Features

ModelKind = Literal["random_forest", "purchase_process", "blend"]
"""A forest trained on what customers did; the shop's purchase process alone, while there is too little of that; or a
blend of a forest, a logistic regression and the purchase process."""
MODEL_KINDS: tuple[ModelKind, ...] = get_args(ModelKind)
RANDOM_FOREST: ModelKind = "random_forest"
PURCHASE_PROCESS: ModelKind = "purchase_process"
BLEND: ModelKind = "blend"
ModelSource = Literal["simulated", "shop", "prior"]
"""What a model learned from: a simulated shop, the shop's own history, or neither (what is usual for shops)."""
_SOURCES: Mapping[str, ModelSource] = {"sample": "simulated", "history": "shop", "prior": "prior"}
MOST_BYTES = 64 * 1024 * 1024
"""The largest file of a model that is read; a forest of 200 trees has about 0.5 MB."""


class ModelFailedError(UnavailableError):
    """The model fails for every customer: it, and not a record, is at fault."""

    dependency = "model"


class BrokenModelError(ConflictError):
    """The bytes are not a whole, unaltered model that this version of the code can serve."""


def kind_of(metadata: Mapping[str, object]) -> ModelKind:
    """Return which of MODEL_KINDS a model's metadata describe."""
    return cast("ModelKind", str(metadata.get("kind", RANDOM_FOREST)))


def source_of(metadata: Mapping[str, object]) -> ModelSource | None:
    """Return what a model learned from by its metadata; None where they do not say."""
    return _SOURCES.get(str(metadata.get("source")))


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to expect of a customer over the horizon; orders of one day are one."""

    orders: float
    spend: float | None
    """This and what lies in its interval are None where the values of orders are unknown."""
    spend_if_ordering: float | None
    """The spend of one like them who orders at all: what is lost if they leave."""
    interval: tuple[float, float] | None
    """Between what nine in ten customers of such an expected spend spent; None in a shop without such a record."""
    usual_gap_days: float
    """Between orders, while the customer was active."""
    next_order_days: float | None
    """After so many days an order is as likely as not; None if it never is, or not within ten years."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The model's answer for one customer, without reasons.

    `interval` is what the model's own uncertainty leaves open, where it is known.
    """

    churn_probability: float
    confidence: float
    model_version: str
    model_kind: ModelKind = field(default=RANDOM_FOREST, kw_only=True)
    model_source: ModelSource | None = field(default=None, kw_only=True)
    interval: tuple[float, float] | None = field(default=None, kw_only=True)
    outlook: Outlook | None = field(default=None, kw_only=True)
    """None for a customer without an order, and for versions published before there was one."""


@dataclass(frozen=True, slots=True)
class Prediction(Estimate):
    """The model's answer for one customer, with reasons.

    `contributions` are signed probabilities, a feature each; with `base` they sum to `churn_probability`.
    """

    contributions: Mapping[str, float]
    base: float


class Predictor(Protocol):
    """A model that predicts for rows of inputs."""

    @property
    def version(self) -> str:
        """The version, which is stored with each prediction."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the version: its kind, horizon, training data and figures."""

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        """Return a prediction for each row, with its contributions."""

    def estimate(self, rows: Sequence[Features]) -> list[Estimate]:
        """Return the answers of `predict` without reasons, which take most of its time."""

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        """Return the churn probability of each row alone."""


@runtime_checkable
class StoodIn(Protocol):
    """A model that another one stands in for where it must not answer."""

    @property
    def stand_in(self) -> Predictor | None:
        """What answers for the shop's own customers, where the model learned from a simulated shop."""


def answering(model: Predictor, *, of_sample: bool) -> Predictor:
    """Return what answers for a customer: a simulated shop's model answers for customers of the sample alone."""
    stand_in = model.stand_in if isinstance(model, StoodIn) and not of_sample else None
    return stand_in or model


def answering_versions(model: Predictor) -> list[str]:
    """Return the versions by which stored scores are of the model that serves, in their order."""
    return sorted({answering(model, of_sample=of_sample).version for of_sample in (True, False)})


def predict(model: Predictor, rows: Sequence[Features]) -> list[Prediction]:
    """Return a model's predictions. Raises ModelFailedError if the model fails whatever it is asked."""
    return _asked(model, model.predict, rows)


def estimate(model: Predictor, rows: Sequence[Features]) -> list[Estimate]:
    """Return a model's estimates. Raises ModelFailedError if the model fails whatever it is asked."""
    return _asked(model, model.estimate, rows)


def _asked[Answer](
    model: Predictor, ask: Callable[[Sequence[Features]], list[Answer]], rows: Sequence[Features]
) -> list[Answer]:
    try:
        return ask(rows)
    except Exception as error:
        try:
            model.predict([dict.fromkeys(INPUT_NAMES)])
        except Exception:  # noqa: BLE001 (whatever it raises for nothing but unknowns is the model's fault)
            raise ModelFailedError(type(error).__name__) from error
        raise
