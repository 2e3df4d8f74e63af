"""What functions call of AWS, and what of it can be reached from subnets without a way out: others would hang.

Which services a function calls is read from its code: every client that it, or a module that it imports, makes, and
every request that it signs.
"""

import ast
from functools import cache
from pathlib import Path

import pytest

from infra.local.template.reader import load
from tests.template.parameters import holds, refusals
from tests.template.test_template import FUNCTIONS, ROOT, read

_PACKAGE = ROOT / "layers" / "churn"
# What makes a client or signs a request takes the service first.
_MAKERS = frozenset(
    node.name
    for node in ast.parse((_PACKAGE / "churn" / "adapters" / "aws_clients.py").read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef) and node.args.args and node.args.args[0].arg == "service"
)
_CLOSED = {"Nat": "none", "Endpoints": "all", "Kafka": "none"}
# Called only where a setting names what is called.
_BY_SETTING = {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "execute-api": "SOCKET_ENDPOINT"}


def _file(module: str) -> Path | None:
    path = _PACKAGE.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


@cache
def _read(file: Path) -> tuple[frozenset[Path], frozenset[str]]:
    """Return the package's modules that a file imports, wherever it does, and the services that it calls."""
    imported: set[str] = set()
    services: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                imported |= {alias.name for alias in node.names}
            case ast.ImportFrom(module=str(module)):
                imported |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
            case ast.Call(
                func=ast.Name(id=called) | ast.Attribute(attr=called), args=[ast.Constant(value=name), *_]
            ) if called in _MAKERS:
                services.add(str(name))
    files = {_file(name) for name in imported if name.split(".")[0] == "churn"}
    return frozenset(file for file in files if file), frozenset(services)


def _called(function: str) -> set[str]:
    waiting, seen = [ROOT / "functions" / function / "app.py"], set[Path]()
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting += _read(file)[0]
    return {service for file in seen for service in _read(file)[1]}


def _endpoints(parameters: dict[str, str]) -> set[str]:
    """Return the services that have an endpoint in the stack's own network."""
    network = read("infra/network.yaml")
    given = {"MakeNat": parameters["Nat"], "Endpoints": parameters["Endpoints"], "Kafka": parameters["Kafka"]}
    return {
        resource["Properties"]["ServiceName"]["Fn::Sub"].rpartition(".")[2]
        for resource in network["Resources"].values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
        and ("Condition" not in resource or holds({"Condition": resource["Condition"]}, network["Conditions"], given))
    }


def test_what_functions_call_is_found_in_their_code() -> None:
    assert "sqs" in _called("events")
    assert {"secretsmanager", "s3", "execute-api"} <= _called("scoring")
    assert "lambda" in _called("models")


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_nothing_is_called_that_cannot_be_reached(function: str) -> None:
    """https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html ."""
    spec = load(ROOT / "template.yaml", _CLOSED, region="eu-central-1").function(function)
    for service in _called(function) - _endpoints(_CLOSED):
        assert spec.environment[_BY_SETTING[service]] == "", f"{function} would wait for {service}"


def test_a_cluster_that_exists_is_read_from_a_closed_network_by_its_own_pollers_alone() -> None:
    parameters = {**_CLOSED, "Kafka": "serverless", "KafkaClusterArn": "arn:aws:kafka:eu-central-1:1:cluster/shop/0-1"}
    assert refusals(parameters) == {}
    template = load(ROOT / "template.yaml", parameters, region="eu-central-1")
    assert [source.topic for source in template.kafka] == ["user-events"]
    for function in ("scoring", "rescoring"):
        assert template.function(function).environment["OUTPUT_TOPIC"] == ""
    assert template.function("migration").environment["TOPIC_PARTITIONS"] == "0"
    # Nobody in the stack's own network calls STS for them.
    network = read("template.yaml")["Resources"]["Network"]["Properties"]["Parameters"]
    assert network["Kafka"] == {"Fn::If": ["MakeKafka", {"Ref": "Kafka"}, "none"]}


def test_an_endpoint_is_paid_for_where_somebody_uses_it_alone() -> None:
    called = {service for function in FUNCTIONS for service in _called(function)}
    assert _endpoints(_CLOSED) <= called
    # Lambda's pollers of a topic: https://docs.aws.amazon.com/lambda/latest/dg/with-msk-cluster-network.html
    assert _endpoints({**_CLOSED, "Kafka": "serverless"}) - called == {"sts"}
    assert _endpoints({**_CLOSED, "Endpoints": "none", "Nat": "gateway"}) == {"s3"}


@pytest.mark.parametrize(
    ("parameters", "is_open"),
    [({}, True), (_CLOSED, False), ({**_CLOSED, "VpcId": "vpc-1", "FunctionSecurityGroupId": "sg-1"}, True)],
)
def test_sockets_are_opened_where_something_can_be_posted_to_them(parameters: dict[str, str], *, is_open: bool) -> None:
    spec = load(ROOT / "template.yaml", parameters, region="eu-central-1").function("alerts")
    assert bool(spec.environment["SOCKET_ENDPOINT"]) == is_open
