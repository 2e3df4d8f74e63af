"""The registry of model versions in an S3 bucket.

``current.json`` alone names the version that serves, and holds all promotions. It is written only if it still has the
content that was read (a conditional write), so that two concurrent promotions cannot overwrite each other. With a
signing key it is signed as the versions are; one that is not counts as empty.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from churn.adapters import secrets_manager
from churn.adapters.aws_clients import client, client_for_requests
from churn.adapters.breaker import REGISTRY, Breaker
from churn.adapters.secrets_manager import SecretUnavailableError
from churn.domain.model import MOST_BYTES, BrokenModelError
from churn.domain.model_signatures import FIELD, SHORTEST_KEY, Signed, is_signed, signature_of
from churn.domain.model_versions import (
    Artifact,
    NoPreviousVersionError,
    NotPromotableError,
    Promotion,
    PromotionState,
    RegistryUnavailableError,
    VersionExistsError,
    VersionNotFoundError,
    objections_to,
    served_by,
)
from churn.domain.timestamps import iso
from churn.domain.version_metadata import check_metadata

if TYPE_CHECKING:
    from churn.ml.loading import StoredModel
    from churn.settings import Settings

_CURRENT = "current.json"
_SIGNATURE = "signature.json"
_VERSION = re.compile(r"[\w.-]{1,64}", re.ASCII)
_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_ATTEMPTS = 10


class S3ModelRegistry:
    """Versions in a bucket: `model.npz`, `metadata.json`, `report.json` and `report.html` under `models/VERSION/`."""

    def __init__(self, bucket: str, s3: Any = None, *, signing_key: str = "") -> None:
        """`signing_key`: the secret, or its ARN, that signs versions; without it nobody looks at signatures."""
        self._bucket = bucket
        self._signing_key = signing_key
        self._s3 = s3 or client("s3")
        self._breaker: Breaker | None = None

    @classmethod
    def of(cls, settings: Settings, *, for_requests: bool = False) -> Self:
        """Return the registry that settings name, with their key; `for_requests` as below."""
        make = cls.for_requests if for_requests else cls
        return make(settings.model_bucket, signing_key=settings.model_signing_key)

    @classmethod
    def for_requests(cls, bucket: str, s3: Any = None, *, signing_key: str = "", breaker: Breaker = REGISTRY) -> Self:
        """Return the registry for answers to requests, of which none waits long for a bucket that does not answer.

        The first waits 2 seconds at most, then all are refused at once but for one in 2 seconds, which asks again.
        """
        s3 = s3 or client_for_requests("s3")
        registry = cls(bucket, s3, signing_key=signing_key)
        registry._breaker = breaker
        return registry

    def publish(self, model: Artifact, *, report: Mapping[str, Any] | None = None, html: str | None = None) -> None:
        """Store a version, with its report as JSON and as a page. Raises VersionExistsError."""
        content = model.to_bytes()
        metadata = {
            "version": model.version,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            **model.metadata,
        }
        if self._signing_key:
            metadata[FIELD] = signature_of(self._key(), metadata, Signed.VERSION)
        self._put_once(model.version, "model.npz", content)
        if report is not None:
            self._put_once(model.version, "report.json", json.dumps(report).encode(), "application/json")
        if html is not None:
            self._put_once(model.version, "report.html", html.encode(), "text/html; charset=utf-8")
        # Written last: a version without metadata was published in part, and is not listed.
        self._put_once(model.version, "metadata.json", json.dumps(metadata, indent=1).encode(), "application/json")

    def versions(self) -> list[str]:
        """Return all published versions, the newest first."""
        versions: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix="models/", **more)
            keys = [entry["Key"].split("/") for entry in page.get("Contents", [])]
            versions += [key[1] for key in keys if key[2:] == ["metadata.json"]]
            if not page["IsTruncated"]:
                return sorted(versions, reverse=True)
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def describe(self, version: str) -> dict[str, Any]:
        """Return a version's metadata, with `sha256` and `size` of the model.

        Raises VersionNotFoundError, BrokenModelError.
        """
        try:
            metadata = json.loads(self._get(version, "metadata.json"))
        except (ValueError, RecursionError) as error:
            raise BrokenModelError(f"the metadata of version {version} cannot be read: {error}") from error
        if not isinstance(metadata, dict):
            raise BrokenModelError(f"the metadata of version {version} are no JSON object")
        check_metadata(metadata)
        return metadata

    def report(self, version: str, kind: str) -> bytes:
        """Return the report of a version; `kind` is json or html. Raises VersionNotFoundError."""
        return self._get(version, f"report.{kind}")

    def promotion_state(self) -> PromotionState:
        """Return the version that serves, its challenger, and all promotions."""
        return self._read_state()[0]

    def promote(
        self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False
    ) -> PromotionState:
        """Make a published version serve, if its gate passed against the one that serves now, or if forced.

        Raises VersionNotFoundError, BrokenModelError, or, unless forced, NotPromotableError.
        """
        gate = self._verified(version)[0].get("gate")

        def promoted(state: PromotionState) -> PromotionState:
            if state.version == version:
                return state
            reasons = objections_to(version, gate, state.version)
            if reasons and not force:
                raise NotPromotableError(reasons)
            return served_by(state, Promotion(version, iso(now), by, reason, forced=bool(reasons)))

        return self._change(promoted)

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> PromotionState:
        """Make the previous version serve again. Raises NoPreviousVersionError, BrokenModelError."""

        def rolled_back(state: PromotionState) -> PromotionState:
            before = state.before
            if before is None:
                raise NoPreviousVersionError("No version has served before this one.")
            try:
                self._verified(before)
            except VersionNotFoundError as error:
                raise BrokenModelError(f"version {before} is not there any more") from error
            return served_by(state, Promotion(before, iso(now), by, reason, rolled_back=state.version))

        return self._change(rolled_back)

    def sign(self) -> list[str]:
        """Sign what was published and promoted before there was a key, as it is now; return the versions signed.

        Whoever calls it vouches for what the bucket holds. A broken version, or one of another name, is left out.
        Raises RegistryUnavailableError, also without a key.
        """
        if not self._signing_key:
            raise RegistryUnavailableError("MODEL_SIGNING_KEY is not set")
        signed = [version for version in self.versions() if self._sign_version(version)]
        state, tag = self._read_state(is_signed_only=False)
        if tag is not None:
            self._write_state(state, tag)
        return signed

    def challenge(self, version: str) -> PromotionState:
        """Make a published version the challenger, unless it serves. Raises VersionNotFoundError."""
        self.describe(version)
        return self._change(lambda state: state if state.version == version else replace(state, challenger=version))

    def load(self, version: str) -> StoredModel:
        """Return the version's model, its checksums verified. Raises VersionNotFoundError, BrokenModelError."""
        # Functions that only describe versions have no numpy.
        from churn.ml.loading import read_model  # noqa: PLC0415

        model = read_model(self._verified(version)[1])
        if model.version != version:
            raise BrokenModelError(f"version {version} holds the model {model.version}")
        return model

    def _sign_version(self, version: str) -> bool:
        """Sign a version beside its metadata, which are never altered; return whether that was to be done."""
        try:
            metadata, _ = self._whole(version)
            if metadata.get("version") != version or self._is_signed(version, metadata):
                return False
            signature = {FIELD: signature_of(self._key(), metadata, Signed.VERSION)}
            self._put_once(version, _SIGNATURE, json.dumps(signature).encode(), "application/json")
        except (BrokenModelError, VersionNotFoundError, VersionExistsError):
            return False
        return True

    def _is_signed(self, version: str, metadata: Mapping[str, Any]) -> bool:
        if is_signed(self._key(), metadata, Signed.VERSION):
            return True
        try:
            beside = json.loads(self._get(version, _SIGNATURE))
            return is_signed(self._key(), {**metadata, FIELD: beside[FIELD]}, Signed.VERSION)
        except (VersionNotFoundError, ValueError, LookupError, TypeError, RecursionError):
            return False

    def _verified(self, version: str) -> tuple[dict[str, Any], bytes]:
        """Return a version's metadata and model. Raises VersionNotFoundError, BrokenModelError."""
        metadata, content = self._whole(version)
        if self._signing_key and not self._is_signed(version, metadata):
            raise BrokenModelError(f"version {version} is not signed with this service's key")
        if self._signing_key and metadata.get("version") != version:
            raise BrokenModelError(f"version {version} holds the signed metadata of {metadata.get('version')}")
        return metadata, content

    def _whole(self, version: str) -> tuple[dict[str, Any], bytes]:
        """Return a version's metadata and the model that they tell. Raises VersionNotFoundError, BrokenModelError."""
        metadata = self.describe(version)
        content = self._get(version, "model.npz")
        if hashlib.sha256(content).hexdigest() != metadata.get("sha256"):
            raise BrokenModelError(f"the stored bytes of version {version} do not have the checksum of its metadata")
        return metadata, content

    def _key(self) -> str:
        """Return the signing key. Raises RegistryUnavailableError, also for one that could be guessed."""
        try:
            key = secrets_manager.resolve(self._signing_key)
        except SecretUnavailableError as error:
            raise RegistryUnavailableError(f"the signing key cannot be read: {error}") from error
        if len(key) < SHORTEST_KEY:
            raise RegistryUnavailableError(f"MODEL_SIGNING_KEY must have at least {SHORTEST_KEY} characters")
        return key

    def _read_state(self, *, is_signed_only: bool = True) -> tuple[PromotionState, str | None]:
        """Return the state, and the ETag of ``current.json``; None if it does not exist yet.

        `is_signed_only`: whether a state without a right signature counts as empty where there is a key.
        """
        try:
            content, tag = self._read(_CURRENT)
            stored = json.loads(content)
            has_to_be = is_signed_only and self._signing_key
            if has_to_be and not is_signed(self._key(), stored, Signed.PROMOTIONS):
                return PromotionState(refused=f"{_CURRENT} is not signed with this service's key"), tag
            return PromotionState.of(stored), tag
        except _S3Error as error:
            if error.code in {"NoSuchKey", "404"}:
                return PromotionState(), None
            raise
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise RegistryUnavailableError(f"{_CURRENT} of bucket {self._bucket} cannot be read: {error}") from error

    def _change(self, change: Callable[[PromotionState], PromotionState]) -> PromotionState:
        for _ in range(_ATTEMPTS):
            state, tag = self._read_state()
            # What is not believed is replaced, as if nothing had been stored.
            changed = change(replace(state, refused=None))
            if changed == state:
                return state
            try:
                self._write_state(changed, tag)
            except _S3Error as refusal:
                if refusal.code not in _CONFLICTS:
                    raise
            else:
                return changed
        raise RegistryUnavailableError(f"{_CURRENT} of bucket {self._bucket} is being changed by others all the time")

    def _write_state(self, state: PromotionState, tag: str | None) -> None:
        content = state.stored()
        if self._signing_key:
            content[FIELD] = signature_of(self._key(), content, Signed.PROMOTIONS)
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        body = json.dumps(content, indent=1).encode()
        self._call("put_object", Key=_CURRENT, Body=body, ContentType="application/json", **condition)

    def _put_once(
        self, version: str, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        try:
            self._call("put_object", Key=_key(version, name), Body=content, ContentType=content_type, IfNoneMatch="*")
        except _S3Error as refusal:
            if refusal.code in _CONFLICTS:
                raise VersionExistsError(f"version {version} is published already") from refusal
            raise

    def _get(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise VersionNotFoundError(f"no version is called {version!r}")
        try:
            return self._read(_key(version, name))[0]
        except _S3Error as refusal:
            if refusal.code in {"NoSuchKey", "404"}:
                raise VersionNotFoundError(f"version {version} has no {name}") from refusal
            raise
        except _TooLargeError:
            raise BrokenModelError(f"{name} of version {version} has more than {MOST_BYTES} bytes") from None

    def _read(self, key: str) -> tuple[bytes, str]:
        """Return the content of an object and its ETag. Raises _TooLargeError."""

        def read(s3: Any) -> tuple[bytes, str]:
            response = s3.get_object(Bucket=self._bucket, Key=key)
            if response["ContentLength"] > MOST_BYTES:
                raise _TooLargeError
            return response["Body"].read(), response["ETag"]

        content: tuple[bytes, str] = self._ask(read)
        return content

    def _call(self, operation: str, **arguments: Any) -> Any:
        return self._ask(lambda s3: getattr(s3, operation)(Bucket=self._bucket, **arguments))

    def _ask[T](self, ask: Callable[[Any], T]) -> T:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

        breaker = self._breaker or Breaker()
        if not breaker.admits():
            raise RegistryUnavailableError(f"bucket {self._bucket} did not answer a moment ago")
        try:
            answer = ask(self._s3)
        except ClientError as error:
            is_down = error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            (breaker.open if is_down else breaker.close)()
            raise _S3Error(error.response["Error"]["Code"], f"bucket {self._bucket}: {error}") from error
        except BotoCoreError as error:
            breaker.open()
            raise RegistryUnavailableError(f"bucket {self._bucket}: {error}") from error
        except _TooLargeError:
            breaker.close()
            raise
        breaker.close()
        return answer


class _TooLargeError(Exception):
    """An object is larger than any that belongs to a version."""


class _S3Error(RegistryUnavailableError):
    """S3 answered with an error; `code` is its name there."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
