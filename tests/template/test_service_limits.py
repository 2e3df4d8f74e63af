"""What AWS's services allow, where no linter knows it: each rule names AWS's own page.

A property that is valid by its shape can be refused in combination with another, or by a limit of the service. All of
these would be found by a deployment that is rolled back, or by an alarm at night.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from churn.adapters.event_queue import MAX_MESSAGE_BYTES, MAX_MESSAGE_EVENTS
from churn.entrypoints.http.headers import SECURITY_HEADERS
from churn.entrypoints.http.routes import BY_OPERATION, ROUTES
from infra.local.gateway.environment import MAX_PAYLOAD
from infra.local.gateway.rest import MAX_BODY
from infra.local.template.reader import load
from infra.tools.aws_stages import deployment
from tests.template.parameters import STAGES, holds, reserved, stage_parameters
from tests.template.test_template import ANSWERING, FUNCTIONS, NESTED, ROOT, TEMPLATES, as_list, of_type, read, walk

_DOCUMENT = ROOT / "docs" / "deployment.md"


_NAMES = {"LogGroupName", "BucketName", "Name", "RoleName", "AliasName", "DBInstanceIdentifier"}


# -- log groups


def test_log_groups_that_services_would_make_are_there_before_them(
    template: dict[str, Any], data: dict[str, Any]
) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html ."""
    groups = {
        name: group["LogGroupName"]["Fn::Sub"] for name, group in of_type(template, "AWS::Logs::LogGroup").items()
    }
    assert groups["RestErrorLogs"] == "API-Gateway-Execution-Logs_${RestApi}/${Stage}"
    assert groups["SocketErrorLogs"] == "/aws/apigateway/${SocketApi}/${Stage}"
    assert of_type(template, "AWS::ApiGateway::Stage")["RestApiStage"]["Variables"] == {
        "logs": {"Ref": "RestErrorLogs"}
    }
    socket = of_type(template, "AWS::ApiGatewayV2::Stage")["SocketApiStage"]
    assert socket["StageVariables"] == {"logs": {"Ref": "SocketErrorLogs"}}
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_LogAccess.Procedural.UploadtoCloudWatch.html
    resources = data["Resources"]
    assert resources["Database"]["Properties"]["DBInstanceIdentifier"] == {"Ref": "Service"}
    exported = resources["Database"]["Properties"]["EnableCloudwatchLogsExports"]
    assert [f"/aws/rds/instance/${{Service}}/{kind}" for kind in exported] == [
        resources["DatabaseLogs"]["Properties"]["LogGroupName"]["Fn::Sub"]
    ]
    assert resources["Database"]["DependsOn"] == "DatabaseLogs"
    assert resources["Proxy"]["DependsOn"] == "ProxyLogs"
    for name in NESTED:
        for group in of_type(read(name), "AWS::Logs::LogGroup").values():
            assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"}
            assert group["KmsKeyId"]


# -- Lambda and its event sources


