"""The SQL of a table stands in one module, so that a change of the table is a change of one file."""

import re
from pathlib import Path

from churn.adapters import mysql

_OWNERS = {
    "alert_actions": {"alert_actions"},
    "api_keys": {"api_keys"},
    # Raised, read, worked on, and judged; who has an open alert is a choice of customers.
    "alert_budget": {"alert_budget"},
    "alert_weeks": {"alert_weeks"},
    "alerts": {"alerts", "alert_outcomes", "alert_pages", "alert_work", "customer_search"},
    "audit": {"audit"},
    "audit_ends": {"audit"},
    "audit_links": {"audit"},
    "component_reports": {"component_reports"},
    "counters": {"alert_counters", "alerts", "hourly_stats", "websocket_connections"},
    "customer_notes": {"customer_notes"},
    "customer_states": {"customer_states", "customers"},
    # Written, and looked for by lists.
    "customer_words": {"customer_words", "customer_search"},
    # A history is read with its customer; lists, and who waits have modules of their own.
    "customers": {
        "customers",
        "customer_states",
        "due_customers",
        "customer_search",
        "events",
        "waiting_customers",
        # The newest score of each before an instant.
        "predictions",
    },
    "dead_letters": {"dead_letters"},
    "erasure_key": {"erasure_key"},
    "erasures": {"erasures"},
    "evaluated_weeks": {"model_quality"},
    "event_counts": {"event_counts"},
    "events": {"events"},
    "feature_drift": {"model_quality"},
    "hourly_stats": {"hourly_stats"},
    "imports": {"imports"},
    "model_changes": {"models"},
    "model_comparisons": {"model_quality"},
    "model_quality": {"model_quality"},
    "models": {"models"},
    "observed_kinds": {"events"},
    "orders": {"orders"},
    "prediction_customers": {"prediction_subscriptions"},
    "predictions": {"predictions"},
    "schema_migrations": {"migrations"},
    "segment_history": {"segments"},
    "segments": {"segments"},
    "shadow_predictions": {"predictions"},
    # Registered and told of alerts; told of predictions.
    "sockets": {"websocket_connections", "prediction_subscriptions"},
    "totals": {"totals"},
    "training_runs": {"training_runs"},
    "used_tickets": {"used_tickets"},
}
_STATEMENT = re.compile(r'(?:\bFROM|\bINTO|\bUPDATE(?: IGNORE)?|\bcount\(transaction,)\s"?([a-z_]+)(?![\w.])')
_PACKAGE = Path(mysql.__file__).parent
_MIGRATIONS = Path(__file__).parents[3] / "functions/migration/migrations"


def test_every_table_has_a_module() -> None:
    created = {
        table
        for migration in _MIGRATIONS.glob("*.sql")
        for table in re.findall(r"CREATE TABLE (\w+)", migration.read_text(encoding="utf-8"))
    }
    assert created | {"schema_migrations"} == set(_OWNERS)


def test_a_table_is_read_and_written_by_its_own_module() -> None:
    found: dict[str, set[str]] = {}
    for module in _PACKAGE.glob("*.py"):
        for table in _STATEMENT.findall(module.read_text(encoding="utf-8")):
            found.setdefault(table, set()).add(module.stem)
    assert {table: modules for table, modules in found.items() if table in _OWNERS} == _OWNERS
