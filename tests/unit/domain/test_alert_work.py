"""What people may do with an alert, and what that makes of it."""

from datetime import timedelta
from typing import get_args

import pytest

from churn.domain.alert_work import CLOSED, AlertClosedError, Work, WorkState
from churn.domain.alerts import AlertStatus
from tests.support.events import NOW

_LATER = NOW + timedelta(hours=1)
_STATUSES: tuple[AlertStatus, ...] = get_args(AlertStatus)


@pytest.mark.parametrize("before", _STATUSES)
@pytest.mark.parametrize("after", _STATUSES)
def test_a_closed_alert_only_goes_back_to_new(before: AlertStatus, after: AlertStatus) -> None:
    state, work = WorkState(before), Work(after, reason="a test")
    if before in CLOSED and after not in {before, "new"}:
        with pytest.raises(AlertClosedError, match=before):
            work.done(state, "anna", NOW)
    else:
        assert work.done(state, "anna", NOW).status == after


def test_whoever_took_an_alert_on_first_has_acknowledged_it() -> None:
    taken = Work("in_progress").done(WorkState("new"), "anna", NOW)
    assert (taken.acknowledged_by, taken.acknowledged_at) == ("anna", NOW)
    again = Work("acknowledged").done(taken, "ben", _LATER)
    assert (again.status, again.acknowledged_by, again.acknowledged_at) == ("acknowledged", "anna", NOW)


def test_closing_ends_a_snooze_and_opening_forgets_the_end() -> None:
    asleep = Work(changes_snooze=True, snoozed_until=_LATER).done(WorkState("new", "ben"), "anna", NOW)
    assert asleep.snoozed_until == _LATER
    closed = Work("resolved", note="called").done(asleep, "anna", NOW)
    assert (closed.snoozed_until, closed.resolved_by, closed.resolution_notes) == (None, "anna", "called")
    assert Work("new").done(closed, "ben", _LATER) == WorkState("new", "ben")


def test_a_closed_alert_cannot_be_snoozed_but_handed_over() -> None:
    closed = WorkState("dismissed")
    with pytest.raises(AlertClosedError):
        Work(changes_snooze=True, snoozed_until=_LATER).done(closed, "anna", NOW)
    assert Work(changes_snooze=True).done(closed, "anna", NOW) == closed
    assert Work(changes_assignee=True, assigned_to="ben").done(closed, "anna", NOW).assigned_to == "ben"


def test_what_changed_is_told_and_nothing_else() -> None:
    before = WorkState("new", "anna")
    work = Work("dismissed", "a test order", changes_assignee=True, assigned_to=None)
    assert work.told(before, work.done(before, "anna", NOW)) == {
        "status": "dismissed",
        "reason": "a test order",
        "assigned_to": None,
    }
    same = Work("new", changes_assignee=True, assigned_to="anna")
    assert same.told(before, same.done(before, "ben", NOW)) == {}
