"""The model's versions: their evidence, which of them serves, and the training of new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.entrypoints.http.app import Api, Call, Page
from churn.services.audit_trail import AuditTrail
from churn.services.model_versions import ModelVersions
from churn.settings import settings

if TYPE_CHECKING:
    from churn.domain import model_answers as answers

_settings = settings().require("database_url", "model_bucket", "training_function")
_database = Database.for_requests(_settings.database_url)
_registry = S3ModelRegistry.of(_settings, for_requests=True)
_versions = ModelVersions(_registry, _database, invoke_later(_settings.training_function))
_api = Api("models", _settings, Cache(_settings.redis_url), trail=AuditTrail(lambda: _database, _settings))
app = _api.app


@_api.answers("list_models")
def list_models(call: Call) -> answers.ModelVersions:
    return _versions.overview(call.query.limit, call.now)


@_api.answers("get_model")
def get_model(call: Call) -> answers.ModelVersionDetail:
    return _versions.version(call.path["version"])


@_api.answers("get_report")
def get_report(call: Call) -> answers.Report | Page:
    version = call.path["version"]
    return Page(_versions.report_page(version)) if call.wants_page else _versions.report(version)


@_api.answers("promote_model")
def promote_model(call: Call) -> answers.Promoted:
    return _versions.promote(call.path["version"], by=call.client, now=call.now, **call.body.model_dump())


@_api.answers("roll_back_model")
def roll_back_model(call: Call) -> answers.Promoted:
    return _versions.roll_back(by=call.client, reason=call.body.reason, now=call.now)


@_api.answers("train_model")
def train_model(call: Call) -> answers.TrainingRun:
    run = _versions.train(by=call.client, now=call.now)
    call.headers["Location"] = f"runs/{run['run_id']}"
    return run


@_api.answers("get_training_run")
def get_training_run(call: Call) -> answers.TrainingRun:
    return _versions.run(call.path["run_id"], call.now)
