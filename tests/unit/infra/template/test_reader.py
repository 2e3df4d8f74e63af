"""The local stack's reading of a SAM template."""

from pathlib import Path

import pytest

from infra.local.template.event_sources import kafka_source
from infra.local.template.intrinsics import TemplateError
from infra.local.template.reader import load

HEAD = """
Transform: AWS::Serverless-2016-10-31
Parameters:
  Size: {Type: Number, Default: 128}
  Secret: {Type: String}
Conditions:
  Big: !Not [!Equals [!Ref Size, 128]]
Globals:
  Function:
    Runtime: python3.13
    Handler: app.handler
    Environment: {Variables: {SHARED: "yes", SIZE: !Ref Size}}
Resources:
"""
FUNCTION = """
  OneFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: one
"""


def read(folder: Path, resources: str, head: str = HEAD, **parameters: str) -> object:
    (folder / "one").mkdir(exist_ok=True)
    path = folder / "template.yaml"
    path.write_text(head + resources, encoding="utf-8")
    return load(path, {"Secret": "s", **parameters}, socket_endpoint="http://127.0.0.1:9", aws_endpoint="http://aws")


def environment(folder: Path, resources: str, **parameters: str) -> dict[str, str]:
    template = read(folder, resources, **parameters)
    return dict(template.function("one").environment)  # type: ignore[attr-defined]


def test_the_projects_own_template_is_served_whole() -> None:
    template = load(
        Path(__file__).parents[4] / "template.yaml",
        {
            "DatabaseUrl": "mysql://d",
            "JwtSecret": "x" * 40,
            "ErasureKey": "y" * 40,
            "KafkaClusterArn": "arn:aws:kafka:r:1:cluster/c/0",
        },
        socket_endpoint="http://127.0.0.1:3001",
    )
    assert {spec.label for spec in template.functions.values()} == {
        *("health", "customers", "prediction", "models", "alerts", "stats", "dashboard", "events", "audit"),
        *("scoring", "rescoring", "training", "evaluation", "retention", "authorizer", "migration"),
    }
    assert template.rest is not None
    open_paths = {"/health", "/", "/docs", "/assets/{name}", "/openapi.json", "/api/session"}
    opened = {(route.method, route.path) for route in template.rest.routes if route.authorizer is None}
    assert {path for method, path in opened if method != "OPTIONS"} == open_paths
    # Each path tells pages of other origins whether they may ask, by the function that answers them.
    closed = {(route.path, route.function) for route in template.rest.routes if route.method != "OPTIONS"}
    assert {(route.path, route.function) for route in template.rest.routes if route.method == "OPTIONS"} == closed
    assert {path for method, path in opened if method == "OPTIONS"} == {path for path, _ in closed}
    assert template.function("alerts").environment["SOCKET_ENDPOINT"] == "http://127.0.0.1:3001"
    assert [source.topic for source in template.kafka] == ["user-events"]
    assert [(source.queue, source.partial_answers) for source in template.queue_sources] == [("EventsQueue", True)]


@pytest.mark.parametrize(
    ("resources", "named"),
    [
        (FUNCTION + "      ImageUri: x\n", "Resources.OneFunction.Properties.ImageUri"),
        (FUNCTION + "      Events: {Q: {Type: SNS, Properties: {}}}\n", "Resources.OneFunction.Properties.Events.Q"),
        (
            FUNCTION + "  K: {Type: AWS::Lambda::EventSourceMapping, Properties: {Topics: [t], FilterCriteria: {}}}\n",
            "Resources.K.Properties.FilterCriteria",
        ),
        (FUNCTION + "    Retain: true\n", "Resources.OneFunction.Retain"),
        ("  T: {Type: AWS::DynamoDB::Table}\n", "AWS::DynamoDB::Table"),
        (FUNCTION + "      Layers: [!Ref Nothing]\n", "nothing is called Nothing"),
        (FUNCTION + "      Handler: !GetAZs x\n", "Fn::GetAZs"),
    ],
)
def test_what_would_have_to_be_ignored_is_refused_by_name(tmp_path: Path, resources: str, named: str) -> None:
    with pytest.raises(TemplateError) as refusal:
        read(tmp_path, resources)
    assert named in str(refusal.value)
    assert str(refusal.value).startswith("template.yaml: ")


