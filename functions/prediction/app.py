"""Churn predictions: calculated on request, or stored."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call, Table
from churn.entrypoints.http.predictions import answer_many, answer_one
from churn.entrypoints.http.problems import unavailable
from churn.entrypoints.http.tables import part_of_file
from churn.services.audit_trail import AuditTrail
from churn.services.csv_files import PREDICTIONS
from churn.services.current_model import CurrentModel
from churn.settings import settings

if TYPE_CHECKING:
    from churn.adapters.mysql import Database
    from churn.domain.answers import BatchAnswer, PredictionAnswer, PredictionPage
    from churn.domain.what_if import Stored

_settings = settings().require("erasure_key")
_model = CurrentModel(_settings, for_requests=True)


@lru_cache(maxsize=1)
def _database() -> Database:
    # A prediction for features alone needs no database, so it is spared the import.
    from churn.adapters.mysql import Database  # noqa: PLC0415

    if not _settings.database_url:
        raise unavailable("database")
    return Database.for_requests(_settings.database_url)


_trail = AuditTrail(_database, _settings)
_api = Api("prediction", _settings, Cache(_settings.redis_url), model=_model, trail=_trail)
app = _api.app


@_api.answers("predict")
def predict(call: Call) -> PredictionAnswer:
    _model.refresh()
    return answer_one(_model, call.body, partial(_stored, call), _settings)


@_api.answers("predict_batch")
def predict_batch(call: Call) -> BatchAnswer:
    _model.refresh()
    return answer_many(_model, call.body.customers, partial(_stored, call), _settings)


@_api.answers("list_predictions")
def list_predictions(call: Call) -> PredictionPage:
    from churn.services import predictions  # noqa: PLC0415 (as in `_database`)

    return predictions.list_predictions(_database(), predictions.PredictionQuery(**call.query.model_dump()))


@_api.answers("export_predictions")
def export_predictions(call: Call) -> Table:
    from churn.services import predictions  # noqa: PLC0415 (as in `_database`)

    part = predictions.part_of_predictions(_database(), predictions.PredictionQuery(**call.query.model_dump()))
    return part_of_file(call, "export_predictions", PREDICTIONS, part)


def _stored(call: Call, customer_ids: set[str], changed: set[str]) -> Stored:
    from churn.services.customers import Customers  # noqa: PLC0415 (as in `_database`)

    return Customers(_database(), _settings).stored(customer_ids, call.now, changed)
