"""What is deployed to AWS: valid templates, references that resolve, roles that allow what is called and no more."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from samtranslator.translator.transform import transform

from infra.local.template.intrinsics import parse_yaml

ROOT = Path(__file__).parents[2]
NESTED = ("infra/network.yaml", "infra/data.yaml", "infra/monitoring.yaml")
TEMPLATES = ("template.yaml", *NESTED)
REGION = "eu-central-1"
FUNCTIONS = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
# Those that answer clients themselves; a client hears of the authorizer by API Gateway.
ANSWERING = {"audit", "health", "customers", "prediction", "alerts", "stats", "dashboard", "models", "events"}
# Names that AWS gives neither to interfaces and traces nor to what describes a network.
NAMELESS = {"ec2", "xray"}


class _NoManagedPolicies:
    def load(self) -> dict[str, str]:
        return {}


def read(name: str) -> dict[str, Any]:
    return parse_yaml((ROOT / name).read_text(encoding="utf-8"))


def translated() -> dict[str, Any]:
    """Return the template as CloudFormation gets it, with code and layers that were packaged somewhere."""
    template = read("template.yaml")
    for resource in template["Resources"].values():
        for key in ("CodeUri", "ContentUri"):
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = "s3://packages/code.zip"
        if "TemplateURL" in resource.get("Properties", {}):
            name = Path(resource["Properties"]["TemplateURL"]).name
            resource["Properties"]["TemplateURL"] = f"https://s3.amazonaws.com/packages/{name}"
    result: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    return result


def of_type(template: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        name: resource["Properties"] for name, resource in template["Resources"].items() if resource["Type"] == kind
    }


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside `value`, itself included."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(inner)


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(template: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return what roles and policies allow: the name of the resource with each statement."""
    for kind in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
        for name, properties in of_type(template, kind).items():
            documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
            documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
            for mapping in walk(documents):
                if mapping.get("Effect") == "Allow":
                    yield name, mapping