@pytest.mark.parametrize(
    ("attempts", "destination", "counted"),
    [(-1, "arn:aws:s3:::kept", 10), (-1, None, -1), (10_000, "arn:aws:s3:::kept", 10_000), (3, None, 3)],
)
def test_retries_without_a_limit_are_ten_where_what_fails_has_a_destination(
    attempts: int, destination: str | None, counted: int
) -> None:
    source = {"EventSourceArn": "a", "Topics": ["t"], "StartingPosition": "LATEST", "MaximumRetryAttempts": attempts}
    if destination:
        source["DestinationConfig"] = {"OnFailure": {"Destination": destination}}
    assert kafka_source("one", "Stream", source).retries == counted


def test_what_has_no_local_meaning_is_not_even_resolved(tmp_path: Path) -> None:
    read(tmp_path, FUNCTION + "      VpcConfig: {SubnetIds: [!GetAtt Elsewhere.Subnet]}\n      Tracing: Active\n")


def test_a_parameter_without_a_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"Parameters\.Other has no default"):
        read(tmp_path, FUNCTION, head=HEAD.replace("Secret: {Type: String}", "Other: {Type: String}"))


def test_globals_are_merged_under_a_functions_own(tmp_path: Path) -> None:
    values = environment(tmp_path, FUNCTION + "      Environment: {Variables: {SHARED: 'no', OWN: true}}\n", Size="7")
    assert values == {"SHARED": "no", "SIZE": "7", "OWN": "true"}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("!Ref Secret", "s"),
        ("!Sub 'a-${Secret}-${!Literal}-${AWS::Region}'", "a-s-${Literal}-us-east-1"),
        ("!Sub ['${x}${Size}', {x: !Ref Secret}]", "s128"),
        ("!Join ['-', [a, !Ref Secret]]", "a-s"),
        ("!Select [1, !Split [',', 'a,b']]", "b"),
        ("!If [Big, yes, 'small']", "small"),
        ("!GetAtt OneFunction.Arn", "arn:aws:lambda:us-east-1:123456789012:function:OneFunction"),
        ("!Ref Queue", "http://aws/123456789012/Queue"),
        ("!Sub 'https://${Sockets}.execute-api.${AWS::Region}.${AWS::URLSuffix}/live'", "http://127.0.0.1:9"),
    ],
)
def test_intrinsic_functions(tmp_path: Path, expression: str, value: str) -> None:
    rest = """
  Queue: {Type: AWS::SQS::Queue}
  Sockets:
    Type: AWS::Serverless::WebSocketApi
    Properties:
      RouteSelectionExpression: $request.body.event
      Routes: {$default: {FunctionArn: !GetAtt OneFunction.Arn}}
"""
    values = environment(tmp_path, FUNCTION + f"      Environment: {{Variables: {{X: {expression}}}}}\n" + rest)
    assert values["X"] == value


def test_a_resource_whose_condition_does_not_hold_is_not_there(tmp_path: Path) -> None:
    resources = FUNCTION + "    Condition: Big\n"
    assert not read(tmp_path, resources).functions  # type: ignore[attr-defined]
    assert read(tmp_path, resources, Size="256").functions  # type: ignore[attr-defined]


def test_a_path_in_a_layer_is_found_in_the_layers_folder(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    layer = "  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: model}}\n"
    values = environment(
        tmp_path, FUNCTION + "      Layers: [!Ref L]\n      Environment: {Variables: {M: /opt/model/m.npz}}\n" + layer
    )
    assert values["M"] == str(tmp_path / "model" / "model" / "m.npz")
