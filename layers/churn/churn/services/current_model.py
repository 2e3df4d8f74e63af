"""The model that a function serves with: the promoted version, noticed without a deployment, or one to fall back on."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.features import Features
from churn.domain.model import BrokenModelError, Prediction
from churn.domain.model_versions import ModelRegistry, RegistryUnavailableError, VersionNotFoundError
from churn.ml.loading import StoredModel, read_model
from churn.observability import count_alone, logger
from churn.settings import Settings


class NoModel(Exception):
    """There is neither a promoted version that can be served nor a model of the layer's own."""


class CurrentModel:
    """The model that serves, looked for anew once in a while: a promotion is noticed without a deployment.

    As a model it answers like the one that it holds, so that what is made with it need not be made anew.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        every: float = 30,
        clock: Callable[[], float] = time.monotonic,
        shadow: bool = False,
    ) -> None:
        """Loads the promoted version, or the layer's own file where none can be served. Raises NoModel.

        `every`: seconds between two looks at the registry. `shadow`: whether the challenger is held as well.
        """
        self._registry: ModelRegistry[StoredModel] | None = (
            S3ModelRegistry(settings.model_bucket) if settings.model_bucket else None
        )
        self._every = every
        self._clock = clock
        self._shadow = shadow
        self._held: StoredModel | None = None
        self.promoted: str | None = None
        """The version that is to serve, as far as is known."""
        self.refused: str | None = None
        """Why the promoted version does not serve; None where it does, or where none is promoted."""
        self.challenger: StoredModel | None = None
        """The version that is scored beside the one that serves."""
        self._look()
        self._model = self._held or _own_model(Path(settings.model_path))

    @property
    def version(self) -> str:
        """The version that serves."""
        return self._model.version

    @property
    def metadata(self) -> dict[str, Any]:
        """What is known of the version that serves."""
        return self._model.metadata

    def predict(self, rows: Sequence[Features]) -> list[Prediction]:
        """A prediction for each row, by the version that serves."""
        return self._model.predict(rows)

    def probabilities(self, rows: Sequence[Features]) -> list[float]:
        """The churn probability alone of each row, by the version that serves."""
        return self._model.probabilities(rows)

    def refresh(self) -> None:
        """Between two requests: takes up the promoted version when it is time to look, and another than is held.

        One that is broken is refused, counted and logged as an error, and the one that is held goes on serving.
        """
        if self._clock() >= self._looked_at + self._every:
            self._look()
            self._model = self._held or self._model

    def _look(self) -> None:
        self._looked_at = self._clock()
        if self._registry is None:
            return
        try:
            state = self._registry.promotion_state()
            self.promoted = state.version
            self._held, self.refused = self._take_up(self._registry, state.version, self._held)
        except RegistryUnavailableError as error:
            self.refused = "the registry cannot be asked"
            logger.error("the registry of models cannot be asked", extra={"reason": str(error)})
            return
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
        raise NoModel(
            f"no version of the model is promoted that can be served, and {path} is no model: {error}"
        ) from error
