"""Versions of a model for tests of the registry, on the S3 that moto serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto import mock_aws

from churn.adapters.aws_clients import client
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.ml.random_forest import ChurnModel
from tests.support.events import NOW
from tests.support.forests import small_model

BUCKET = "models-of-the-shop"


@contextmanager
def bucket() -> Iterator[Any]:
    """Return a client of S3 with an empty bucket; AWS_ENDPOINT_URL must not be set."""
    with mock_aws():
        client.cache_clear()
        s3 = boto3.client("s3", region_name="eu-west-1")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield s3
    client.cache_clear()


def model(day: int, *, compared_with: ChurnModel | None = None, passed: bool = True) -> ChurnModel:
    """Return a version of that day of May, with what its gate said."""
    reasons = [] if passed else ["On the newest window its AUC is lower."]
    gate = {"passed": passed, "compared_with": compared_with and compared_with.version, "reasons": reasons}
    return small_model().with_metadata(trained_at=f"2026-05-{day:02}T00:00:00Z", gate=gate)


def publish(registry: S3ModelRegistry, *artifacts: ChurnModel) -> None:
    for artifact in artifacts:
        registry.publish(artifact)


def promote(registry: S3ModelRegistry, artifact: ChurnModel, *, force: bool = False) -> None:
    registry.promote(artifact.version, by="ann", reason=None, now=NOW, force=force)


def tamper(s3: Any, artifact: ChurnModel) -> None:
    """Flip a bit of a published version's model."""
    altered = bytearray(artifact.to_bytes())
    altered[len(altered) // 2] ^= 1
    s3.put_object(Bucket=BUCKET, Key=f"models/{artifact.version}/model.npz", Body=bytes(altered))
