"""What the commands know of a stage on AWS, on moto."""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from churn.adapters import aws_clients as aws
from infra.tools.aws_stages import StageError, deploy_command, deployment, destroy_command, logs_command, main, outputs
from infra.tools.redrive import Locations

TEMPLATE = {
    "Resources": {
        "FailedBatches": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "batches"}},
        "FailedCalls": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "calls"}},
    },
    "Outputs": {
        "FailedBatches": {"Value": {"Ref": "FailedBatches"}},
        "FailedCallsUrl": {"Value": {"Ref": "FailedCalls"}},
    },
}


@pytest.fixture(autouse=True)
def account() -> Iterator[None]:
    aws.client.cache_clear()
    with mock_aws():
        yield
    aws.client.cache_clear()


def test_a_stages_stack_tells_where_its_failures_are() -> None:
    boto3.client("cloudformation").create_stack(StackName="churn-dev", TemplateBody=json.dumps(TEMPLATE))
    locations = Locations.of_stage("dev")
    assert (locations.batches, locations.scoring) == ("batches", "churn-dev-scoring:live")
    assert locations.calls.endswith("/calls")


def test_a_stage_that_is_not_deployed_is_named() -> None:
    with pytest.raises(StageError, match="churn-staging"):
        outputs("staging")


def test_a_stage_that_is_none_is_told_which_there_are() -> None:
    with pytest.raises(StageError, match="ENV=dev or prod or staging"):
        deployment("test")


def test_a_deployment_keeps_what_the_stage_has_set_beside_what_is_given() -> None:
    command = deploy_command("dev", "arm64", ["AlarmEmail=on-call@example.com", "Pollers=2"])
    assert command[command.index("--config-env") + 1] == "dev"
    parameters = command[command.index("--parameter-overrides") + 1 :]
    assert {"Stage=dev", "Architecture=arm64", "AlarmEmail=on-call@example.com", "Pollers=2"} <= set(parameters)
    assert "Pollers=1" not in parameters


def test_a_stages_stack_and_logs_have_its_name() -> None:
    assert destroy_command("prod")[-1] == "churn-prod"
    assert logs_command("dev", "ScoringFunction") == logs_command("dev", "scoring")
    assert "/churn-dev/scoring" in logs_command("dev", "scoring")


def test_a_deployment_is_checked_before_it_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "dev"]) == 0
    assert "stage dev, AWS account 123456789012" in capsys.readouterr().out
    assert main(["check", "test"]) == 2
    assert "which stage? ENV=dev or prod or staging" in capsys.readouterr().err


def test_a_deployment_without_credentials_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    assert main(["check", "dev"]) == 2
    assert (
        "AWS does not accept your credentials: Unable to locate credentials; set AWS_PROFILE" in capsys.readouterr().err
    )
