"""What can be set of the local stack: nonsense is refused with the variable's name."""

import pytest

from infra.local.options import Options
from infra.local.servers.supervisor import StackError


def test_traces_go_to_one_place() -> None:
    assert Options.from_environment({}).traces == ""
    options = Options.from_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert options.parameters["OtlpEndpoint"] == "http://127.0.0.1:4318"


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"TRACES": "jaeger"}, "TRACES must be console or file, not 'jaeger'"),
        ({"TRACES": "file", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, "not both"),
        ({"METRICS_PORT": "http"}, "METRICS_PORT must be a whole number"),
        ({"PORT": "3_000"}, "PORT must be a whole number"),
        ({"POWERTOOLS_LOG_LEVEL": "loud"}, "POWERTOOLS_LOG_LEVEL must be one of DEBUG, INFO"),
        ({"METRICS_PORT": "-1"}, "METRICS_PORT must be between 0 and 65535"),
        ({"PORT": "99999"}, "PORT must be between 0 and 65535"),
        ({"PORT": "3.7"}, "PORT must be a whole number"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "nonsense"}, "OTEL_EXPORTER_OTLP_ENDPOINT must match"),
        ({"EVENT_RATE": "fast"}, "EVENT_RATE must be a number"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(environment: dict[str, str], sentence: str) -> None:
    with pytest.raises(StackError, match=sentence):
        Options.from_environment(environment)
