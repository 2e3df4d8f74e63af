"""What `make build` builds, run by a bare Python that sees nothing but the artefacts and the template's variables."""

import hashlib
import os
import pickle
import re
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.template.reader import load
from infra.local.template.specs import FunctionSpec
from infra.tools.simulator import sample_histories
from tests.support.events import NOW

ROOT = Path(__file__).parents[3]
_LABELS = sorted(app.parent.name for app in ROOT.glob("functions/*/app.py"))
_PREDICTING = {"evaluation", "health", "prediction", "rescoring", "scoring", "training"}
_LIMIT = 200_000_000
_LAYERS = {
    "churn": "ChurnLayer",
    "identity": "IdentityLayer",
    "model": "ModelLayer",
    "training": "TrainingLayer",
    "tracing": "TracingLayer",
}
_PURE = {"tracing"}
_MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine of an ELF file
_PARAMETERS = {
    "DatabaseUrl": "mysql://nobody@127.0.0.1:9/churn",
    "RedisUrl": "",
    "JwtSecret": "only-a-test-knows-this-secret-of-32-bytes",
    "ErasureKey": "only-a-test-knows-this-key-of-32-bytes-or-more",
    "KafkaClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/00000000-0",
    "KafkaBootstrapServers": "127.0.0.1:9",
}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a build of its own."""
    folder = tmp_path_factory.mktemp("build")
    _make(ROOT, "build", f"BUILD_DIR={folder}")
    return folder


@pytest.fixture
def function(build: Path, request: pytest.FixtureRequest) -> FunctionSpec:
    """Return the built function of the parameter's name."""
    return _functions(build)[request.param]


def every_function(names: list[str]) -> pytest.MarkDecorator:
    """Once for each of the functions."""
    return pytest.mark.parametrize("function", names, indirect=True)


@every_function(_LABELS)
def test_a_function_with_its_layers_is_small(function: FunctionSpec) -> None:
    assert sum(path.lstat().st_size for path in _files(function)) < _LIMIT


@every_function(_LABELS)
def test_a_function_carries_what_it_needs_and_no_more(function: FunctionSpec) -> None:
    packages = {path.name for layer in function.layers for path in (layer / "python").iterdir()}
    assert ("numpy" in packages) == (function.label in _PREDICTING)
    assert ("sklearn" in packages) == (function.label == "training")
    assert ("cryptography" in packages) == (function.label == "authorizer")
    assert not {"pandas", "pip", "setuptools", "pytest", "moto"} & packages
    for path in _files(function):
        assert path.suffix not in {".pyc", ".pyi", ".h", ".c", ".a"}, path
        assert not {"tests", "__pycache__", "include"} & set(path.parent.parts[-8:]), path


@every_function(_LABELS)
def test_a_function_starts_with_its_template_environment_alone(function: FunctionSpec) -> None:
    module, name = function.handler.rsplit(".", 1)
    _run(
        function,
        f"""
        import importlib, sys, sysconfig
        assert callable(importlib.import_module({module!r}).{name})
        allowed = ({os.fspath(function.folder)!r}, *{[os.fspath(layer) for layer in function.layers]!r})
        standard = sysconfig.get_path("stdlib")
        for name, module in list(sys.modules.items()):
            origin = getattr(module, "__file__", None)
            if origin and not origin.startswith(allowed):
                assert origin.startswith(standard) and "site-packages" not in origin, (name, origin)
        """,
    )


@every_function(_LABELS)
def test_nothing_of_tracing_is_carried_unless_an_endpoint_is_named(function: FunctionSpec) -> None:
    packages = {path.name for layer in function.layers for path in (layer / "python").iterdir()}
    assert not {"opentelemetry", "aws_xray_sdk", "wrapt"} & packages


def test_a_function_that_sends_traces_finds_the_sdk_in_its_layer(build: Path) -> None:
    traced = _functions(build, OtlpEndpoint="http://127.0.0.1:9")
    for function in traced.values():
        assert sum(path.lstat().st_size for path in _files(function)) < _LIMIT
    _run(
        traced["customers"],
        """
        import app
        from churn.observability import traced, trace_headers
        assert traced(lambda event, context: trace_headers())({}, None)["traceparent"].endswith("-01")
        """,
    )


@every_function(["authorizer"])
def test_the_authorizer_can_check_the_signatures_of_an_issuer(function: FunctionSpec) -> None:
    _run(
        function,
        """
        import jwt
        from cryptography.hazmat.primitives.asymmetric import ec
        key = ec.generate_private_key(ec.SECP256R1())
        token = jwt.encode({"sub": "anna"}, key, algorithm="ES256")
        assert jwt.decode(token, key.public_key(), algorithms=["ES256"]) == {"sub": "anna"}
        """,
    )


@every_function(["prediction"])
def test_prediction_answers_by_the_model_in_its_layer(function: FunctionSpec) -> None:
    _run(
        function,
        """
        import app, json
        event = {
            "resource": "/api/churn/predict", "path": "/api/churn/predict", "httpMethod": "POST",
            "headers": {"content-type": "application/json"},
            "multiValueHeaders": {"content-type": ["application/json"]},
            "pathParameters": None, "queryStringParameters": None, "multiValueQueryStringParameters": None,
            "body": json.dumps({"days_since_last_order": 75, "total_orders": 4}), "isBase64Encoded": False,
            "stageVariables": None,
            "requestContext": {
                "httpMethod": "POST", "resourcePath": "/api/churn/predict", "path": "/live/api/churn/predict",
                "requestId": "1", "identity": {"sourceIp": "192.0.2.1"},
                "authorizer": {"role": "admin", "principalId": "test", "sub": "test", "exp": "99999999999"},
            },
        }
        class Context:
            function_name, memory_limit_in_mb, aws_request_id = "prediction", 512, "1"
            invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:prediction"
        answer = app.app(event, Context())
        assert answer["statusCode"] == 200, answer
        assert 0 < json.loads(answer["body"])["churn_probability"] < 1, answer
        """,
    )


