"""The registry against the S3 that moto serves."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from churn.aws import client
from churn.forest import BrokenModel, ChurnModel
from churn.registry import CurrentModel, NoModel, S3Registry, UnknownVersion, VersionExists, load_model
from churn.settings import Settings
from tests.support.forests import small_model

BUCKET = "models-of-the-shop"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        client.cache_clear()
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield s3
    client.cache_clear()


@pytest.fixture
def registry(s3: Any) -> S3Registry:
    return S3Registry(BUCKET, s3)


def settings(tmp_path: Path) -> Settings:
    plain = Settings.from_environment({})
    return dataclasses.replace(plain, model_bucket=BUCKET, model_path=str(tmp_path / "model.npz"))


def test_a_version_published_and_promoted_is_the_one_that_serves(registry: S3Registry, tmp_path: Path) -> None:
    model = small_model()
    assert registry.current() is None
    registry.publish(model)
    assert registry.current() is None
    registry.promote(model.version)
    assert registry.current() == model.version
    assert load_model(settings(tmp_path)).checksum == model.checksum


def test_a_published_version_is_never_altered(registry: S3Registry) -> None:
    registry.publish(small_model())
    with pytest.raises(VersionExists):
        registry.publish(small_model())


def test_only_a_published_version_is_promoted(registry: S3Registry) -> None:
    with pytest.raises(UnknownVersion):
        registry.promote("2020-01-01T00-00-00Z-00000000")


def test_an_altered_version_is_refused_and_the_own_file_serves(registry: S3Registry, s3: Any, tmp_path: Path) -> None:
    own, promoted = small_model(), small_model().with_metadata(trained_at="2026-05-01T00:00:00Z")
    Path(settings(tmp_path).model_path).write_bytes(own.to_bytes())
    registry.publish(promoted)
    registry.promote(promoted.version)
    altered = bytearray(promoted.to_bytes())
    altered[len(altered) // 2] ^= 1
    s3.put_object(Bucket=BUCKET, Key=f"models/{promoted.version}/model.npz", Body=bytes(altered))
    with pytest.raises(BrokenModel):
        registry.load(promoted.version)
    assert load_model(settings(tmp_path)).version == own.version


def test_another_version_under_the_promoted_name_is_refused(registry: S3Registry, s3: Any) -> None:
    first, second = small_model(), small_model().with_metadata(trained_at="2026-05-01T00:00:00Z")
    registry.publish(first)
    registry.publish(second)
    for name in ("model.npz", "metadata.json"):
        s3.copy_object(
            Bucket=BUCKET,
            Key=f"models/{first.version}/{name}",
            CopySource={"Bucket": BUCKET, "Key": f"models/{second.version}/{name}"},
        )
    with pytest.raises(BrokenModel):
        registry.load(first.version)


@pytest.mark.usefixtures("s3")
def test_without_any_model_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoModel, match=r"model\.npz"):
        load_model(settings(tmp_path))


def test_a_bucket_out_of_reach_leaves_the_own_file(s3: Any, tmp_path: Path) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    own = small_model()
    Path(settings(tmp_path).model_path).write_bytes(own.to_bytes())
    loaded: ChurnModel = load_model(settings(tmp_path))
    assert loaded.version == own.version


class _Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_promotion_is_noticed_without_a_restart(registry: S3Registry, tmp_path: Path) -> None:
    first, second = small_model(), small_model(seed=2)
    for model in (first, second):
        registry.publish(model)
    registry.promote(first.version)
    clock = _Clock()
    current = CurrentModel(settings(tmp_path), every=30, clock=clock)
    registry.promote(second.version)
    clock.seconds = 29
    current.refresh()
    assert current.version == first.version
    clock.seconds = 31
    current.refresh()
    assert current.version == second.version


def test_a_promoted_version_that_is_broken_leaves_the_old_one_serving(
    registry: S3Registry, s3: Any, tmp_path: Path
) -> None:
    first, second = small_model(), small_model(seed=2)
    for model in (first, second):
        registry.publish(model)
    registry.promote(first.version)
    clock = _Clock()
    current = CurrentModel(settings(tmp_path), every=30, clock=clock)
    s3.put_object(Bucket=BUCKET, Key=f"models/{second.version}/model.npz", Body=second.to_bytes()[:-10])
    registry.promote(second.version)
    clock.seconds = 31
    current.refresh()
    assert current.version == first.version
