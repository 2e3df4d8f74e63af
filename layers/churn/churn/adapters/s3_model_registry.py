"""The versions of the model: published once and never altered, one of them promoted to serve.

``current.json`` is the one place that names the version that serves, and how it came to that. It is only ever written
over the very content that was read, so that two who change it at once do not lose each other's change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from churn.adapters.aws_clients import client
from churn.domain.model import BrokenModelError
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

if TYPE_CHECKING:
    from churn.ml.loading import StoredModel

_CURRENT = "current.json"
_VERSION = re.compile(r"[\w.-]{1,64}", re.ASCII)
_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_ATTEMPTS = 10


class S3ModelRegistry:
    """Versions in a bucket: `model.npz`, `metadata.json`, `report.json` and `report.html` under `models/VERSION/`."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def publish(self, model: Artifact, *, report: Mapping[str, Any] | None = None, html: str | None = None) -> None:
        content = model.to_bytes()
        described = {
            "version": model.version,
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": len(content),
            **model.metadata,
        }
        self._put_once(model.version, "model.npz", content)
        if report is not None:
            self._put_once(model.version, "report.json", json.dumps(report).encode(), "application/json")
        if html is not None:
            self._put_once(model.version, "report.html", html.encode(), "text/html; charset=utf-8")
        # The description goes last: a version without one was cut off half-way and is not known.
        self._put_once(model.version, "metadata.json", json.dumps(described, indent=1).encode(), "application/json")

    def versions(self) -> list[str]:
        found: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix="models/", **more)
            keys = [entry["Key"].split("/") for entry in page.get("Contents", [])]
            found += [key[1] for key in keys if key[2:] == ["metadata.json"]]
            if not page["IsTruncated"]:
                return sorted(found, reverse=True)
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def describe(self, version: str) -> dict[str, Any]:
        try:
            described: dict[str, Any] = json.loads(self._get(version, "metadata.json"))
        except ValueError as error:
            raise BrokenModelError(f"the metadata of version {version} cannot be read: {error}") from error
        return described

    def report(self, version: str, kind: str) -> bytes:
        return self._get(version, f"report.{kind}")

    def promotion_state(self) -> PromotionState:
        return self._read_state()[0]

    def promote(
        self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False
    ) -> PromotionState:
        gate = self.describe(version).get("gate")
        self._content(version)

        def promoted(state: PromotionState) -> PromotionState:
            if state.version == version:
                return state
            reasons = objections_to(version, gate, state.version)
            if reasons and not force:
                raise NotPromotableError(reasons)
            return served_by(state, Promotion(version, iso(now), by, reason, forced=bool(reasons)))

        return self._change(promoted)

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> PromotionState:
        def rolled_back(state: PromotionState) -> PromotionState:
            before = state.before
            if before is None:
                raise NoPreviousVersionError("No version has served before this one.")
            try:
                self._content(before)
            except VersionNotFoundError as error:
                raise BrokenModelError(f"version {before} is not there any more") from error
            return served_by(state, Promotion(before, iso(now), by, reason, rolled_back=state.version))

        return self._change(rolled_back)

    def challenge(self, version: str) -> PromotionState:
        self.describe(version)
        return self._change(lambda state: state if state.version == version else replace(state, challenger=version))

    def load(self, version: str) -> StoredModel:
        # Who only reads what is written of the versions has no numpy.
        from churn.ml.loading import read_model  # noqa: PLC0415

        model = read_model(self._content(version))
        if model.version != version:
            raise BrokenModelError(f"version {version} holds the model {model.version}")
        return model

    def _content(self, version: str) -> bytes:
        expected = self.describe(version).get("sha256")
        content = self._get(version, "model.npz")
        if hashlib.sha256(content).hexdigest() != expected:
            raise BrokenModelError(f"the stored bytes of version {version} do not have the checksum of its metadata")
        return content

    def _read_state(self) -> tuple[PromotionState, str | None]:
        """The state, and the tag of the content that it was read from; None where there is none yet."""
        try:
            found = self._call("get_object", Key=_CURRENT)
            return PromotionState.from_json(found["Body"].read()), found["ETag"]
        except _Refused as refused:
            if refused.code in {"NoSuchKey", "404"}:
                return PromotionState(), None
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RegistryUnavailableError(f"{_CURRENT} of bucket {self._bucket} cannot be read: {error}") from error

    def _change(self, change: Callable[[PromotionState], PromotionState]) -> PromotionState:
        for _ in range(_ATTEMPTS):
            state, tag = self._read_state()
            changed = change(state)
            if changed == state:
                return state
            condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
            try:
                self._call(
                    "put_object", Key=_CURRENT, Body=changed.to_json(), ContentType="application/json", **condition
                )
            except _Refused as refused:
                if refused.code not in _CONFLICTS:
                    raise
            else:
                return changed
        raise RegistryUnavailableError(f"{_CURRENT} of bucket {self._bucket} is being changed by others all the time")

    def _put_once(
        self, version: str, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        try:
            self._call("put_object", Key=_key(version, name), Body=content, ContentType=content_type, IfNoneMatch="*")
        except _Refused as refused:
            if refused.code in _CONFLICTS:
                raise VersionExistsError(f"version {version} is published already") from refused
            raise

    def _get(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise VersionNotFoundError(f"no version is called {version!r}")
        try:
            content: bytes = self._call("get_object", Key=_key(version, name))["Body"].read()
        except _Refused as refused:
            if refused.code in {"NoSuchKey", "404"}:
                raise VersionNotFoundError(f"version {version} has no {name}") from refused
            raise
        return content

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

        try:
            return getattr(self._s3, operation)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            raise _Refused(error.response["Error"]["Code"], f"bucket {self._bucket}: {error}") from error
        except BotoCoreError as error:
            raise RegistryUnavailableError(f"bucket {self._bucket}: {error}") from error


class _Refused(RegistryUnavailableError):
    """S3 answered with an error; `code` is its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