@every_function(["training"])
def test_training_trains_with_what_its_layers_carry(function: FunctionSpec, tmp_path: Path) -> None:
    shop = tmp_path / "histories"
    shop.write_bytes(pickle.dumps(sample_histories(1500, now=NOW)))
    _run(
        function,
        f"""
        import pickle
        from datetime import datetime
        from pathlib import Path
        from churn.training import Plan, train
        histories = pickle.loads(Path({os.fspath(shop)!r}).read_bytes())
        trained = train(histories, now=datetime.fromisoformat({NOW.isoformat()!r}), plan=Plan(), source="sample")
        assert trained.model.version
        """,
    )


@every_function(["scoring"])
def test_the_layer_knows_every_service_that_the_code_asks(function: FunctionSpec) -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "layers/churn/churn").rglob("*.py")]
    services = {name for text in sources for name in re.findall(r"\bclient\(\s*\"([a-z0-9-]+)\"", text)}
    assert {"s3", "lambda"} <= services
    _run(function, f"import boto3\nfor name in {sorted(services)!r}: boto3.client(name)")


def test_the_migration_carries_the_schema(build: Path) -> None:
    carried = {path.name: path.read_bytes() for path in (build / "MigrationFunction" / "migrations").iterdir()}
    assert carried == {path.name: path.read_bytes() for path in (ROOT / "infra" / "migrations").iterdir()}


def test_the_dashboards_function_carries_the_apis_description(build: Path) -> None:
    written = ROOT / "docs" / "openapi.json"
    assert (build / "DashboardFunction" / "openapi.json").read_bytes() == written.read_bytes()


@pytest.mark.parametrize("layer", sorted(_LAYERS))
def test_the_same_sources_make_the_same_layer(build: Path, tmp_path: Path, layer: str) -> None:
    _make(ROOT / "layers" / layer, f"build-{_LAYERS[layer]}", f"ARTIFACTS_DIR={tmp_path}")
    assert _digest(tmp_path) == _digest(build / _LAYERS[layer])
    assert _machines(tmp_path) <= {_MACHINES["x86_64"]}


def test_the_layers_are_built_for_arm64_too_and_small(tmp_path: Path) -> None:
    for layer, name in _LAYERS.items():
        folder = tmp_path / name
        folder.mkdir()
        _make(ROOT / "layers" / layer, f"build-{name}", f"ARTIFACTS_DIR={folder}", "ARCHITECTURE=arm64")
        assert _machines(folder) == (set() if layer in _PURE else {_MACHINES["arm64"]})
    # No function has all: identity is the authorizer's.
    training = [path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "IdentityLayer")]
    assert sum(path.lstat().st_size for path in training if not path.is_dir()) < _LIMIT


def test_a_model_that_cannot_be_served_ends_the_build(tmp_path: Path) -> None:
    broken = tmp_path / "model.npz"
    broken.write_bytes(b"not a model")
    done = _try_make(
        ROOT / "layers" / "model", "build-ModelLayer", f"MODEL={broken}", f"ARTIFACTS_DIR={tmp_path}/layer"
    )
    assert done.returncode != 0
    assert f"{broken} holds no model that this code can serve" in done.stderr
    assert not (tmp_path / "layer").exists()


def _functions(build: Path, **parameters: str) -> dict[str, FunctionSpec]:
    template = load(build / "template.yaml", {**_PARAMETERS, **parameters}, region="eu-central-1")
    return {spec.label: spec for spec in template.functions.values()}


def _make(folder: Path, target: str, *variables: str) -> None:
    done = _try_make(folder, target, *variables)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def _try_make(folder: Path, target: str, *variables: str) -> subprocess.CompletedProcess[str]:
    # A make of one's own: not a part of the one that may run these tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", target, *variables], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _run(function: FunctionSpec, code: str) -> None:
    """Run Python as Lambda would: without site-packages, with the template's variables and those that Lambda sets."""
    python = os.path.realpath(sys.executable)
    environment = {
        **function.environment,
        "PYTHONPATH": os.pathsep.join(map(str, [function.folder, *(layer / "python" for layer in function.layers)])),
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "LAMBDA_TASK_ROOT": str(function.folder),
        # Nothing listens there: no test asks AWS.
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
    done = subprocess.run(
        [python, "-S", "-s", "-c", textwrap.dedent(code)],
        cwd=function.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _files(function: FunctionSpec) -> Iterator[Path]:
    for folder in (function.folder, *function.layers):
        yield from (path for path in folder.rglob("*") if not path.is_dir())


def _digest(folder: Path) -> str:
    """Of names, modes, times and contents."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = b"" if path.is_dir() else path.read_bytes()
        total.update(f"{path.relative_to(folder)} {status.st_mode:o} {int(status.st_mtime)} {len(content)}\n".encode())
        total.update(content)
    return total.hexdigest()


def _machines(folder: Path) -> set[int]:
    """Return the processors that the libraries in the folder are for."""
    machines = set()
    for path in folder.rglob("*.so*"):
        head = path.read_bytes()[:20]
        assert head[:4] == b"\x7fELF", path
        machines.add(struct.unpack("<H", head[18:20])[0])
    return machines
