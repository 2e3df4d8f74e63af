"""The stacks, nested ones too, made and taken down again on moto, which works out their conditions and references.

What moto does not know stands as text in those that name it: the linter and the references' own test hold that part.
"""

import io
import ipaddress
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.models import Stack
from moto.cloudformation.parsing import get_model_map

from tests.template.parameters import refusals
from tests.template.test_template import NESTED, read, translated

# Known to moto, but not as CloudFormation describes them.
UNUSABLE = {
    *("AWS::EC2::EIP", "AWS::EC2::NatGateway", "AWS::EC2::Route", "AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup"),
    *("AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage", "AWS::Events::Rule"),
    *("AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission"),
}
NAME = re.compile(r"\$\{(\w+)(?:\.([\w.]+))?\}")


def for_moto(template: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template without resources that moto does not know; their names stand for them."""
    known = get_model_map().keys() - UNUSABLE
    resources = template["Resources"]
    absent = {name for name, resource in resources.items() if resource["Type"] not in known}

    def text(match: re.Match[str]) -> str:
        name, attribute = match[1], match[2] or ""
        return f"{name}.{attribute}" if name in absent else match[0]

    def adapted(value: Any) -> Any:  # noqa: PLR0911 (one case a form)
        match value:
            case {"Ref": str(name)} if name in absent:
                return name
            case {"Fn::GetAtt": [str(name), str(attribute)]} if name in absent:
                return f"arn:aws:none:eu-central-1:123456789012:{name}/{name}/0" if attribute == "Arn" else name
            case {"Fn::Sub": str(template)}:
                return {"Fn::Sub": NAME.sub(text, template)}
            case {"Fn::Cidr": [{"Ref": str(name)}, count, bits]}:
                network = ipaddress.ip_network(template_default(name))
                return [str(subnet) for subnet in list(network.subnets(new_prefix=32 - int(bits)))[: int(count)]]
            case dict():
                return {key: adapted(inner) for key, inner in value.items()}
            case list():
                return [adapted(inner) for inner in value]
            case _:
                return value

    def template_default(name: str) -> str:
        return str(template["Parameters"][name]["Default"])

    kept: dict[str, Any] = {name: adapted(resources[name]) for name in resources if name not in absent}
    for resource in kept.values():
        waits_for = resource.pop("DependsOn", [])
        listed = waits_for if isinstance(waits_for, list) else [waits_for]
        resource["DependsOn"] = [name for name in listed if name not in absent]
    # moto knows no rules.
    sections = {key: value for key, value in template.items() if key not in {"Rules", "Metadata"}}
    return {**sections, "Resources": kept, "Outputs": adapted(template.get("Outputs", {}))}


def output(stack: Stack, attribute: str) -> str:
    found = stack.output_map[attribute.removeprefix("Outputs.")]
    assert found is not None, f"{stack.name} has no {attribute}"
    return str(found.value)


@cache
def packages() -> dict[str, bytes]:
    """Return the translated templates by their names."""
    templates = {Path(name).name: read(name) for name in NESTED} | {"template.yaml": translated()}
    return {name: json.dumps(for_moto(template)).encode() for name, template in templates.items()}


def network() -> dict[str, str]:
    """Make a network as a shop may have one, and return the parameters that name it."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{place}.0/24")["Subnet"]["SubnetId"] for place in range(3)]
    functions, endpoints = (
        ec2.create_security_group(VpcId=vpc, GroupName=name, Description=name)["GroupId"] for name in ("f", "e")
    )
    return {
        "VpcId": vpc,
        "SubnetIds": ",".join(subnets),
        "FunctionSecurityGroupId": functions,
        "EndpointSecurityGroupId": endpoints,
    }


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # moto keeps a nested stack's outputs, and has no way to ask for them.
    monkeypatch.setattr(Stack, "get_cfn_attribute", output, raising=False)
    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="packages")
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("app.py", "")
        s3.put_object(Bucket="packages", Key="code.zip", Body=code.getvalue())
        for name, body in packages().items():
            s3.put_object(Bucket="packages", Key=name, Body=body)
        yield boto3.client("cloudformation")


