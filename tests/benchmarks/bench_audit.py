"""What an entry of the audit trail costs a page: the same requests with the trail and without it, in turns."""

import statistics
import time
from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

from churn.adapters.mysql import Database
from churn.adapters.redis_cache import Cache
from churn.entrypoints.http.app import Api, Call
from churn.observability import logger
from churn.services.audit_trail import AuditTrail
from churn.services.customers import CustomerQuery, Customers
from churn.settings import Settings
from tests.benchmarks.bench_customer_lists import NOW, filled
from tests.support.rest import Handler, ask

_SIZE = 10_000
_TURNS = 300
_SETTINGS = Settings.from_environment({"ERASURE_KEY": "only-a-benchmark-knows-this-key-of-32-bytes"})
_PAGES = {"50 customers": "/api/customers", "one customer of a list": "/api/customers?limit=1"}


class _NoTrail(AuditTrail):
    def store(self, *_: object, **__: object) -> None:
        """Store nothing."""


def _app(database: Database, trail: type[AuditTrail]) -> Handler:
    customers = Customers(database, _SETTINGS)
    api = Api("customers", _SETTINGS, Cache(""), trail=trail(lambda: database, _SETTINGS), reports=False)

    def page(call: Call) -> Mapping[str, Any]:
        return customers.page(CustomerQuery(**call.query.model_dump()), NOW)

    api.answers("list_customers")(page)
    return api.app


def main() -> None:
    """Fill a database, and print the medians and the 95th percentiles."""
    print(f"{'milliseconds, median and 95th percentile':<44}{'without':>16}{'with':>16}")
    with filled(_SIZE) as database, patch.object(logger, "info"):
        apps = [_app(database, trail) for trail in (_NoTrail, AuditTrail)]
        taken: dict[str, list[list[float]]] = {name: [[], []] for name in _PAGES}
        for turn in range(_TURNS):
            for name, path in _PAGES.items():
                for which in ((0, 1), (1, 0))[turn % 2]:
                    began = time.perf_counter()
                    assert ask(apps[which], "GET", path).status == 200
                    taken[name][which].append((time.perf_counter() - began) * 1000)
    for name, both in taken.items():
        figures = [f"{statistics.median(one):7.1f} {statistics.quantiles(one, n=20)[-1]:7.1f}" for one in both]
        print(f"{name:<44}" + "".join(f"{figure:>16}" for figure in figures))


if __name__ == "__main__":
    main()
