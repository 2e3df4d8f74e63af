"""Each function starts with exactly the environment that the template gives it, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.template.reader import load
from infra.local.template.specs import Template
from tests.support.forests import small_model

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def template() -> Template:
    secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret"
    return load(
        ROOT / "template.yaml",
        {
            "DatabaseUrl": f"mysql://127.0.0.1:1/churn?ssl=true&secret={secret}:database",
            "RedisUrl": f"rediss://127.0.0.1:1/0?secret={secret}:cache",
            "JwtSecret": f"{secret}:signing",
            "ErasureKey": f"{secret}:erasure",
            "KafkaClusterArn": "arn:aws:kafka:eu-central-1:123456789012:cluster/shop/0-1",
        },
        region="eu-central-1",
    )


@pytest.mark.parametrize("name", sorted(path.parent.name for path in (ROOT / "functions").glob("*/app.py")))
def test_a_function_starts_without_reaching_anything(name: str, template: Template, tmp_path: Path) -> None:
    spec = template.function(name)
    model = tmp_path / "model.npz"
    model.write_bytes(small_model().to_bytes())
    module, _, handler = spec.handler.partition(".")
    # What Lambda itself adds, and the layers' packages where this process has them.
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "PYTHONPATH": os.pathsep.join((str(spec.folder), str(ROOT / "layers" / "churn"))),
        "PATH": os.environ["PATH"],
    }
    looks = f"import sys, {module}; assert callable({module}.{handler})"
    if not any(layer.name == "model" for layer in spec.layers):
        looks += "; assert 'numpy' not in sys.modules, 'numpy comes with the layer of the model'"
    if spec.name == "PredictionFunction":
        looks += "; assert 'pymysql' not in sys.modules, 'a prediction for features alone needs no database'"
    looks += "; assert not {'opentelemetry', 'aws_xray_sdk'} & sys.modules.keys(), 'no endpoint is named'"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", looks],
        env={**environment, **spec.environment, "MODEL_PATH": str(model)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