def test_retries_of_the_stream_have_a_number(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html ."""
    for source in of_type(template, "AWS::Lambda::EventSourceMapping").values():
        if "MaximumRetryAttempts" in source:
            _, attempts, _ = source["MaximumRetryAttempts"]["Fn::If"]
            assert 0 <= attempts <= 10_000, "with a destination no limit means ten"
            assert 60 <= source["MaximumRecordAgeInSeconds"]["Fn::If"][1] <= 604_800


def test_a_failed_migration_is_not_called_again(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html ."""
    # CloudFormation's call is asynchronous, and of what the service token names.
    assert template["Resources"]["Migration"]["Properties"]["ServiceToken"] == {"Ref": "MigrationFunctionAliaslive"}
    config = of_type(template, "AWS::Lambda::EventInvokeConfig")["MigrationFunctionEventInvokeConfig"]
    assert config["Qualifier"] == "live"
    assert config["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("stage", STAGES)
def test_the_account_has_the_concurrency_that_a_stage_reserves(stage: str, template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html ."""
    total = sum(reserved(template, stage_parameters(stage)).values())
    assert total + 100 <= 1000
    text = _DOCUMENT.read_text(encoding="utf-8")
    assert f"`{stage}` reserves {total}" in text.replace("\n   ", " ")


def test_a_function_stays_within_lambdas_quotas(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html ."""
    functions = of_type(template, "AWS::Lambda::Function")
    assert len(functions) == len(FUNCTIONS)
    for name, function in functions.items():
        assert 128 <= function["MemorySize"] <= 10_240, name
        assert function["Timeout"] <= 900, name
        assert len(function["Layers"]) <= 5, name
    secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:" + "s" * 60
    parameters = {
        "DatabaseUrl": f"mysql://{'d' * 60}:3306/churn?ssl=true&proxy=true&secret={secret}",
        "RedisUrl": f"rediss://{'r' * 60}:6379/0?secret={secret}",
        "JwtSecret": secret,
        "ErasureKey": secret,
        "ModelSigningKey": secret,
        "KafkaClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/" + "k" * 100,
        "OutputTopic": "t" * 60,
    }
    for name in FUNCTIONS:
        environment = load(ROOT / "template.yaml", parameters, region="eu-central-1").function(name).environment
        assert len(json.dumps(dict(environment)).encode()) < 4096, name


def test_batches_are_of_a_size_that_event_sources_take(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html ."""
    sources = of_type(template, "AWS::Lambda::EventSourceMapping")
    # SQS: more than ten need a window.
    assert sources["ScoringFunctionQueue"]["BatchSize"] <= 10
    assert sources["ScoringFunctionQueue"]["ScalingConfig"]["MaximumConcurrency"] >= 2
    parameters = read("template.yaml")["Parameters"]
    assert 1 <= parameters["BatchSize"]["Default"] <= parameters["BatchSize"]["MaxValue"] <= 10_000
    assert parameters["BatchWindowSeconds"]["MaxValue"] <= 300


def test_a_batch_is_scored_well_within_the_functions_time(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html ."""
    scoring = of_type(template, "AWS::Lambda::Function")["ScoringFunction"]
    queue = of_type(template, "AWS::SQS::Queue")["EventsQueue"]
    assert queue["VisibilityTimeout"] >= 6 * scoring["Timeout"]
    (sentence,) = re.findall(r"applied ([\d, and]+) events a second", _DOCUMENT.read_text(encoding="utf-8"))
    slowest = min(int(number) for number in re.findall(r"\d+", sentence))
    messages = of_type(template, "AWS::Lambda::EventSourceMapping")["ScoringFunctionQueue"]["BatchSize"]
    for events in (messages * MAX_MESSAGE_EVENTS, read("template.yaml")["Parameters"]["BatchSize"]["MaxValue"]):
        # Ten times what was measured on a busy machine of two cores: a database across the network, a cold start.
        assert 10 * events / slowest <= scoring["Timeout"]


def test_a_dead_letter_queue_keeps_for_longer_than_its_source(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html ."""
    queues = of_type(template, "AWS::SQS::Queue")
    sources = [queue for queue in queues.values() if "RedrivePolicy" in queue]
    assert sources
    for queue in sources:
        policy = queue["RedrivePolicy"]
        kept = queues[policy["deadLetterTargetArn"]["Fn::GetAtt"][0]]["MessageRetentionPeriod"]
        # SQS counts from when a message came, also after it was moved.
        assert kept > queue["MessageRetentionPeriod"]
        assert 1 <= policy["maxReceiveCount"] <= 1000
        # It is moved before it is deleted, with days to spare.
        moved = policy["maxReceiveCount"] * queue["VisibilityTimeout"]
        assert moved + 5 * 86_400 <= queue["MessageRetentionPeriod"]
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
    for name, queue in queues.items():
        assert 60 <= queue["MessageRetentionPeriod"] <= 14 * 86_400, name
        assert queue.get("VisibilityTimeout", 30) <= 12 * 3600, name
    assert MAX_MESSAGE_BYTES < 256 * 1024


# -- API Gateway


def test_answers_come_within_the_time_and_size_of_api_gateway(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html ."""
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        if name.removesuffix("Function").lower() in {*ANSWERING, "authorizer"}:
            assert function["Timeout"] <= 29, name
    assert MAX_BODY == 10 * 1024 * 1024
    api = of_type(template, "AWS::ApiGateway::RestApi")["RestApi"]
    assert 0 <= api["MinimumCompressionSize"] <= 10 * 1024 * 1024
    # What a client waits for is retried by nobody else: the authorizer answers within its own ten seconds.
    assert of_type(template, "AWS::Lambda::Function")["AuthorizerFunction"]["Timeout"] <= 10
    authorizers = [
        value for mapping in walk(api) for key, value in mapping.items() if key == "authorizerResultTtlInSeconds"
    ]
    assert authorizers
    assert all(0 <= seconds <= 3600 for seconds in authorizers)


def test_a_body_fits_into_the_event_that_lambda_takes() -> None:
    """https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html ."""
    assert MAX_PAYLOAD == 6 * 1024 * 1024
    # API Gateway's quota for all headers of a request, which come twice, and as much for the rest.
    room = MAX_PAYLOAD - 2 * 2 * 10_240 - 20_480
    for route in ROUTES:
        if route.body is not None and route.operation != "take_events":
            # Within the event a quotation mark, a backslash or a line break has two bytes.
            assert 2 * route.body_bytes <= room, route.operation
    text = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    ((always, most),) = re.findall(r"(\d) MB always fit, (\d) MB where .* one byte in six", " ".join(text.split()))
    assert 2 * int(always) * 1_000_000 <= room
    assert int(most) * 1024 * 1024 == BY_OPERATION["take_events"].body_bytes
    assert BY_OPERATION["take_events"].body_bytes * (1 + 1 / 6) <= room


def test_the_role_that_all_stages_log_with_outlives_the_stage_that_made_it() -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html ."""
    resources = read("template.yaml")["Resources"]
    for name in ("ApiGatewayRole", "ApiGatewayAccount"):
        assert resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[name]["UpdateReplacePolicy"] == "Retain"


def test_the_two_apis_of_a_stage_have_names_of_their_own(template: dict[str, Any]) -> None:
    names = [
        json.dumps(api["Name"])
        for kind in ("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")
        for api in of_type(template, kind).values()
    ]
    assert len(names) == len(set(names)) == 2
    assert all("AWS::StackName" in name for name in names)


# -- S3, CloudFormation, IAM, CloudWatch


def test_s3_can_deliver_its_access_logs(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html ."""
    buckets = of_type(template, "AWS::S3::Bucket")
    for bucket in buckets.values():
        if "LoggingConfiguration" in bucket:
            target = buckets[bucket["LoggingConfiguration"]["DestinationBucketName"]["Ref"]]
            (rule,) = target["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
            assert "ObjectLockEnabled" not in target
            assert "LoggingConfiguration" not in target
    policy = of_type(template, "AWS::S3::BucketPolicy")["BucketLogsPolicy"]["PolicyDocument"]["Statement"]
    (delivery,) = [statement for statement in policy if statement["Effect"] == "Allow"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert delivery["Action"] == "s3:PutObject"


def test_what_outlives_a_stack_does_not_outlive_its_failed_creation() -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html ."""
    for name in TEMPLATES:
        for resource, declared in read(name)["Resources"].items():
            assert declared.get("DeletionPolicy") != "Retain", f"{name} {resource}"
            if declared.get("DeletionPolicy") == "RetainExceptOnCreate":
                assert declared["UpdateReplacePolicy"] == "Retain", f"{name} {resource}"
                # What is still there would keep the next stack of the same name from being made.
                names = [value for key, value in declared["Properties"].items() if key in _NAMES]
                assert all("StackId" in json.dumps(value) for value in names), f"{name} {resource}"


def test_templates_stay_within_cloudformations_quotas(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html ."""
    for name, content in [("template.yaml", template), *((name, read(name)) for name in NESTED)]:
        assert len(json.dumps(content).encode()) < 1_000_000, name
        assert len(content["Resources"]) <= 500, name
        assert len(content.get("Parameters", {})) <= 200, name
        assert len(content.get("Outputs", {})) <= 200, name
        assert len(content.get("Mappings", {})) <= 200, name


def test_roles_and_policies_stay_within_iams_quotas(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html ."""
    for content in (template, *map(read, NESTED)):
        for name, role in of_type(content, "AWS::IAM::Role").items():
            assert len(role.get("ManagedPolicyArns", [])) <= 10, name
            assert sum(map(_characters, (policy["PolicyDocument"] for policy in role.get("Policies", [])))) < 10_240, (
                name
            )
            assert _characters(role["AssumeRolePolicyDocument"]) < 2_048, name
        for name, policy in of_type(content, "AWS::IAM::ManagedPolicy").items():
            assert _characters(policy["PolicyDocument"]) < 6_144, name


def _characters(document: Any) -> int:
    return len(re.sub(r"\s", "", json.dumps(document)))


def test_alarms_are_such_as_cloudwatch_takes(template: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html ."""
    for content in (template, *map(read, NESTED)):
        for name, alarm in of_type(content, "AWS::CloudWatch::Alarm").items():
            parts = alarm.get("Metrics", [])
            assert len(parts) <= 10, name
            if parts:
                assert [part.get("ReturnData", True) for part in parts].count(True) == 1, name
                assert "Namespace" not in alarm, name
                (returned,) = [part for part in parts if part.get("ReturnData", True)]
                assert "Expression" in returned, name
                periods = {part["MetricStat"]["Period"] for part in parts if "MetricStat" in part}
                assert len(periods) == 1, name
                period = periods.pop()
            else:
                period = alarm["Period"]
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
            seven_days = period >= 3600
            assert period * alarm["EvaluationPeriods"] <= (604_800 if seven_days else 86_400), name
            assert len(alarm["AlarmDescription"]) <= 1024, name
            for mapping in walk(alarm):
                assert len(as_list(mapping.get("Dimensions", []))) <= 30, name


# -- regions


def regions() -> Iterator[str]:
    """Yield the regions that the documents name as having everything."""
    (line,) = re.findall(r"^Regions with everything: (.+)$", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    yield from re.findall(r"`([a-z]{2}-[a-z]+-\d)`", line)


@pytest.mark.slow
def test_the_linter_finds_nothing_in_any_region_that_the_documents_name() -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.RDS_Fea_Regions_DB-eng.Feature.RDSProxy.html ."""
    named = list(regions())
    assert len(named) >= 5
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", *named, "--", *TEMPLATES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize(
    "name", ["churn", "churn-dev2", "Churn", "churn_dev", "2churn", "churn--dev", "churn-", "c" * 51]
)
def test_a_stack_has_a_name_that_rds_writes_as_it_is(name: str) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.Constraints ."""
    service = read("infra/data.yaml")["Parameters"]["Service"]
    fits = re.fullmatch(service["AllowedPattern"], name) is not None and len(name) <= service["MaxLength"]
    assert fits == (name in {"churn", "churn-dev2"})
    # Names of functions: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
    assert service["MaxLength"] + max(len(f"-{function}") for function in FUNCTIONS) <= 64


def test_the_longest_name_of_a_stack_makes_no_name_too_long(data: dict[str, Any]) -> None:
    """https://docs.aws.amazon.com/msk/1.0/apireference/clusters.html#clusters-model-createclusterrequest ."""
    longest = "c" * data["Parameters"]["Service"]["MaxLength"]
    most = {"ClusterName": 64, "DBInstanceIdentifier": 63, "DBProxyName": 63, "LogGroupName": 512}
    found = []
    for mapping in walk(data["Resources"]):
        for key in most.keys() & mapping.keys():
            match mapping[key]:
                case {"Ref": "Service"}:
                    name = longest
                case {"Fn::Sub": str(text)}:
                    name = text.replace("${Service}", longest)
                case {"Ref": "Proxy"}:
                    continue
                case other:
                    raise AssertionError(f"{key} {other}: a nested stack's own name has no limit that is known here")
            assert "$" not in name, name
            assert len(name) <= most[key], name
            found.append(key)
    assert sorted(found).count("ClusterName") == 2
    assert most.keys() == set(found)


@pytest.mark.parametrize("stage", STAGES)
def test_the_stages_have_names_that_all_services_take(stage: str) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_CreateStage.html ."""
    names = read("infra/data.yaml")["Parameters"]["Service"]["AllowedPattern"]
    assert re.fullmatch(names, deployment(stage)["stack_name"])
    pattern = read("template.yaml")["Parameters"]["Stage"]["AllowedPattern"]
    assert re.fullmatch(pattern, stage_parameters(stage)["Stage"])
    assert not any(re.fullmatch(pattern, wrong) for wrong in ("Dev", "dev-2", "", "a b", "1st"))


@pytest.mark.parametrize(("count", "zones"), [(2, "eu-central-1a,eu-central-1c"), (3, "")])
def test_subnets_are_in_as_many_zones_as_asked_for(count: int, zones: str) -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-network-prereqs.html ."""
    network = read("infra/network.yaml")
    parameters = {"ZoneCount": count, "Zones": zones}
    subnets = [
        name
        for name, resource in network["Resources"].items()
        if resource["Type"] == "AWS::EC2::Subnet"
        and name != "PublicSubnet"
        and ("Condition" not in resource or holds(resource, network["Conditions"], parameters))  # type: ignore[arg-type]
    ]
    assert len(subnets) == count >= 2
    condition, three, two = network["Outputs"]["SubnetIds"]["Value"]["Fn::If"]
    assert condition == "ThreeZones"
    assert len({3: three, 2: two}[count]["Fn::Join"][1]) == count


@pytest.mark.parametrize("kind", ["AUTHORIZER_FAILURE", "INTEGRATION_FAILURE", "INTEGRATION_TIMEOUT", "THROTTLED"])
def test_an_answer_of_the_gateways_own_that_is_worth_another_try_says_when(kind: str) -> None:
    answers = read("template.yaml")["Resources"]["RestApi"]["Properties"]["GatewayResponses"]
    assert int(answers[kind]["ResponseParameters"]["Headers"]["Retry-After"].strip("'")) >= 1


def test_each_answer_of_the_gateways_own_has_headers_of_security() -> None:
    answers = read("template.yaml")["Resources"]["RestApi"]["Properties"]["GatewayResponses"]
    for kind, answer in answers.items():
        headers = answer["ResponseParameters"]["Headers"]
        # Other headers of the functions have quotes of their own, which API Gateway takes for the end of a value.
        assert headers["Content-Security-Policy"] == "'sandbox'", kind
        for name in SECURITY_HEADERS.keys() - {"Content-Security-Policy"}:
            assert headers[name] == f"'{SECURITY_HEADERS[name]}'", f"{kind} {name}"


@pytest.mark.parametrize(
    ("allowed", "told"),
    [("", None), ("https://a.example", "https://a.example"), ("https://a.example,https://b.example", None), ("*", "*")],
)
def test_each_answer_of_the_gateways_own_may_be_read_by_the_one_origin(allowed: str, told: str | None) -> None:
    given = {"DatabaseUrl": "mysql://d", "JwtSecret": "x" * 40, "ErasureKey": "y" * 40, "AllowedOrigins": allowed}
    rest = load(ROOT / "template.yaml", given, socket_endpoint="http://127.0.0.1:1").rest
    assert rest is not None
    assert len(rest.responses) >= 10
    for kind, response in rest.responses.items():
        assert response.headers.get("Access-Control-Allow-Origin") == told, kind
