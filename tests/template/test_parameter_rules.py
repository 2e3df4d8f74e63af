"""Which parameters CloudFormation refuses before it makes anything, and what the others mean.

A rule can only compare texts: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html
"""

import re
from collections.abc import Iterator
from itertools import product

import pytest

from infra.local.template.reader import load
from tests.template.parameters import STAGES, holds, pairs, refusals, stage_parameters, with_defaults
from tests.template.test_template import ROOT, read

_NETWORK = {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "FunctionSecurityGroupId": "sg-1"}
_DATABASE = {
    "DatabaseUrl": "mysql://db:3306/churn?ssl=true&secret=arn:aws:secretsmanager:r:1:secret:db",
    "DatabaseSecretArn": "arn:aws:secretsmanager:r:1:secret:db",
}
_CACHE = {"RedisUrl": "rediss://r:6379/0?secret=arn:aws:secretsmanager:r:1:secret:r"}
_CACHE_SECRET = {"CacheSecretArn": "arn:aws:secretsmanager:r:1:secret:r"}
_CLUSTER = {"KafkaClusterArn": "arn:aws:kafka:eu-central-1:1:cluster/shop/0-1"}
_BROKERS = {"KafkaBootstrapServers": "b:9092"}
_OIDC = {"OidcIssuer": "https://issuer", "OidcAudience": "churn"}
_OUTPUT = {"OutputTopic": "predictions"}

_REFUSED: list[tuple[dict[str, str], str]] = [
    ({**_NETWORK, "SubnetIds": ""}, "VpcId needs SubnetIds"),
    ({**_NETWORK, "FunctionSecurityGroupId": ""}, "VpcId needs FunctionSecurityGroupId"),
    ({"FunctionSecurityGroupId": "sg-1"}, "FunctionSecurityGroupId .*are of the network in VpcId"),
    ({"EndpointSecurityGroupId": "sg-2"}, "EndpointSecurityGroupId are of the network in VpcId"),
    (_NETWORK | _DATABASE | {"DatabaseSecretArn": ""}, "DatabaseUrl needs DatabaseSecretArn"),
    ({"DatabaseSecretArn": "arn:aws:x"}, "DatabaseSecretArn is the secret in DatabaseUrl"),
    (_DATABASE, "DatabaseUrl .*need VpcId"),
    (_CACHE, "RedisUrl need VpcId"),
    (_CACHE_SECRET, "CacheSecretArn is the secret in RedisUrl"),
    ({"RedisUrl": "none"} | _CACHE_SECRET, "CacheSecretArn is the secret in RedisUrl"),
    (_CLUSTER | {"Kafka": "none"}, "KafkaClusterArn names the cluster .* leave Kafka"),
    (_CLUSTER | {"Kafka": "provisioned"}, "KafkaClusterArn names the cluster .* leave Kafka"),
    (_BROKERS | _OUTPUT, "KafkaBootstrapServers are brokers of the cluster in KafkaClusterArn"),
    (_BROKERS | {"Nat": "none"}, "KafkaBootstrapServers are brokers of the cluster in KafkaClusterArn"),
    (_NETWORK | _CLUSTER | _BROKERS, "KafkaBootstrapServers take OutputTopic"),
    (_CLUSTER | _OUTPUT, "OutputTopic on the cluster in KafkaClusterArn needs VpcId"),
    (_OUTPUT | {"Kafka": "none"}, "OutputTopic needs a Kafka cluster"),
    ({"Nat": "none"}, "Nat=none needs Kafka=none or KafkaClusterArn"),
    ({"Nat": "none", "Kafka": "none", "Endpoints": "none"}, "Nat=none needs Endpoints=all"),
    ({"OidcIssuer": "https://issuer"}, "OidcIssuer needs OidcAudience"),
    ({"OwnTokens": "off"}, "OwnTokens=off needs OidcIssuer"),
    ({"Nat": "none", "Kafka": "none"} | _OIDC, "OidcIssuer needs Nat=gateway or VpcId"),
    ({"DatabaseStorage": "500"}, "DatabaseStorageMost must be larger"),
]
_TAKEN: list[dict[str, str]] = [
    {},
    _NETWORK,
    {**_NETWORK, "EndpointSecurityGroupId": "sg-2", "Nat": "none", "Endpoints": "none"},
    _NETWORK | _DATABASE | _CACHE | _CACHE_SECRET,
    _NETWORK | {"RedisUrl": "redis://r:6379/0"},
    {"RedisUrl": "none"},
    _CLUSTER,
    _CLUSTER | {"Nat": "none"},
    _NETWORK | _CLUSTER | _OUTPUT,
    _NETWORK | _CLUSTER | _BROKERS | _OUTPUT,
    {"Kafka": "provisioned"} | _OUTPUT,
    {"Nat": "none", "Kafka": "none"},
    _OIDC | {"OwnTokens": "off"},
    _NETWORK | _OIDC | {"Nat": "none"},
]


