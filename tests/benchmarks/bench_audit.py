"""What an entry of the audit trail costs a page: the same requests with the trail and without it, in turns."""

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from unittest.mock import patch

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call
from churn.observability import logger
from churn.services.audit_trail import AuditTrail
from churn.services.customers import CustomerQuery, Customers
from churn.settings import Settings
from tests.benchmarks.frame import SIZES, Bench, Row, in_turns, scaled
from tests.support.large_shop import NOW
from tests.support.rest import Handler, ask

_SIZE = SIZES[0]
SHOPS = (_SIZE,)
_TURNS = 200
_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-benchmark-knows-this-key-of-32-bytes"})
_PAGES = {"50 customers": "/api/customers", "one customer of a list": "/api/customers?limit=1"}


class _NoTrail(AuditTrail):
    def store(self, *_: object, **__: object) -> None:
        """Store nothing."""


def _app(database: Database, trail: type[AuditTrail]) -> Handler:
    customers = Customers(database, _SETTINGS)
    api = Api("customers", _SETTINGS, Cache(""), trail=trail(lambda: database, _SETTINGS), reports=False)

    def page(call: Call) -> Mapping[str, Any]:
        return customers.page(CustomerQuery(**call.query.model_dump(exclude={"fields"})), NOW)

    api.answers("list_customers")(page)
    return api.app


def measure(bench: Bench) -> Iterator[Row]:
    """Yield what a page takes with the trail, beside the same without it."""
    with bench.database(_SIZE) as database, patch.object(logger, "info"):
        apps = [_app(database, trail) for trail in (AuditTrail, _NoTrail)]
        for name, path in _PAGES.items():
            works = [partial(_asked, app, path) for app in apps]
            own, without = (scaled(spread, 1000) for spread in in_turns(works, _TURNS, time.perf_counter))
            yield Row(f"{name}, with its entry in the audit trail", "ms", own, "without an entry", without)


def _asked(app: Handler, path: str, _: int) -> None:
    assert ask(app, "GET", path).status == 200