def actions_of_roles(template: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return what each role may do, by itself and by policies shared with some, not with all."""
    by_name: dict[str, set[str]] = {}
    for name, statement in statements(template):
        by_name.setdefault(name, set()).update(as_list(statement["Action"]))
    roles = {}
    for name, properties in of_type(template, "AWS::IAM::Role").items():
        shared = {mapping["Ref"] for mapping in walk(properties["ManagedPolicyArns"]) if "Ref" in mapping}
        actions = [by_name.get(policy, set()) for policy in (name, *(shared - {"FunctionBasics"}))]
        if name in by_name:
            roles[name] = set[str]().union(*actions)
    return roles


def test_the_linter_finds_nothing() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), *TEMPLATES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_reference_is_to_something(name: str, template: dict[str, Any]) -> None:
    content = template if name == "template.yaml" else read(name)
    known = content["Resources"].keys() | content.get("Parameters", {}).keys()
    for mapping in walk(content):
        if "Ref" in mapping:
            assert mapping["Ref"] in known or mapping["Ref"].startswith("AWS::"), mapping
        if isinstance(mapping.get("Fn::GetAtt"), list):
            assert mapping["Fn::GetAtt"][0] in content["Resources"], mapping
        if isinstance(mapping.get("Fn::If"), list):
            assert mapping["Fn::If"][0] in content["Conditions"], mapping


def test_nested_stacks_get_their_parameters_and_give_what_is_asked_of_them(template: dict[str, Any]) -> None:
    asked: dict[str, set[str]] = {}
    for mapping in walk(template):
        match mapping.get("Fn::GetAtt"):
            case [stack, str(attribute)] if attribute.startswith("Outputs."):
                asked.setdefault(stack, set()).add(attribute.removeprefix("Outputs."))
    stacks = of_type(template, "AWS::CloudFormation::Stack")
    assert {Path(stack["TemplateURL"]).name for stack in stacks.values()} == {Path(name).name for name in NESTED}
    for name, stack in stacks.items():
        nested = read("infra/" + Path(stack["TemplateURL"]).name)
        assert asked.get(name, set()) <= nested["Outputs"].keys()
        needed = {key for key, declared in nested["Parameters"].items() if "Default" not in declared}
        assert needed <= stack["Parameters"].keys() <= nested["Parameters"].keys()


def test_nothing_is_allowed_beyond_names(template: dict[str, Any]) -> None:
    for content in (template, *map(read, NESTED)):
        for name, statement in statements(content):
            for action in as_list(statement["Action"]):
                service, _, operation = action.partition(":")
                assert "*" not in operation, f"{name}: {action}"
                if statement["Resource"] == "*":
                    assert service in NAMELESS, f"{name}: {action} on every resource"


def test_each_function_may_do_what_it_calls_and_no_more(template: dict[str, Any]) -> None:
    allowed = {
        name.removesuffix("Role").lower(): {action for action in actions if not action.startswith("logs:")}
        for name, actions in actions_of_roles(template).items()
    }
    secret, push = "secretsmanager:GetSecretValue", "execute-api:ManageConnections"
    model, failed = {"s3:GetObject", "s3:ListBucket"}, {"sqs:SendMessage", "kms:GenerateDataKey"}
    kafka = {
        *("kafka:DescribeCluster", "kafka:DescribeClusterV2", "kafka:GetBootstrapBrokers"),
        *("kafka-cluster:Connect", "kafka-cluster:DescribeClusterDynamicConfiguration"),
        *("kafka-cluster:DescribeTopic", "kafka-cluster:ReadData"),
        *("kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"),
        *("ec2:DescribeVpcs", "ec2:DescribeSecurityGroups"),
    }
    queue = {f"sqs:{action}" for action in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")}
    manage = ("DescribeSecret", "PutSecretValue", "UpdateSecretVersionStage")
    rotation = {f"secretsmanager:{action}" for action in manage}
    connect = {"kafka:GetBootstrapBrokers", "kafka-cluster:Connect", "kafka-cluster:DescribeTopic"}
    publish = {*connect, "kafka-cluster:WriteData", "kafka-cluster:WriteDataIdempotently"}
    topics = {*connect, "kafka-cluster:CreateTopic", "kafka-cluster:DescribeTopicDynamicConfiguration"}
    assert allowed == {
        "authorizer": {secret},
        "audit": {secret, *failed},
        "customers": {secret, "sqs:SendMessage", "kms:GenerateDataKey"},
        "dashboard": {secret},
        "stats": {secret, "lambda:InvokeFunction"},
        "migration": {secret, *rotation, *topics, "kms:GenerateDataKey"},
        "health": {secret, *model},
        "prediction": {secret, *model},
        "models": {secret, *model, "s3:PutObject", "kms:GenerateDataKey", "lambda:InvokeFunction"},
        "alerts": {secret, push, "lambda:InvokeFunction", *failed},
        "events": {secret, "sqs:SendMessage", "kms:GenerateDataKey"},
        "scoring": {
            *(secret, push, "lambda:InvokeFunction", "s3:PutObject", "kms:GenerateDataKey"),
            *(*model, *kafka, *publish, *queue),
        },
        "rescoring": {secret, push, *model, *publish, *failed},
        "training": {secret, *model, "s3:PutObject", *failed},
        "evaluation": {secret, *model, *failed},
        "retention": {secret, *model, "s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion", *failed},
    }


def test_what_is_written_on_the_cluster_is_the_output_topic_alone(template: dict[str, Any]) -> None:
    written = {"kafka-cluster:WriteData": "/${OutputTopic}", "kafka-cluster:ReadData": "/${EventsTopic}"}
    for name, statement in statements(template):
        for action in as_list(statement["Action"]):
            if action in written:
                text, where = statement["Resource"]["Fn::Sub"]
                assert text == "${Of}" + written[action], name
                assert where["Of"]["Fn::Join"][0] == ":topic/"


def test_who_writes_a_model_cannot_overwrite_a_version_nor_a_promotion_unseen(template: dict[str, Any]) -> None:
    policy = of_type(template, "AWS::S3::BucketPolicy")["ModelBucketPolicy"]["PolicyDocument"]
    denied = {
        statement["Resource"]["Fn::Sub"]: statement["Condition"]["Null"]
        for statement in policy["Statement"]
        if statement["Effect"] == "Deny" and statement["Action"] == "s3:PutObject"
    }
    assert denied == {
        "${ModelBucket.Arn}/models/*": {"s3:if-none-match": "true"},
        "${ModelBucket.Arn}/current.json": {"s3:if-none-match": "true", "s3:if-match": "true"},
    }


def test_no_secret_stands_in_an_environment_or_an_output(template: dict[str, Any]) -> None:
    texts = [properties["Environment"] for properties in of_type(template, "AWS::Lambda::Function").values()]
    for content in (*texts, template["Outputs"], *(read(name).get("Outputs", {}) for name in NESTED)):
        assert "resolve:secretsmanager" not in json.dumps(content)
    for name, declared in template["Parameters"].items():
        assert not declared.get("NoEcho"), f"{name} is a secret: its ARN is to be given in its place"


def test_everything_that_is_stored_is_encrypted_with_the_stacks_key(template: dict[str, Any]) -> None:
    key = {"Fn::GetAtt": ["Key", "Arn"]}
    assert all(group["KmsKeyId"] == key for group in of_type(template, "AWS::Logs::LogGroup").values())
    assert all(group["RetentionInDays"] for group in of_type(template, "AWS::Logs::LogGroup").values())
    buckets = of_type(template, "AWS::S3::Bucket")
    # S3 delivers its logs into no bucket with a key of one's own.
    logs = buckets.pop("BucketLogs")
    assert {bucket["LoggingConfiguration"]["DestinationBucketName"]["Ref"] for bucket in buckets.values()} == {
        "BucketLogs"
    }
    (rule,) = logs["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    for bucket in buckets.values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    assert all(queue["KmsMasterKeyId"] == key for queue in of_type(template, "AWS::SQS::Queue").values())
    assert all(secret["KmsKeyId"] == key for secret in of_type(template, "AWS::SecretsManager::Secret").values())
    assert all(function["KmsKeyArn"] == key for function in of_type(template, "AWS::Lambda::Function").values())


def test_functions_carry_the_layers_of_tracing_only_where_they_send_traces(template: dict[str, Any]) -> None:
    by_condition = {
        condition: name.get("Ref")
        for function in of_type(template, "AWS::Lambda::Function").values()
        for layer in function["Layers"]
        if "Fn::If" in layer
        for condition, name, _ in [layer["Fn::If"]]
    }
    assert by_condition.keys() == {"SendsTraces", "HasCollector"}
    assert str(by_condition["SendsTraces"]).startswith("TracingLayer")
    assert by_condition["HasCollector"] == "CollectorLayerArn"
    for name, function in of_type(template, "AWS::Lambda::Function").items():
        own = [layer["Ref"] for layer in function["Layers"] if "Ref" in layer]
        assert not any(layer.startswith("TracingLayer") for layer in own), name


def test_functions_log_are_traced_and_published_and_wait_for_the_schema(template: dict[str, Any]) -> None:
    functions = of_type(template, "AWS::Lambda::Function")
    assert {name.removesuffix("Function").lower() for name in functions} == FUNCTIONS
    aliases = of_type(template, "AWS::Lambda::Alias")
    for name, function in functions.items():
        assert function["LoggingConfig"]["LogGroup"] == {"Ref": name.removesuffix("Function") + "Logs"}
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert f"{name}Aliaslive" in aliases
        assert function["ReservedConcurrentExecutions"]
        if name not in {"AuthorizerFunction", "MigrationFunction"}:
            assert "Migration" in as_list(template["Resources"][name]["DependsOn"])
        if name != "MigrationFunction":
            deployed = template["Resources"][f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
            assert deployed["DeploymentGroupName"]


def test_callers_reach_the_published_version(template: dict[str, Any]) -> None:
    callers = ("AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Authorizer", "AWS::Lambda::EventSourceMapping")
    for kind in (*callers, "AWS::Events::Rule", "AWS::Lambda::Permission"):
        found = of_type(template, kind)
        assert found
        # Secrets Manager calls the migration, which no canary holds back, by its name.
        found.pop("DatabaseUserRotationCall", None)
        for name, properties in found.items():
            assert "Aliaslive" in json.dumps(properties), f"{kind} {name}"


def test_functions_behind_an_api_start_from_a_snapshot(template: dict[str, Any]) -> None:
    snapped = {
        name.removesuffix("Function").lower()
        for name, function in of_type(template, "AWS::Lambda::Function").items()
        if function.get("SnapStart") == {"ApplyOn": "PublishedVersions"}
    }
    assert snapped == ANSWERING | {"authorizer"}


def test_the_migration_alone_logs_in_as_the_databases_owner(template: dict[str, Any]) -> None:
    owners = {
        name
        for kind in ("AWS::Lambda::Function", "AWS::IAM::Role")
        for name, properties in of_type(template, kind).items()
        if "Outputs.Owners" in json.dumps(properties)
    }
    assert owners == {"MigrationFunction", "MigrationRole"}


def test_no_outage_makes_the_stream_pass_over_events(template: dict[str, Any]) -> None:
    source = of_type(template, "AWS::Lambda::EventSourceMapping")["ScoringFunctionStream"]

    def provisioned(name: str) -> Any:
        condition, value, without = source[name]["Fn::If"]
        assert (condition, without) == ("ProvisionedPollers", {"Ref": "AWS::NoValue"})
        return value

    # As many as there may be: the age is the limit.
    assert provisioned("MaximumRetryAttempts") == 10_000
    assert provisioned("FunctionResponseTypes") == ["ReportBatchItemFailures"]
    assert provisioned("BisectBatchOnFunctionError") is True
    assert provisioned("MaximumRecordAgeInSeconds") == 7 * 24 * 3600
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["FailedBatches", "Arn"]}


def test_a_message_that_fails_comes_again_for_days_and_is_kept_then(template: dict[str, Any]) -> None:
    source = of_type(template, "AWS::Lambda::EventSourceMapping")["ScoringFunctionQueue"]
    queue = of_type(template, "AWS::SQS::Queue")["EventsQueue"]
    scoring = of_type(template, "AWS::Lambda::Function")["ScoringFunction"]
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["VisibilityTimeout"] == 6 * scoring["Timeout"]
    days = queue["VisibilityTimeout"] * queue["RedrivePolicy"]["maxReceiveCount"] / 86_400
    assert 3 < days < queue["MessageRetentionPeriod"] / 86_400
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}


def test_stages_name_parameters_that_there_are() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    parameters = read("template.yaml")["Parameters"]
    for stage in ("dev", "staging", "prod"):
        for override in config[stage]["deploy"]["parameters"]["parameter_overrides"]:
            name, _, value = override.partition("=")
            assert value in [str(allowed) for allowed in parameters[name].get("AllowedValues", [value])], override


def test_every_alarm_leads_to_its_page() -> None:
    pages = re.findall(r"^### (\w+)$", (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8"), re.MULTILINE)
    alarms = [alarm for name in TEMPLATES for alarm in of_type(read(name), "AWS::CloudWatch::Alarm").items()]
    # The canaries of all functions share one page.
    titles = {"FunctionErrors" if "Canary" in name else name for name, _ in alarms}
    assert titles == set(pages)
    for name, alarm in alarms:
        title = "FunctionErrors" if "Canary" in name else name
        assert alarm["AlarmDescription"].endswith(f" - docs/deployment.md#{title.lower()}")


def test_a_canary_is_watched_by_the_calls_of_its_own_new_version(template: dict[str, Any]) -> None:
    groups = of_type(template, "AWS::CodeDeploy::DeploymentGroup")
    assert len(groups) == len(FUNCTIONS) - 1  # the migration has no canary
    alarms = of_type(template, "AWS::CloudWatch::Alarm")
    for group, properties in groups.items():
        name = group.removesuffix("FunctionDeploymentGroup")
        watching = {alarm["Name"]["Ref"] for alarm in properties["AlarmConfiguration"]["Alarms"]}
        lag = {"ScoringCanaryLag"} if name == "Scoring" else set()
        assert watching == {"ServerErrors", f"{name}Canary"} | lag
        watched = [
            (mapping["MetricName"], {dimension["Name"]: dimension["Value"] for dimension in mapping["Dimensions"]})
            for mapping in walk(alarms[f"{name}Canary"])
            if "Dimensions" in mapping
        ]
        # An answer with a status of 500 is no failed invocation.
        assert ("FailedAnswers" in dict(watched)) == (name.lower() in ANSWERING)
        assert "Errors" in dict(watched)
        for metric, dimensions in watched:
            of_own = metric == "FailedAnswers"
            assert dimensions["function" if of_own else "FunctionName"] == {"Ref": f"{name}Function"}
            if not of_own:
                assert dimensions["Resource"] == {"Fn::Sub": f"${{{name}Function}}:live"}
            version, attribute = dimensions["version" if of_own else "ExecutedVersion"]["Fn::GetAtt"]
            assert (template["Resources"][version]["Type"], attribute) == ("AWS::Lambda::Version", "Version")
            assert version.startswith(f"{name}FunctionVersion")


def test_alarms_and_dashboard_watch_the_metrics_of_their_own_stage() -> None:
    monitoring = read("infra/monitoring.yaml")
    for name, alarm in of_type(monitoring, "AWS::CloudWatch::Alarm").items():
        for metric in [
            alarm,
            *(part["MetricStat"]["Metric"] for part in alarm.get("Metrics", []) if "MetricStat" in part),
        ]:
            if metric.get("Namespace") == "Churn":
                assert metric["Dimensions"] == [{"Name": "service", "Value": {"Ref": "Service"}}], name
    widgets = json.loads(monitoring["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])["widgets"]
    own = [line for widget in widgets for line in widget["properties"].get("metrics", []) if line[0] == "Churn"]
    assert own
    assert all(line[2:4] == ["service", "${Service}"] for line in own)


def test_the_documents_point_at_headings_that_there_are() -> None:
    for document in (ROOT / "docs").glob("*.md"):
        text = document.read_text(encoding="utf-8")
        headings = {
            re.sub(r"[^\w -]", "", line).lower().replace(" ", "-")
            for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
        }
        assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings, document
        for name in re.findall(r"`((?:docs|infra|functions|layers|tests)/[\w./-]+)`", text):
            assert (ROOT / name).exists(), f"{document}: {name}"


def test_what_the_deployment_turns_are_parameters() -> None:
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    parameters = read("template.yaml")["Parameters"].keys()
    for name in re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]*)+)(?:=\w+)?`", text):
        assert name in parameters | read("template.yaml")["Outputs"].keys(), name


def test_the_dashboard_is_json_and_names_what_there_is(template: dict[str, Any]) -> None:
    monitoring = read("infra/monitoring.yaml")
    body = monitoring["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    named = set(re.findall(r"\$\{([\w:]+)\}", body))
    assert named <= monitoring["Parameters"].keys() | {"AWS::Region"}
    shown = {widget["properties"]["title"] for widget in json.loads(body)["widgets"]}
    assert len(shown) == len(json.loads(body)["widgets"])
    functions = {name.removesuffix("Function").lower() for name in of_type(template, "AWS::Lambda::Function")}
    assert set(re.findall(r'"\$\{Service\}-(\w+)"', body)) <= functions
    assert set(re.findall(r"/\$\{Service\}/(\w+)", body)) <= functions
