"""Rows of customers become registrations and profiles."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from churn.domain.events import Event
from churn.domain.timestamps import to_millis
from infra.tools.importer.cells import instant, number
from infra.tools.importer.events import build_event, digest


def customer_events(
    customer_id: str, cells: Mapping[str, Any], *, now: datetime, allowed: Container[str], date_format: str | None
) -> list[Event]:
    """Return the events of a customer's row: the registration if it has a time, and the profile.

    Raises InvalidEventError, BadRowError.
    """
    profile = _profile(cells)
    events: list[Event] = []
    registered = cells.get("registered_at")
    if registered is not None:
        at = instant(registered, "registered_at", date_format)
        event_id = "registered-" + digest([customer_id, to_millis(at)])
        events.append(build_event(event_id, "customer_registered", customer_id, at, {}, now=now, allowed=allowed))
    updated = cells.get("updated_at")
    if profile or registered is None:
        # A profile without a time is today's; its identifier does not depend on today.
        at = now if updated is None else instant(updated, "updated_at", date_format)
        event_id = "profile-" + digest([customer_id, updated and to_millis(at), profile])
        events.append(build_event(event_id, "profile_updated", customer_id, at, profile, now=now, allowed=allowed))
    return events


def _profile(cells: Mapping[str, Any]) -> dict[str, Any]:
    profile: dict[str, Any] = {
        field: str(cells[field]) for field in ("name", "email", "phone", "address") if cells.get(field)
    }
    name_parts = [str(cells[field]) for field in ("first_name", "last_name") if cells.get(field)]
    if name_parts:
        profile.setdefault("name", " ".join(name_parts))
    if cells.get("loyalty_points") is not None:
        profile["loyalty_points"] = number(cells["loyalty_points"], "loyalty_points")
    return profile
