"""The model's versions: their evidence, which of them serves, and the training of new ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from churn.adapters.aws_clients import invoke_later
from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.adapters.s3_model_registry import S3ModelRegistry
from churn.domain.errors import FieldError
from churn.domain.model import BrokenModelError
from churn.domain.model_versions import (
    NoPreviousVersionError,
    NotPromotableError,
    RegistryUnavailableError,
    VersionNotFoundError,
)
from churn.entrypoints.http.api import Api, Call, Page
from churn.entrypoints.http.problems import Problem, unavailable
from churn.services.model_versions import ModelVersions
from churn.services.training_runs import RunInProgressError, RunNotFoundError, TrainingUnavailableError
from churn.settings import settings

_settings = settings().require("database_url", "model_bucket", "training_function")
_database = Database.for_requests(_settings.database_url)
_life = ModelVersions(S3ModelRegistry(_settings.model_bucket), _database, invoke_later(_settings.training_function))
_api = Api("models", _settings, Cache(_settings.redis_url))
app = _api.app


@_api.answers("list_models")
def list_models(call: Call) -> dict[str, Any]:
    with _problems():
        return _life.overview(call.query.limit, call.now)


@_api.answers("get_model")
def get_model(call: Call) -> dict[str, Any]:
    with _problems():
        return _life.version(call.path["version"])


@_api.answers("get_report")
def get_report(call: Call) -> dict[str, Any] | Page:
    version = call.path["version"]
    with _problems():
        return Page(_life.report_page(version)) if call.wants_page else _life.report(version)


@_api.answers("promote_model")
def promote_model(call: Call) -> dict[str, Any]:
    with _problems():
        return _life.promote(call.path["version"], by=call.client, now=call.now, **call.body.model_dump())


@_api.answers("roll_back_model")
def roll_back_model(call: Call) -> dict[str, Any]:
    with _problems():
        return _life.roll_back(by=call.client, reason=call.body.reason, now=call.now)


@_api.answers("train_model")
def train_model(call: Call) -> dict[str, Any]:
    with _problems():
        run = _life.train(by=call.client, now=call.now)
    call.headers["Location"] = f"runs/{run['run_id']}"
    return run


@_api.answers("get_training_run")
def get_training_run(call: Call) -> dict[str, Any]:
    with _problems():
        return _life.run(call.path["run_id"], call.now)


@contextmanager
def _problems() -> Iterator[None]:
    try:
        yield
    except VersionNotFoundError:
        raise Problem(404, "There is no such version, or what is asked of it is not there.") from None
    except RunNotFoundError:
        raise Problem(404, "There is no such training run.") from None
    except NotPromotableError as error:
        raise Problem(409, str(error), [FieldError("version", reason) for reason in error.reasons]) from None
    except RunInProgressError as error:
        raise Problem(409, str(error), headers={"Location": f"runs/{error.run_id}"}) from None
    except (BrokenModelError, NoPreviousVersionError) as error:
        raise Problem(409, str(error)) from None
    except RegistryUnavailableError:
        raise unavailable("registry of models") from None
    except TrainingUnavailableError:
        raise unavailable("training function") from None
