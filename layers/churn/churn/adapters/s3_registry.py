"""The versions of the model: published once and never altered, one of them promoted to serve.

``current.json`` is the one place that names the version that serves, and how it came to that. It is only ever written
over the very content that was read, so that two who change it at once do not lose each other's change.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from churn.adapters.aws_clients import client
from churn.domain.model import BrokenModelError
from churn.domain.timestamps import iso
from churn.observability import logger

if TYPE_CHECKING:
    from churn.ml.loading import StoredModel

_CURRENT = "current.json"
_VERSION = re.compile(r"[\w.-]{1,64}", re.ASCII)
_CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_ATTEMPTS = 10


class UnknownVersion(Exception):
    """The registry has no such version, or not that part of it."""


class VersionExists(Exception):
    """A published version cannot be published again: what serves must stay what was tested."""


class NotPromotable(Exception):
    """The version did not pass its gate against the version that serves; `reasons` are sentences."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


class NothingBefore(Exception):
    """No version has served before the one that does."""


class RegistryUnavailable(Exception):
    """The registry could not be asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """A version began to serve: at which instant (ISO 8601), by whom, and why.

    `forced`: although its gate had not passed. `rolled_back`: the version that it took the place of again.
    """

    version: str
    at: str | None = None
    by: str | None = None
    reason: str | None = None
    forced: bool = False
    rolled_back: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The version that serves, the challenger that is scored beside it, and all changes, the oldest first."""

    version: str | None = None
    challenger: str | None = None
    history: tuple[Change, ...] = ()

    @property
    def before(self) -> str | None:
        """The version that a roll-back returns to: what served before, passing over what was rolled back."""
        served: list[str] = []
        for change in self.history:
            if change.rolled_back is None:
                served.append(change.version)
            else:
                served.pop()
        return served[-2] if len(served) > 1 else None

    def to_json(self) -> bytes:
        """The content of ``current.json``."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Standing:
        """Reads ``current.json``, also one that names a version and nothing else. Raises ValueError and the like."""
        found = json.loads(content)
        version = str(found["version"])
        known = {field.name for field in fields(Change)}
        history = tuple(
            # What a later version of the code has written besides is passed over.
            Change(**{name: value for name, value in change.items() if name in known})
            for change in found.get("history", [{"version": version}])
        )
        return cls(version, found.get("challenger"), history)


class Artefact(Protocol):
    """A model as the registry sees it."""

    @property
    def version(self) -> str: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...
    def to_bytes(self) -> bytes: ...


class ModelRegistry(Protocol):
    """Where the versions of the model are kept. Every method raises RegistryUnavailable when it cannot be reached."""

    def publish(self, model: Artefact, *, report: Mapping[str, Any] | None = None, html: str | None = None) -> None:
        """Store a version, with its report as JSON and as a page. Raises VersionExists."""

    def versions(self) -> list[str]:
        """All published versions, the newest first."""

    def describe(self, version: str) -> dict[str, Any]:
        """Return a version's metadata with the model's `sha256` and `size`. Raises UnknownVersion, BrokenModelError."""

    def report(self, version: str, kind: str) -> bytes:
        """The report of a version; `kind` is json or html. Raises UnknownVersion."""

    def standing(self) -> Standing:
        """Which version serves, which one challenges it, and how it came to that."""

    def promote(self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False) -> Standing:
        """Make a published version the one that serves, if its gate passed against the one that does, or by force.

        Raises UnknownVersion, NotPromotable, and BrokenModelError, which no force overcomes.
        """

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> Standing:
        """Make the version before serve again. Raises NothingBefore, BrokenModelError."""

    def challenge(self, version: str) -> Standing:
        """Make a published version the challenger, unless it serves. Raises UnknownVersion."""

    def load(self, version: str) -> StoredModel:
        """The version's model, its checksums verified. Raises UnknownVersion or BrokenModelError."""


