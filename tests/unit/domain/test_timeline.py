"""The one order of a customer's story: pages of it, one after the other, are all of it, once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from churn.domain.timeline import TIMELINE_KINDS, Place, TimelineKind, Window, in_order, window_after

_BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)
_kinds = st.sampled_from(TIMELINE_KINDS)


@st.composite
def _places(draw: st.DrawFn) -> list[Place]:
    """Return places of a few instants, so that many share one; those of alerts have microseconds."""
    found = {}
    for key in range(draw(st.integers(0, 14))):
        kind = draw(_kinds)
        micros = draw(st.integers(0, 3)) * 1000 + (draw(st.integers(0, 2)) if kind == "alert" else 0)
        found[kind, key] = Place(_BEGIN + timedelta(microseconds=micros), kind, key)
    return [*found.values()]


def _rank(place: Place) -> tuple[datetime, int, int]:
    return place.at, -TIMELINE_KINDS.index(place.kind), int(place.key)


def _read(places: list[Place], kind: TimelineKind, window: Window, limit: int) -> list[tuple[Place, str]]:
    """Return what a table of the kind answers for a window."""
    first, last, below = window.bounds(is_exact=kind == "alert")
    found = [
        place
        for place in places
        if place.kind == kind
        and (first is None or place.at >= first)
        and (last is None or place.at <= last)
        and (below is None or place.at < below[0] or place.key < below[1])  # type: ignore[operator]
    ]
    return [(place, "row") for place in sorted(found, key=_rank, reverse=True)[:limit]]


def _page(
    places: list[Place], after: Place | None, limit: int, first: datetime | None, last: datetime | None
) -> tuple[list[Place], bool]:
    rows = {kind: _read(places, kind, window_after(after, kind, first, last), limit + 1) for kind in TIMELINE_KINDS}
    found, has_more = in_order(rows, limit)
    return [place for place, _ in found], has_more


@given(_places(), st.integers(1, 5), st.none() | st.integers(0, 3), st.none() | st.integers(0, 3))
def test_pages_are_the_whole_in_its_order(
    places: list[Place], limit: int, from_milli: int | None, to_milli: int | None
) -> None:
    first = None if from_milli is None else _BEGIN + timedelta(milliseconds=from_milli)
    last = None if to_milli is None else _BEGIN + timedelta(milliseconds=to_milli)
    expected = [
        place
        for place in sorted(places, key=_rank, reverse=True)
        if (first is None or place.at >= first) and (last is None or place.at < last + timedelta(milliseconds=1))
    ]
    seen: list[Place] = []
    after, has_more = None, True
    while has_more:
        page, has_more = _page(places, after, limit, first, last)
        assert len(page) == limit or not has_more
        seen += page
        after = page[-1] if page else None
    assert seen == expected


@given(_places(), _places(), st.integers(1, 5))
def test_what_comes_meanwhile_moves_nothing_that_was_there(
    places: list[Place], arriving: list[Place], limit: int
) -> None:
    """Rows may come anywhere, also before what was read: late events do."""
    late = [Place(place.at, place.kind, int(place.key) + 100) for place in arriving]
    seen: list[Place] = []
    after, has_more, stored = None, True, [*places]
    while has_more:
        page, has_more = _page(stored, after, limit, None, None)
        seen += page
        after = page[-1] if page else None
        stored += late[:2]
        del late[:2]
    assert len(seen) == len(set(seen))
    assert [place for place in seen if place in set(places)] == sorted(places, key=_rank, reverse=True)
    assert seen == sorted(seen, key=_rank, reverse=True)
