"""The AWS services that tests in this process share, as moto has them."""

from collections.abc import Iterator
from typing import Any

import pytest

from churn.adapters.s3_model_registry import S3ModelRegistry
from tests.support.registry import BUCKET, bucket


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Yield a client of S3, with an empty bucket for the registry of models."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with bucket() as s3:
        yield s3


@pytest.fixture
def registry(s3: Any) -> S3ModelRegistry:
    """Return an empty registry of models."""
    return S3ModelRegistry(BUCKET, s3)
