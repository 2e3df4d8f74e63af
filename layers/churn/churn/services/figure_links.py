"""Where each of the dashboard's figures opens: the list of exactly the customers or alerts that it counts or sums."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from churn.adapters.mysql.database import Row
from churn.domain.risk import CURRENT, HIGH_RISK_LEVELS, RISK_LEVELS
from churn.domain.timestamps import iso

if TYPE_CHECKING:
    from churn.domain.dashboard_answers import AccuracyBasis, FigureLinks


def figure_links(now: datetime, lapsed_since: datetime, model: Row | None, basis: AccuracyBasis | None) -> FigureLinks:
    """Return the links of figures that were read at `now`; the churn rate counts who has lapsed since an instant.

    What tells of the model has a link where the registry knows its version.
    """
    today = f"{now.astimezone(UTC):%Y-%m-%d}"
    version = None
    if model is not None and model["promoted_at"] is not None:
        version = f"/api/models/{quote(model['version'], safe='')}"
    return {
        "total_customers": _customers(),
        "churn_rate": _customers(lapsed_since=iso(lapsed_since), lapsed_until=iso(now)),
        "high_risk_customers": _current(*(level for level in RISK_LEVELS if level in HIGH_RISK_LEVELS)),
        "revenue_at_risk": _current(),
        "alerts_today": _alerts(created_from=today, created_to=today),
        "resolved_alerts": _alerts(status="resolved"),
        "model_accuracy": f"{version}/report" if version and basis == "held_out_window" else version,
        "last_model_update": version,
        "risk_distribution": {
            "low": _current("low"),
            "medium": _current("medium"),
            "high": _current("high"),
            "critical": _current("critical"),
        },
        "average_churn_probability": _current(),
    }


def customers_of_cohort(first_order: tuple[date, date], again: tuple[date, date] | None = None) -> str:
    """Return the list of who ordered first in a span of days, or of those of them who ordered again in another one."""
    query = {"first_order_from": first_order[0].isoformat(), "first_order_to": first_order[1].isoformat()}
    if again is not None:
        query |= {"ordered_again_from": again[0].isoformat(), "ordered_again_to": again[1].isoformat()}
    return _customers(**query)


def _current(*levels: str) -> str:
    return _customers(status=CURRENT, **({"risk_level": ",".join(levels)} if levels else {}))


def _customers(**query: str) -> str:
    return _link("/api/customers", query)


def _alerts(**query: str) -> str:
    # What is counted are all alerts, also those that are snoozed.
    return _link("/api/alerts", {**query, "snoozed": "true"})


def _link(path: str, query: dict[str, str]) -> str:
    return f"{path}?{urlencode(query, safe=',:')}" if query else path
