"""The versions of the model: published once and never altered, one of them promoted to serve."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from churn.aws import client
from churn.features import Features
from churn.forest import BrokenModel, ChurnModel
from churn.observability import logger
from churn.risk import Prediction
from churn.settings import Settings

_CURRENT = "current.json"


class UnknownVersion(Exception):
    """The registry has no such version."""


class VersionExists(Exception):
    """A published version cannot be published again: what serves must stay what was tested."""


class RegistryUnavailable(Exception):
    """The registry could not be asked."""


class NoModel(Exception):
    """There is neither a promoted version that can be served nor a model of the layer's own."""


class ModelRegistry(Protocol):
    """Where the versions of the model are kept. Every method raises RegistryUnavailable when it cannot be reached."""

    def publish(self, model: ChurnModel) -> None:
        """Store a version. Raises VersionExists."""

    def promote(self, version: str) -> None:
        """Make a published version the one that serves. Raises UnknownVersion."""

    def current(self) -> str | None:
        """The version that serves."""

    def load(self, version: str) -> ChurnModel:
        """The version's model, its checksums verified. Raises UnknownVersion or BrokenModel."""


class S3Registry:
    """Versions in a bucket: ``models/VERSION/model.npz``, ``metadata.json`` beside it; ``current.json`` names one."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def publish(self, model: ChurnModel) -> None:
        content = model.to_bytes()
        described = {
            "version": model.version,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            **model.metadata,
        }
        # The description goes last: a version without one was cut off half-way and is not known.
        self._put_once(_key(model.version, "model.npz"), content, model.version)
        self._put_once(_key(model.version, "metadata.json"), json.dumps(described, indent=1).encode(), model.version)

    def promote(self, version: str) -> None:
        self._described(version)
        self._call("put_object", Key=_CURRENT, Body=json.dumps({"version": version}).encode())

    def current(self) -> str | None:
        try:
            return str(json.loads(self._get(_CURRENT))["version"])
        except UnknownVersion:
            return None
        except (ValueError, LookupError, TypeError) as error:
            raise RegistryUnavailable(f"{_CURRENT} of bucket {self._bucket} cannot be read: {error}") from error

    def load(self, version: str) -> ChurnModel:
        described = self._described(version)
        content = self._get(_key(version, "model.npz"))
        if hashlib.sha256(content).hexdigest() != described.get("sha256"):
            raise BrokenModel(f"the stored bytes of version {version} do not have the checksum of its metadata")
        model = ChurnModel.from_bytes(content)
        if model.version != version:
            raise BrokenModel(f"version {version} holds the model {model.version}")
        return model

    def _described(self, version: str) -> dict[str, Any]:
        try:
            described: dict[str, Any] = json.loads(self._get(_key(version, "metadata.json")))
        except ValueError as error:
            raise BrokenModel(f"the metadata of version {version} cannot be read: {error}") from error
        return described

    def _put_once(self, key: str, content: bytes, version: str) -> None:
        try:
            self._call("put_object", Key=key, Body=content, IfNoneMatch="*")
        except _Refused as refused:
            if refused.code in {"PreconditionFailed", "ConditionalRequestConflict"}:
                raise VersionExists(f"version {version} is published already") from refused
            raise

    def _get(self, key: str) -> bytes:
        try:
            content: bytes = self._call("get_object", Key=key)["Body"].read()
        except _Refused as refused:
            if refused.code in {"NoSuchKey", "404"}:
                raise UnknownVersion(f"bucket {self._bucket} has no {key}") from refused
            raise
        return content

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

        try:
            return getattr(self._s3, operation)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _Refused(error.response["Error"]["Code"], f"bucket {self._bucket}: {error}") from error
        except BotoCoreError as error:
            raise RegistryUnavailable(f"bucket {self._bucket}: {error}") from error


class _Refused(RegistryUnavailable):
    """S3 answered with an error; `code` is its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def load_model(settings: Settings) -> ChurnModel:
    """The promoted version, or the layer's own file when none is promoted or the promoted one cannot be served.

    A promoted version that is broken or out of reach is logged as an error. Raises NoModel when there is no file.
    """
    if settings.model_bucket:
        try:
            registry = S3Registry(settings.model_bucket)
            version = registry.current()
            if version is not None:
                return registry.load(version)
            logger.info("no version of the model is promoted")
        except (BrokenModel, UnknownVersion, RegistryUnavailable) as error:
            logger.error("the promoted model cannot be served, the layer's own is", extra={"reason": str(error)})
    path = Path(settings.model_path)
    try:
        return ChurnModel.from_bytes(path.read_bytes())
    except (OSError, BrokenModel) as error:
        raise NoModel(
            f"no version of the model is promoted that can be served, and {path} is no model: {error}"
        ) from error


class CurrentModel:
    """The model that serves, looked for anew once in a while: a promotion is noticed without a deployment.

    As a model it answers like the one that it holds, so that what is made with it need not be made anew.
    """

    def __init__(self, settings: Settings, *, every: float = 30, clock: Callable[[], float] = time.monotonic) -> None:
        """Loads the model. `every`: seconds between two looks at the registry. Raises NoModel."""
        self._settings = settings
        self._every = every
        self._clock = clock
        self._model = load_model(settings)
        self._looked_at = clock()

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

    def refresh(self) -> None:
        """Between two requests: takes up the promoted version when it is time to look, and another than is held.

        One that is broken or out of reach is logged as an error, and the one that is held goes on serving.
        """
        if not self._settings.model_bucket or self._clock() < self._looked_at + self._every:
            return
        self._looked_at = self._clock()
        try:
            registry = S3Registry(self._settings.model_bucket)
            promoted = registry.current()
            if promoted is not None and promoted != self._model.version:
                self._model = registry.load(promoted)
                logger.info("a promoted model serves from now on", extra={"version": promoted})
        except (BrokenModel, UnknownVersion, RegistryUnavailable) as error:
            logger.error("the promoted model cannot be served, the old one is", extra={"reason": str(error)})


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
