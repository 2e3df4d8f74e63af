"""Rows of customers become registrations and profiles."""

from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any

from churn.domain.events import Event
from churn.domain.timestamps import from_millis
from infra.tools.importer.events import build_event, digest
from infra.tools.importer.numbers import NumberReader
from infra.tools.importer.times import TimeReader


def customer_events(
    customer_id: str,
    cells: Mapping[str, Any],
    *,
    now: datetime,
    allowed: Container[str],
    times: Mapping[str, TimeReader],
    points: NumberReader,
) -> list[Event]:
    """Return the events of a customer's row: the registration if it has a time, and the profile.

    `times`: the readers of the fields that are times. Raises InvalidEventError, BadRowError.
    """
    profile = _profile(cells, points)
    events: list[Event] = []
    registered = cells.get("registered_at")
    if registered is not None:
        millis = times["registered_at"](registered)
        event_id = "registered-" + digest([customer_id, millis])
        at = from_millis(millis)
        events.append(build_event(event_id, "customer_registered", customer_id, at, {}, now=now, allowed=allowed))
    updated = cells.get("updated_at")
    if profile or registered is None:
        # A profile without a time is today's; its identifier does not depend on today.
        changed = None if updated is None else times["updated_at"](updated)
        at = now if changed is None else from_millis(changed)
        event_id = "profile-" + digest([customer_id, changed, profile])
        events.append(build_event(event_id, "profile_updated", customer_id, at, profile, now=now, allowed=allowed))
    return events


def _profile(cells: Mapping[str, Any], points: NumberReader) -> dict[str, Any]:
    profile: dict[str, Any] = {
        field: str(cells[field]) for field in ("name", "email", "phone", "address") if cells.get(field)
    }
    name_parts = [str(cells[field]) for field in ("first_name", "last_name") if cells.get(field)]
    if name_parts:
        profile.setdefault("name", " ".join(name_parts))
    if cells.get("loyalty_points") is not None:
        profile["loyalty_points"] = points(cells["loyalty_points"])
    return profile