@pytest.mark.parametrize(("given", "sentence"), _REFUSED)
def test_what_would_be_rolled_back_or_ignored_is_refused_with_a_sentence(given: dict[str, str], sentence: str) -> None:
    assert [said for said in refusals(given) if re.search(sentence, said)], refusals(given)


@pytest.mark.parametrize("given", _TAKEN)
def test_what_the_documents_offer_is_taken(given: dict[str, str]) -> None:
    assert refusals(given) == {}


def test_each_sentence_of_a_rule_is_said_to_somebody() -> None:
    said = {sentence for given, _ in _REFUSED for sentence in refusals(given)}
    rules = read("template.yaml")["Rules"].values()
    assert said == {assertion["AssertDescription"] for rule in rules for assertion in rule["Assertions"]}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_taken(stage: str) -> None:
    assert refusals(stage_parameters(stage)) == {}


def _documented() -> Iterator[dict[str, str]]:
    """Yield the parameters of each `make deploy` in the documents."""
    text = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    for command in re.findall(r"^ *make deploy ENV=\w+ PARAMETERS=\"([^\"]+)\"", text, re.MULTILINE):
        yield pairs(command.split())


def test_each_command_in_the_documents_is_taken() -> None:
    commands = list(_documented())
    assert any("Kafka" in command for command in commands)
    parameters = read("template.yaml")["Parameters"]
    for command in commands:
        assert refusals(command) == {}
        for name, value in command.items():
            assert value in [str(allowed) for allowed in parameters[name].get("AllowedValues", [value])], name


def test_storage_has_a_size_that_rds_makes_and_can_grow() -> None:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html ."""
    parameters = read("template.yaml")["Parameters"]
    first, most = (parameters[name]["AllowedValues"] for name in ("DatabaseStorage", "DatabaseStorageMost"))
    # https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
    assert all(20 <= size <= 65_536 for size in first + most)
    for size, limit in product(first, most):
        refused = refusals({"DatabaseStorage": str(size), "DatabaseStorageMost": str(limit)})
        assert ("DatabaseCanGrow" in refused.values()) == (limit <= size), (size, limit)
        # RDS wants a tenth more, and recommends 26 %.
        assert refused or limit >= 1.26 * size


def test_events_are_read_from_the_one_cluster_that_is_named_or_made() -> None:
    conditions = read("template.yaml")["Conditions"]
    taken = 0
    for kafka, network, cluster, brokers, output, nat in product(
        ("serverless", "provisioned", "none"), ({}, _NETWORK), ({}, _CLUSTER), ({}, _BROKERS), ({}, _OUTPUT), (0, 1)
    ):
        given = {"Kafka": kafka, **network, **cluster, **brokers, **output, **({"Nat": "none"} if nat else {})}
        if refusals(given):
            continue
        taken += 1
        parameters = with_defaults(given)
        makes, reads, publishes = (
            holds({"Condition": name}, conditions, parameters) for name in ("MakeKafka", "WithKafka", "Publishes")
        )
        assert makes == (not cluster and kafka != "none"), given
        assert reads == (makes or bool(cluster)), given
        assert publishes == bool(output), given
        if not makes:
            environment = load(ROOT / "template.yaml", given, region="eu-central-1").function("scoring").environment
            named = brokers.get("KafkaBootstrapServers") or cluster.get("KafkaClusterArn") or ""
            assert environment["KAFKA_BOOTSTRAP_SERVERS"] == named, given
        else:
            # Its brokers are known when it is there, from MSK alone.
            assert not brokers, given
            assert network or not nat, given
    assert taken >= 15
