"""One id has one answer, whether it comes over Kafka, REST or in a file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from churn.domain.events import InvalidEventError, parse_event
from churn.domain.identifiers import canonical, stands_for_nobody
from churn.entrypoints.http.app import check
from churn.entrypoints.http.problems import ProblemError
from churn.entrypoints.http.requests import PredictionRequest
from tests.support.imports import read_file

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
# No text that a whole column of whole numbers would change: that is the one thing that a file has of its own.
_IDS: Any = (
    st.integers()
    | st.integers(1, 4300).map(lambda digits: 10**digits - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**60), 2**60).map(float)
    | st.text(min_size=1, max_size=70).filter(lambda text: not text.strip().replace(".", "").isdigit())
    | st.sampled_from(
        [" a ", "\u00a0a", "Zoe\u0308", "Zo\u00eb", "A", "a\u200b", "\u3164", "x" * 64, "x" * 65, "null", "-"]
    )
    | st.booleans()
    | st.lists(st.none(), max_size=1)
)


def _over_kafka(value: object) -> str | None:
    record = {"customer_id": value, "event_type": "login", "timestamp": "2026-01-01"}
    try:
        return parse_event(json.dumps(record).encode(), now=NOW).customer_id
    except InvalidEventError:
        return None


def _over_rest(value: object) -> str | None:
    try:
        body: Any = check(PredictionRequest, json.loads(json.dumps({"customer_id": value})))
    except ProblemError:
        return None
    read = canonical(body.customer_id)
    # To ask for nobody is no mistake: there is no such customer.
    return None if stands_for_nobody(read) else read


def _in_a_file(folder: Path, value: object) -> str | None:
    path = folder / "shop.jsonl"
    path.write_text(json.dumps({"customer_id": value, "date": "2026-01-01", "value": 1}), encoding="utf-8")
    return next((event.customer_id for event in read_file(path, "orders", now=NOW).events), None)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(_IDS)
def test_an_id_has_one_answer_at_every_entrance(tmp_path: Path, value: object) -> None:
    assert _over_kafka(value) == _over_rest(value) == _in_a_file(tmp_path, value)
