"""The bucket of failed batches: objects that Lambda's event source writes, each with the records of one batch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from churn.adapters.aws_clients import client
from churn.domain.errors import UnavailableError

PREFIX = "aws/lambda/"
"""Where Lambda puts the failed batches of an event source."""

_GONE = frozenset({"NoSuchKey", "404", "PreconditionFailed", "ConditionalRequestConflict"})


class BatchesUnavailableError(UnavailableError):
    """The bucket does not answer, or refuses."""


@dataclass(slots=True)
class FailedBatch:
    """One object of the bucket: its records by topic and partition, as Lambda passes them to a function."""

    key: str
    content: dict[str, Any]
    batch: dict[str, Any]
    tag: str
    version: str | None


class FailedBatches:
    """The batches of one bucket; every method raises BatchesUnavailableError."""

    def __init__(self, bucket: str, s3: Any = None) -> None:
        self._bucket = bucket
        self._s3 = s3 or client("s3")

    def __iter__(self) -> Iterator[FailedBatch]:
        """Yield every batch; one that is redriven meanwhile is left out."""
        token: dict[str, str] = {}
        while True:
            page = self._call("list_objects_v2", Prefix=PREFIX, **token)
            for item in page.get("Contents", []):
                batch = self._read(item["Key"])
                if batch is not None:
                    yield batch
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def rewrite(self, batch: FailedBatch) -> None:
        """Store a batch whose records have changed, or delete it if none is left; no older version stays."""
        is_left = any(batch.batch["records"].values())
        if is_left:
            body = json.dumps(batch.content | {"payload": json.dumps(batch.batch)}).encode()
            if self._call("put_object", Key=batch.key, Body=body, IfMatch=batch.tag) is None:
                # Somebody redrives it at this moment.
                return
        if batch.version is not None:
            self._call("delete_object", Key=batch.key, VersionId=batch.version)
        elif not is_left:
            self._call("delete_object", Key=batch.key)

    def _read(self, key: str) -> FailedBatch | None:
        found = self._call("get_object", Key=key)
        if found is None:
            return None
        content = json.loads(found["Body"].read())
        payload = content["payload"]
        batch = payload if isinstance(payload, dict) else json.loads(payload)
        version = found.get("VersionId")
        return FailedBatch(key, content, batch, found["ETag"], None if version == "null" else version)

    def _call(self, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 (imported with boto3, late)

        try:
            return getattr(self._s3, operation)(Bucket=self._bucket, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] in _GONE:
                return None
            raise BatchesUnavailableError(f"bucket {self._bucket}: {error}") from error
        except BotoCoreError as error:
            raise BatchesUnavailableError(f"bucket {self._bucket}: {error}") from error