class S3Registry:
    """Versions in a bucket: `model.npz`, `metadata.json`, `report.json` and `report.html` under `models/VERSION/`."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def publish(self, model: Artefact, *, report: Mapping[str, Any] | None = None, html: str | None = None) -> None:
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

    def standing(self) -> Standing:
        return self._standing()[0]

    def promote(self, version: str, *, by: str, reason: str | None, now: datetime, force: bool = False) -> Standing:
        gate = self.describe(version).get("gate")
        self._content(version)

        def promoted(standing: Standing) -> Standing:
            if standing.version == version:
                return standing
            reasons = _objections(version, gate, standing.version)
            if reasons and not force:
                raise NotPromotable(reasons)
            return _served_by(standing, Change(version, iso(now), by, reason, forced=bool(reasons)))

        return self._change(promoted)

    def roll_back(self, *, by: str, reason: str | None, now: datetime) -> Standing:
        def rolled_back(standing: Standing) -> Standing:
            before = standing.before
            if before is None:
                raise NothingBefore("No version has served before this one.")
            try:
                self._content(before)
            except UnknownVersion as error:
                raise BrokenModelError(f"version {before} is not there any more") from error
            return _served_by(standing, Change(before, iso(now), by, reason, rolled_back=standing.version))

        return self._change(rolled_back)

    def challenge(self, version: str) -> Standing:
        self.describe(version)
        return self._change(
            lambda standing: standing if standing.version == version else replace(standing, challenger=version)
        )

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

    def _standing(self) -> tuple[Standing, str | None]:
        """The standing, and the tag of the content that it was read from; None where there is none yet."""
        try:
            found = self._call("get_object", Key=_CURRENT)
            return Standing.from_json(found["Body"].read()), found["ETag"]
        except _Refused as refused:
            if refused.code in {"NoSuchKey", "404"}:
                return Standing(), None
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise RegistryUnavailable(f"{_CURRENT} of bucket {self._bucket} cannot be read: {error}") from error

    def _change(self, change: Callable[[Standing], Standing]) -> Standing:
        for _ in range(_ATTEMPTS):
            standing, tag = self._standing()
            changed = change(standing)
            if changed == standing:
                return standing
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
        raise RegistryUnavailable(f"{_CURRENT} of bucket {self._bucket} is being changed by others all the time")

    def _put_once(
        self, version: str, name: str, content: bytes, content_type: str = "application/octet-stream"
    ) -> None:
        try:
            self._call("put_object", Key=_key(version, name), Body=content, ContentType=content_type, IfNoneMatch="*")
        except _Refused as refused:
            if refused.code in _CONFLICTS:
                raise VersionExists(f"version {version} is published already") from refused
            raise

    def _get(self, version: str, name: str) -> bytes:
        if not _VERSION.fullmatch(version):
            raise UnknownVersion(f"no version is called {version!r}")
        try:
            content: bytes = self._call("get_object", Key=_key(version, name))["Body"].read()
        except _Refused as refused:
            if refused.code in {"NoSuchKey", "404"}:
                raise UnknownVersion(f"version {version} has no {name}") from refused
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


def release(
    registry: ModelRegistry,
    model: Artefact,
    *,
    by: str,
    now: datetime,
    report: Mapping[str, Any] | None = None,
    html: str | None = None,
) -> list[str]:
    """Publish a version that was just trained, and promote it if its gate passed; else it is the challenger.

    Returns why it was not promoted, in sentences; nothing when it was. Raises VersionExists and RegistryUnavailable.
    """
    registry.publish(model, report=report, html=html)
    try:
        registry.promote(model.version, by=by, reason="no worse on the newest window", now=now)
    except NotPromotable as refusal:
        gate = model.metadata.get("gate") or {}
        if gate.get("passed") and _cannot_serve(registry):
            reason = "the version in use cannot be served"
            registry.promote(model.version, by=by, reason=reason, now=now, force=True)
            return []
        registry.challenge(model.version)
        return refusal.reasons
    return []


def _cannot_serve(registry: ModelRegistry) -> bool:
    current = registry.standing().version
    if current is None:
        return False
    try:
        registry.load(current)
    except (BrokenModelError, UnknownVersion) as error:
        logger.error("the version in use cannot be served", extra={"version": current, "reason": str(error)})
        return True
    return False


def _objections(version: str, gate: Mapping[str, Any] | None, current: str | None) -> list[str]:
    """Why a version may not take the place of `current`, in sentences."""
    if current is None:
        return []
    if gate is None:
        return [f"Version {version} was published without a comparison with the version in use."]
    compared = gate.get("compared_with")
    reasons = [str(reason) for reason in gate.get("reasons", ())] or ["Its gate did not pass."]
    objections = [] if gate.get("passed") else reasons
    if compared != current:
        with_what = f"with version {compared}" if compared else "with no other version"
        objections.append(f"Version {version} was compared {with_what}, and version {current} is in use now.")
    return objections


def _served_by(standing: Standing, change: Change) -> Standing:
    challenger = None if standing.challenger == change.version else standing.challenger
    return Standing(change.version, challenger, (*standing.history, change))


def _key(version: str, name: str) -> str:
    return f"models/{version}/{name}"