_DATABASE = {
    "DatabaseUrl": "mysql://db:3306/churn?ssl=true&secret=arn:aws:secretsmanager:eu-central-1:1:secret:db",
    "DatabaseSecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:db",
    "JwtSecret": "arn:aws:secretsmanager:eu-central-1:1:secret:jwt",
}
_CACHE = {
    "RedisUrl": "rediss://cache:6379/0?secret=arn:aws:secretsmanager:eu-central-1:1:secret:cache",
    "CacheSecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:cache",
}
_CLUSTER = {"KafkaClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/0-1"}
_SECRETS = {
    "ErasureKey": "arn:aws:secretsmanager:eu-central-1:1:secret:erasure",
    "ModelSigningKey": "arn:aws:secretsmanager:eu-central-1:1:secret:model",
    "SecretKeyArn": "arn:aws:kms:eu-central-1:1:key/1",
}
_NETWORK = {"VpcId": "is made beside it", "SubnetIds": "two", "FunctionSecurityGroupId": "one"}
# moto makes nested stacks in this region, whichever the stack is in.
_ZONES = {"ZoneCount": "2", "Zones": "us-east-1a,us-east-1c"}
# Each choice that the documents offer, with every other that the rules allow.
_CHOICES: list[tuple[dict[str, str], ...]] = [
    *product(
        [{}, {"Kafka": "provisioned"}, {"Kafka": "none"}, _CLUSTER],
        [{}, {"Endpoints": "none"}, {"Nat": "none"}, _NETWORK],
        [{}, _DATABASE],
        [{}, {"RedisUrl": "none"}],
    ),
    ({"OtlpEndpoint": "http://localhost:4318"}, {"CollectorLayerArn": "arn:aws:lambda:eu-central-1:1:layer:adot:3"}),
    # Endpoints leave their third subnet out by AWS::NoValue, which moto keeps in a list.
    (_ZONES, {"Endpoints": "none", "DatabaseProxy": "false", "ApiGatewayLogsRole": "exists", "Kafka": "provisioned"}),
    (_NETWORK, _CACHE, {"DatabaseProxy": "false", "Kafka": "none"}),
    (_SECRETS, {"OidcIssuer": "https://issuer", "OidcAudience": "churn", "OwnTokens": "off", "Firewall": "true"}),
]
_COMBINATIONS = [
    parameters
    for choices in _CHOICES
    if not refusals(parameters := {name: value for choice in choices for name, value in choice.items()})
]


def _roles() -> list[dict[str, Any]]:
    roles: list[dict[str, Any]] = boto3.client("iam").list_roles(MaxItems=1000)["Roles"]
    return roles


def _rights() -> str:
    """Return the text of what the roles may do by policies of their own."""
    iam = boto3.client("iam")
    return "\n".join(
        str(iam.get_role_policy(RoleName=role["RoleName"], PolicyName=policy)["PolicyDocument"])
        for role in _roles()
        for policy in iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]
    )


def _zones() -> list[str]:
    """Return the zones of the private subnets in the stack's own network."""
    subnets = boto3.client("ec2").describe_subnets()["Subnets"]
    private = [subnet for subnet in subnets if re.search(r"-[abc]$", _name(subnet))]
    return sorted(subnet["AvailabilityZone"] for subnet in private)


def _name(resource: Mapping[str, Any]) -> str:
    return str({tag["Key"]: tag["Value"] for tag in resource.get("Tags", [])}.get("Name", ""))


@pytest.mark.parametrize(
    "parameters",
    _COMBINATIONS,
    ids=lambda parameters: "-".join(f"{name}={value[:12]}" for name, value in parameters.items()) or "defaults",
)
def test_the_stack_is_made_and_taken_down(aws: Any, parameters: dict[str, str]) -> None:
    if "VpcId" in parameters:
        parameters = parameters | network()
    aws.create_stack(
        StackName="churn",
        TemplateURL="https://s3.amazonaws.com/packages/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    stacks = {stack["StackName"]: stack for stack in aws.describe_stacks()["Stacks"]}
    assert {stack["StackStatus"] for stack in stacks.values()} == {"CREATE_COMPLETE"}
    made = {name.split("-")[1] for name in stacks if name != "churn"}
    makes_kafka = "KafkaClusterArn" not in parameters and parameters.get("Kafka") != "none"
    expected = {
        "Monitoring": True,
        "Network": "VpcId" not in parameters,
        "Data": makes_kafka or "DatabaseUrl" not in parameters or "RedisUrl" not in parameters,
    }
    assert made == {name for name, is_made in expected.items() if is_made}
    functions = {function["FunctionName"] for function in boto3.client("lambda").list_functions()["Functions"]}
    assert {"churn-scoring", "churn-customers", "churn-migration"} <= functions
    variables = boto3.client("lambda").get_function_configuration(FunctionName="churn-scoring")["Environment"][
        "Variables"
    ]
    assert variables["DATABASE_URL"] == parameters.get("DatabaseUrl", variables["DATABASE_URL"])
    assert not any(isinstance(value, dict) for value in variables.values())
    rights = _rights()
    assert all(
        parameters.get(name, "") in rights
        for name in ("ErasureKey", "ModelSigningKey", "DatabaseSecretArn", "CacheSecretArn")
    )
    zones = parameters.get("Zones", "us-east-1a,us-east-1b,us-east-1c").split(",")
    assert _zones() == ([] if "VpcId" in parameters else zones)
    groups = {group["Description"] for group in boto3.client("ec2").describe_security_groups()["SecurityGroups"]}
    has_proxy = "DatabaseUrl" not in parameters and parameters.get("DatabaseProxy") != "false"
    assert ("Proxy of the churn database" in groups) == has_proxy
    writes_logs = [role for role in _roles() if "apigateway" in json.dumps(role["AssumeRolePolicyDocument"])]
    assert len(writes_logs) == (parameters.get("ApiGatewayLogsRole") != "exists")
    aws.delete_stack(StackName="churn")
    assert aws.describe_stacks()["Stacks"] == []
    assert boto3.client("lambda").list_functions()["Functions"] == []
