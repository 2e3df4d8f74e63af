"""The routes of the model's versions, on moto's S3 and a real database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from churn.adapters.mysql import Database, Transaction
from churn.adapters.mysql import model_quality as quality
from churn.adapters.mysql.model_quality import Comparison, Quality
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.model_answers import Figures, Intervals
from churn.ml.drift import Drift
from churn.services.model_versions import ModelVersions
from churn.services.training_runs import RunInProgressError, release, training_run
from churn.settings import settings
from infra.tools.openapi.document import document
from tests.support.clock import FakeClock
from tests.support.events import NOW
from tests.support.http import Answer
from tests.support.registry import BUCKET, model, publish, tamper
from tests.support.rest import ask, load

_DOCUMENT = document()


@pytest.fixture
def function(
    monkeypatch: pytest.MonkeyPatch, mysql_url: str, database: Database, registry: S3ModelRegistry
) -> Iterator[ModuleType]:
    del database, registry
    for name, value in {"DATABASE_URL": mysql_url, "REDIS_URL": "", "MODEL_BUCKET": BUCKET}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRAINING_FUNCTION", "no-such-function")
    settings.cache_clear()
    module = load("models")
    yield module
    module._database.close()
    settings.cache_clear()


def _described(path: str, answer: Answer, method: str = "get") -> Any:
    described = _DOCUMENT["paths"][path][method]["responses"][str(answer.status)]["content"]
    schema = described[answer.headers["Content-Type"].split(";")[0]]["schema"]
    value = answer.text if answer.headers["Content-Type"].startswith("text/html") else answer.json
    errors = list(Draft202012Validator({**schema, "components": _DOCUMENT["components"]}).iter_errors(value))
    assert not errors, errors[:3]
    return value


def test_a_shop_without_any_version(function: ModuleType) -> None:
    found = _described("/api/models", ask(function.app, "GET", "/api/models", role="read"))
    assert (found["current"], found["versions"], found["total"], found["latest_run"]) == (None, [], 0, None)
    answer = ask(function.app, "POST", "/api/models/rollback")
    assert answer.status == 409
    _described("/api/models/rollback", answer, "post")


def test_the_story_of_a_version_over_the_api(function: ModuleType, registry: S3ModelRegistry) -> None:
    first = model(1)
    release(registry, first, by="training", now=NOW)
    worse = model(2, compared_with=first, passed=False)
    release(registry, worse, by="training", now=NOW, report={"auc": 0.61}, html="<h1>Report</h1>")

    found = _described("/api/models", ask(function.app, "GET", "/api/models?limit=1"))
    assert (found["current"], found["challenger"], found["total"]) == (first.version, worse.version, 2)
    assert [(one["version"], one["role"]) for one in found["versions"]] == [(worse.version, "challenger")]
    assert found["versions"][0]["gate"]["compared_with"] == first.version

    path = f"/api/models/{worse.version}"
    refused = ask(function.app, "POST", f"{path}/promote")
    assert refused.status == 409
    problem = _described("/api/models/{version}/promote", refused, "post")
    assert [error["message"] for error in problem["errors"]] == ["On the newest window its AUC is lower."]
    forced = ask(function.app, "POST", f"{path}/promote", {"force": True, "reason": "the shop changed"}, subject="ann")
    change = _described("/api/models/{version}/promote", forced, "post")["change"]
    assert (change["version"], change["by"], change["reason"], change["forced"]) == (
        worse.version,
        "ann",
        "the shop changed",
        True,
    )
    detail = _described("/api/models/{version}", ask(function.app, "GET", path))
    assert (detail["role"], detail["history"]) == ("current", [change])
    assert detail["metadata"]["sha256"] == detail["sha256"]
    back = ask(function.app, "POST", "/api/models/rollback", {"reason": "too many alerts"}, subject="bob")
    told = _described("/api/models/rollback", back, "post")
    assert (told["current"], told["change"]["rolled_back"]) == (first.version, worse.version)
    newest = ask(function.app, "GET", "/api/models").json["history"][0]
    assert newest == told["change"]


def test_a_version_shows_what_its_predictions_became(
    function: ModuleType, registry: S3ModelRegistry, database: Database
) -> None:
    first, second = model(1), model(2, compared_with=model(1))
    publish(registry, first, second)
    figures: Figures = {"auc": 0.8, "brier": None}
    within: Intervals = {"auc": [-0.01, 0.02]}
    week = Quality(first.version, "served", date(2026, 6, 1), "matured", 90, 500, 200, figures, figures, within)
    comparison = Comparison(
        first.version, second.version, week.week, date(2026, 6, 8), 900, 300, figures, figures, within, "undecided"
    )
    drift = Drift("score", psi=0.3, noise=0.02, missing=0.0, missing_before=0.0, importance=None, verdict="drifted")

    def store(transaction: Transaction) -> None:
        quality.put_week(transaction, week.week, [week], None, NOW)
        quality.put_comparisons(transaction, [comparison], NOW)
        quality.put_drift(transaction, NOW.date(), first.version, 900, [drift])

    database.run(store)
    listed = _described("/api/models", ask(function.app, "GET", "/api/models"))
    assert [[one["week"] for one in version["quality"]] for version in listed["versions"]] == [[], ["2026-06-01"]]
    detail = _described("/api/models/{version}", ask(function.app, "GET", f"/api/models/{first.version}"))
    assert detail["quality"][0]["realised"] == figures
    assert (detail["comparisons"][0]["verdict"], detail["comparisons"][0]["last_week"]) == ("undecided", "2026-06-08")
    assert [(column["column"], column["psi"]) for column in detail["drift"]] == [("score", 0.3)]


def test_a_version_says_which_version_its_figures_are_of(function: ModuleType, registry: S3ModelRegistry) -> None:
    first = model(1).with_metadata(
        freshness={"served": "brought_up_to_now", "as_of": "2026-05-01T00:00:00Z", "mean_difference": 0.001}
    )
    near = {"form": "refitted", "mean_difference": 0.004, "rank_correlation": 0.991, "served": True}
    of_first = {"as_of": "2026-05-02T00:00:00Z", "tested_version": first.version, "tried": [near]}
    second = model(2).with_metadata(freshness={"served": "refitted", **of_first})
    publish(registry, first, second, model(3))
    listed = _described("/api/models", ask(function.app, "GET", "/api/models"))
    assert [version["freshness"] for version in listed["versions"]] == [
        None,
        second.metadata["freshness"] | {"trained_version": None},
        {
            "served": "brought_up_to_now",
            "as_of": "2026-05-01T00:00:00Z",
            "tested_version": None,
            "trained_version": None,
            "tried": [],
        },
    ]


@pytest.mark.parametrize(
    ("query", "accept", "is_page"),
    [
        ("", "*/*", False),
        ("", "application/json", False),
        ("", "text/html,application/xhtml+xml,*/*;q=0.8", True),
        ("?format=html", "application/json", True),
        ("?format=json", "text/html", False),
    ],
)
def test_a_report_as_json_or_as_a_page(
    function: ModuleType, registry: S3ModelRegistry, query: str, accept: str, is_page: bool
) -> None:
    registry.publish(model(1), report={"auc": 0.8}, html="<h1>Report</h1>")
    answer = ask(function.app, "GET", f"/api/models/{model(1).version}/report{query}", accept=accept)
    assert answer.status == 200
    assert _described("/api/models/{version}/report", answer) == ("<h1>Report</h1>" if is_page else {"auc": 0.8})
    assert ("sandbox" in answer.headers["Content-Security-Policy"]) is is_page


def test_what_is_not_there_or_cannot_be_read_is_a_404(function: ModuleType, registry: S3ModelRegistry, s3: Any) -> None:
    publish(registry, model(1))
    s3.put_object(Bucket=BUCKET, Key=f"models/{model(2).version}/metadata.json", Body=b"{half")
    for path in (f"/{model(2).version}", f"/{model(1).version}/report", "/nothing", "/nothing/report", "/runs/nothing"):
        answer = ask(function.app, "GET", f"/api/models{path}")
        assert answer.status == 404, path
    listed = _described("/api/models", ask(function.app, "GET", "/api/models"))
    assert [one["version"] for one in listed["versions"]] == [model(2).version, model(1).version]


def test_a_tampered_version_is_not_promoted(function: ModuleType, registry: S3ModelRegistry, s3: Any) -> None:
    publish(registry, model(1))
    tamper(s3, model(1))
    answer = ask(function.app, "POST", f"/api/models/{model(1).version}/promote", {"force": True, "reason": "I insist"})
    assert answer.status == 409
    assert "checksum" in answer.json["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"force": True}, "reason"),
        ({"force": "yes", "reason": "why"}, "force"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason"),
        ({"forced": True}, "forced"),
    ],
)
def test_a_bad_promotion_is_a_400_that_names_the_field(
    function: ModuleType, body: Mapping[str, object], field: str
) -> None:
    answer = ask(function.app, "POST", "/api/models/any/promote", body)
    assert answer.status == 400
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_registry_out_of_reach_is_a_503(function: ModuleType, s3: Any) -> None:
    s3.delete_bucket(Bucket=BUCKET)
    answer = ask(function.app, "GET", "/api/models")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


def test_a_training_function_that_cannot_be_called_is_a_503_and_a_failed_run(function: ModuleType) -> None:
    for _ in range(2):
        assert ask(function.app, "POST", "/api/models/train").status == 503
    run = ask(function.app, "GET", "/api/models").json["latest_run"]
    assert (run["state"], run["requested_by"]) == ("failed", "tester")


class _Life:
    """The use cases with a training function that only notes how it was called, and a clock that the test moves."""

    def __init__(self, registry: S3ModelRegistry, database: Database) -> None:
        self.calls: list[Mapping[str, Any]] = []
        self.clock = FakeClock(NOW)
        self.database = database
        self.life = ModelVersions(registry, database, self.calls.append)

    def train(self) -> str:
        return str(self.life.train(by="ann", now=self.clock.now)["run_id"])

    def state(self, run_id: str) -> tuple[str, str | None]:
        run = self.life.run(run_id, self.clock.now)
        return run["state"], run["reason"]


@pytest.fixture
def life(registry: S3ModelRegistry, database: Database) -> _Life:
    return _Life(registry, database)


def test_a_run_from_its_request_to_its_version(life: _Life) -> None:
    run_id = life.train()
    assert life.calls == [{"run_id": run_id}]
    assert life.state(run_id) == ("queued", None)
    life.clock.now += timedelta(seconds=3)
    with training_run(life.database, life.calls[0], life.clock) as run:
        run.progress("growing 200 trees")
        shown = life.life.run(run_id, life.clock.now)
        assert (shown["state"], shown["progress"], shown["promoted"]) == ("running", "growing 200 trees", None)
        assert shown["started_at"] == "2026-11-23T12:00:03Z"
        run.succeeded("2026-01-01T00-00-00Z-00000000", ["Its AUC is lower."])
    newest = life.life.overview(10, life.clock.now)["latest_run"]
    assert newest is not None
    assert (newest["state"], newest["promoted"], newest["reason"]) == ("succeeded", False, "Its AUC is lower.")
    assert newest["version"] == "2026-01-01T00-00-00Z-00000000"


def test_one_run_at_a_time(life: _Life) -> None:
    first = life.train()
    with pytest.raises(RunInProgressError, match=first):
        life.train()
    with (
        pytest.raises(RunInProgressError, match=first),
        training_run(life.database, {"time": "2026-11-23T12:00:00Z"}, life.clock),
    ):
        raise AssertionError("the schedule's run has begun beside another")
    with training_run(life.database, {"run_id": first}, life.clock) as run:
        run.refused("there are 10 customers' snapshots to learn from; 200 are needed")
    assert life.state(first)[0] == "refused"
    assert life.state(life.train())[0] == "queued"


def test_an_invocation_that_is_delivered_twice_trains_once(life: _Life) -> None:
    event = {"id": "7bf73129-1428-4cd3-a780-95db273d1602", "time": "2026-11-23T12:00:00Z"}
    with training_run(life.database, event, life.clock) as run:
        run.succeeded("v1", [])
    with pytest.raises(RunInProgressError), training_run(life.database, event, life.clock):
        raise AssertionError("it has begun twice")
    newest = life.life.overview(1, NOW)["latest_run"]
    assert newest is not None
    assert newest["state"] == "succeeded"


def test_a_run_that_fails_says_so_and_keeps_its_inside_to_the_log(life: _Life) -> None:
    run_id = life.train()
    with pytest.raises(ZeroDivisionError), training_run(life.database, {"run_id": run_id}, life.clock):
        raise ZeroDivisionError("secret@example.com")
    state, reason = life.state(run_id)
    assert state == "failed"
    assert "ZeroDivisionError" in str(reason)
    assert "secret" not in str(reason)
    # Its call is kept, and may be made again once the cause is gone; but not beside another.
    other = life.train()
    with pytest.raises(RunInProgressError, match=other), training_run(life.database, {"run_id": run_id}, life.clock):
        raise AssertionError("it has begun beside another")
    with training_run(life.database, {"run_id": other}, life.clock) as run:
        run.refused("too few")
    with training_run(life.database, {"run_id": run_id}, life.clock) as run:
        assert life.state(run_id) == ("running", None)
        run.succeeded("v1", [])
    assert life.state(run_id) == ("succeeded", None)


@pytest.mark.parametrize("has_begun", [True, False])
def test_a_run_that_is_lost_is_given_up_after_a_while(life: _Life, has_begun: bool) -> None:
    run_id = life.train()
    if has_begun:
        life.clock.now += timedelta(minutes=10)
        # As of a process that was killed: nothing of it ends the run.
        lost = training_run(life.database, {"run_id": run_id}, life.clock)
        lost.__enter__().progress("taking snapshots")
    life.clock.now += timedelta(minutes=15)
    assert life.state(run_id)[0] == ("running" if has_begun else "queued")
    with pytest.raises(RunInProgressError):
        life.train()
    life.clock.now += timedelta(minutes=2)
    assert life.state(run_id)[0] == "failed"
    life.train()
