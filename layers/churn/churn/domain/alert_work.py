"""Work on an alert: what somebody may do with it, and what that makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Self

from churn.domain.alerts import AlertStatus
from churn.domain.errors import ConflictError
from churn.domain.timestamps import iso

CLOSED: frozenset[AlertStatus] = frozenset({"resolved", "dismissed"})
NOTE_BEGINNING = 200
"""The characters that a list of alerts shows of the newest action's note."""


class AlertClosedError(ConflictError):
    """The alert is closed, which rules the action out; it is resolved or dismissed."""

    def __init__(self, status: str) -> None:
        super().__init__(f"The alert is {status} already.")


@dataclass(frozen=True, slots=True)
class WorkState:
    """How far the work on an alert is, under the names of the columns."""

    status: AlertStatus
    assigned_to: str | None = None
    snoozed_until: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    resolution_notes: str | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the state of a row of `alerts`."""
        return cls(**{field.name: row[field.name] for field in fields(cls)})

    @property
    def is_open(self) -> bool:
        """Whether there is something left to do."""
        return self.status not in CLOSED


@dataclass(frozen=True, slots=True)
class WorkThen:
    """How far the work on an alert was at an instant; the status is None where nothing stored tells it."""

    status: AlertStatus | None
    assigned_to: str | None

    @property
    def is_open(self) -> bool | None:
        """Whether there was something left to do."""
        return None if self.status is None else self.status not in CLOSED


def work_then(row: Mapping[str, Any], actions: Sequence[tuple[datetime, Mapping[str, Any]]], at: datetime) -> WorkThen:
    """Return how far the work on an alert was at an instant, by all actions on it, the oldest first."""
    statuses = [(done_at, changed["status"]) for done_at, changed in actions if "status" in changed]
    people = [changed["assigned_to"] for done_at, changed in actions if "assigned_to" in changed and done_at <= at]
    before = [status for done_at, status in statuses if done_at <= at]
    if before:
        status = before[-1]
    elif statuses and statuses[0][1] == "new":
        # It was closed before actions were kept, and when is lost.
        status = None
    elif _is_by(row["resolved_at"], at) and not statuses:
        status = "resolved"
    else:
        status = "acknowledged" if _is_by(row["acknowledged_at"], at) else "new"
    return WorkThen(status, people[-1] if people else None)


def _is_by(instant: datetime | None, at: datetime) -> bool:
    return instant is not None and instant <= at


@dataclass(frozen=True, slots=True)
class Work:
    """What somebody does with alerts. What is None stays as it is, and so do assignee and snooze unless they change."""

    status: AlertStatus | None = None
    reason: str | None = None
    note: str | None = None
    changes_assignee: bool = False
    assigned_to: str | None = None
    changes_snooze: bool = False
    snoozed_until: datetime | None = None

    def done(self, before: WorkState, by: str, now: datetime) -> WorkState:
        """Return the state after the work. Raises AlertClosedError."""
        after = before
        if self.status is not None and self.status != before.status:
            after = self._moved(before, self.status, by, now)
        if self.changes_assignee:
            after = replace(after, assigned_to=self.assigned_to)
        if self.changes_snooze:
            if self.snoozed_until is not None and not after.is_open:
                raise AlertClosedError(after.status)
            after = replace(after, snoozed_until=self.snoozed_until)
        return after

    def told(self, before: WorkState, after: WorkState) -> dict[str, str | None]:
        """Return the fields that the work has changed, with their new values, for the record of the action."""
        changed: dict[str, str | None] = {}
        if after.status != before.status:
            changed["status"] = after.status
            if after.status == "dismissed":
                changed["reason"] = self.reason
        if after.assigned_to != before.assigned_to:
            changed["assigned_to"] = after.assigned_to
        if after.snoozed_until != before.snoozed_until:
            changed["snoozed_until"] = None if after.snoozed_until is None else iso(after.snoozed_until)
        return changed

    def _moved(self, before: WorkState, status: AlertStatus, by: str, now: datetime) -> WorkState:
        if status == "new":
            # Who had taken it on, and how it ended, stand in the record of the actions.
            return WorkState("new", before.assigned_to, before.snoozed_until)
        if not before.is_open:
            raise AlertClosedError(before.status)
        if status == "resolved":
            return replace(
                before, status=status, snoozed_until=None, resolved_at=now, resolved_by=by, resolution_notes=self.note
            )
        if status == "dismissed":
            return replace(before, status=status, snoozed_until=None)
        if before.acknowledged_at is not None:
            return replace(before, status=status)
        return replace(before, status=status, acknowledged_at=now, acknowledged_by=by)
