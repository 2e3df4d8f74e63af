"""The model that a function serves with: the promoted version, else the file of its layer."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.errors import ChurnError
from churn.domain.features import Features
from churn.domain.model import BrokenModelError, Estimate, Prediction, source_of
from churn.domain.model_versions import ModelRegistry, RegistryUnavailableError, VersionNotFoundError
from churn.ml.loading import StoredModel, read_model
from churn.ml.prior import stand_in_for
from churn.observability import count_alone, logger
from churn.settings import Settings

# While the registry cannot be asked, the layer's own model takes the place of no version that was promoted.
_NOT_KNOWN = datetime(1970, 1, 1, tzinfo=UTC)


class NoModelError(ChurnError):
    """Neither a promoted version nor the layer's own file holds a model that can be served."""


class CurrentModel:
    """The model that serves; asks the registry from time to time, so a promotion takes effect without a deployment.

    It is itself a `Predictor`, so that objects that hold it need not be replaced when the version changes.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        every: float = 30,
        clock: Callable[[], float] = time.monotonic,
        shadow: bool = False,
        for_requests: bool = False,
    ) -> None:
        """Load the promoted version, or the layer's own file if no version can be served. Raises NoModelError.

        `every`: seconds between two requests to the registry. `shadow`: whether to hold the challenger as well.
        `for_requests`: whether to ask the registry while somebody waits, who shall not wait for one that hangs.
        """
        self._registry: ModelRegistry[StoredModel] | None = (
            S3ModelRegistry.of(settings) if settings.model_bucket else None
        )
        self._every = every
        self._clock = clock
        self._shadow = shadow
        self._held: StoredModel | None = None
        self._stand_in: tuple[str, StoredModel] | None = None
        self.promoted: str | None = None
        """The promoted version, as of the last answer of the registry."""
        self.promoted_at: datetime | None = None if self._registry is None else _NOT_KNOWN
        """Since when the version that serves is the promoted one; None if the registry does not tell it."""
        self.refused: str | None = None
        """Why the promoted version does not serve; None if it does, or if none is promoted."""
        self.challenger: StoredModel | None = None
        """The version that is scored beside the one that serves."""
        self._look()
        self._model = self._held or _own_model(Path(settings.model_path))
        if for_requests and settings.model_bucket:
            self._registry = S3ModelRegistry.of(settings, for_requests=True)

    @property
    def version(self) -> str:
        """The version that serves."""
        return self._model.version

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known of the version that serves."""
        return self._model.metadata

    @property
    def stand_in(self) -> StoredModel | None:
        """What is usual for shops, where the version that serves learned from a simulated one: it serves the sample."""
        if source_of(self._model.metadata) != "simulated":
            return None
        if self._stand_in is None or self._stand_in[0] != self._model.version:
            self._stand_in = self._model.version, stand_in_for(self._model.metadata)
        return self._stand_in[1]

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        """Return a prediction for each row, by the version that serves."""
        return self._model.predict(rows)

    def estimate(self, rows: Sequence[Features]) -> list[Estimate]:
        """Return an answer without reasons for each row, by the version that serves."""
        return self._model.estimate(rows)

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        """Return the churn probability of each row alone, by the version that serves."""
        return self._model.probabilities(rows)

    def refresh(self) -> None:
        """Load the promoted version if it has changed; asks the registry at most once in `every` seconds.

        A broken version is refused, counted and logged as an error, and the present one goes on serving.
        """
        if self._clock() >= self._looked_at + self._every:
            self.renew()

    def renew(self) -> None:
        """Load the promoted version if it has changed; asks the registry at once."""
        self._look()
        self._model = self._held or self._model

    def _look(self) -> None:
        self._looked_at = self._clock()
        if self._registry is None:
            return
        try:
            state = self._registry.promotion_state()
            self.promoted = state.version
            self._held, refusal = self._take_up(self._registry, state.version, self._held)
            self.refused = state.refused or refusal
            if self._held is None:
                self.promoted_at = None
            elif self._held.version == state.version:
                at = state.history[-1].at if state.history else None
                self.promoted_at = None if at is None else datetime.fromisoformat(at)
        except RegistryUnavailableError as error:
            self.refused = "the registry cannot be asked"
            logger.error("the registry of models cannot be asked", extra={"reason": str(error)})
            return
        if state.refused is not None:
            count_alone("ModelRefused")
            logger.error("which version serves is not believed", extra={"reason": state.refused})
        if self._shadow:
            self._take_up_challenger(self._registry, state.challenger)

    def _take_up(
        self, registry: ModelRegistry[StoredModel], version: str | None, held: StoredModel | None
    ) -> tuple[StoredModel | None, str | None]:
        if version is None or (held is not None and held.version == version):
            return held, None
        try:
            model = registry.load(version)
        except (BrokenModelError, VersionNotFoundError) as error:
            count_alone("ModelRefused")
            logger.error("the promoted model is refused", extra={"version": version, "reason": str(error)})
            return held, str(error)
        logger.info("a promoted model serves from now on", extra={"version": version})
        return model, None

    def _take_up_challenger(self, registry: ModelRegistry[StoredModel], version: str | None) -> None:
        if version == (None if self.challenger is None else self.challenger.version):
            return
        self.challenger = None
        try:
            self.challenger = None if version is None else registry.load(version)
        except (BrokenModelError, VersionNotFoundError, RegistryUnavailableError) as error:
            logger.error("the challenger cannot be held", extra={"version": version, "reason": str(error)})


def _own_model(path: Path) -> StoredModel:
    try:
        return read_model(path.read_bytes())
    except (OSError, BrokenModelError) as error:
        raise NoModelError(
            f"no version of the model is promoted that can be served, and {path} is no model: {error}"
        ) from error
