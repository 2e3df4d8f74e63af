"""Limits that a process counts by itself."""

from churn.adapters.local_windows import LocalWindows


def test_clients_and_kinds_are_counted_apart_by_what_they_cost() -> None:
    windows = LocalWindows()
    assert [windows.count("a", {"x": 5}, 60.0, 60, cost)[0].remaining for cost in (1, 4, 1)] == [4, 0, -1]
    assert [window.remaining for window in windows.count("b", {"x": 5, "y": 1}, 60.0, 60)] == [4, 0]


def test_a_new_window_begins_anew_and_says_when_it_ends() -> None:
    windows = LocalWindows()
    windows.count("a", {"x": 1}, 119.9, 60)
    (window,) = windows.count("a", {"x": 1}, 120.0, 60)
    assert (window.remaining, window.resets_at) == (0, 180)
