"""The chain of the audit trail: whatever is done to an entry or a link, the first that does not hold is named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn.domain.audit import AlteredTrailError, AuditChain, AuditEntry, Break, End, Link, StoredEntry
from tests.support.events import NOW

_CHAIN = AuditChain(lambda: "only-a-test-knows-this-key-of-32-bytes")
_BEGIN = End(7, "ab" * 32, NOW)
_ENTRY = AuditEntry(NOW, "anna", "act", "change", "resolve_alert", "h" * 43, "17", 200, "r-1")
_CHANGES: dict[str, Any] = {
    "at": NOW.replace(year=2020),
    "subject": "ben",
    "role": None,
    "action": "read",
    "operation": "get_alert",
    "customer_hmac": None,
    "object": "another",
    "status": None,
    "request_id": "r-2",
}


def _links(number: int) -> list[Link]:
    return [
        *_CHAIN.extend(_BEGIN, (StoredEntry(10 * one, replace(_ENTRY, object=str(one))) for one in range(number)), NOW)
    ]


def _break(links: list[Link], end: End) -> Break | None:
    return _CHAIN.first_break(_BEGIN, links, end)


def _end(links: list[Link]) -> End:
    return End(links[-1].position, links[-1].digest) if links else _BEGIN


@given(st.integers(0, 20))
def test_what_was_not_touched_holds(number: int) -> None:
    links = _links(number)
    assert _break(links, _end(links)) is None


@given(st.integers(1, 20), st.data())
def test_the_first_entry_that_was_altered_is_named(number: int, data: st.DataObject) -> None:
    links, at = _links(number), data.draw(st.integers(0, number - 1))
    field = data.draw(st.sampled_from(sorted(_CHANGES)))
    entry = links[at].entry
    assert entry is not None
    altered = [*links]
    altered[at] = links[at]._replace(entry=replace(entry, **{field: _CHANGES[field]}))
    found = _break(altered, _end(links))
    assert found is not None
    assert (found.position, found.entry_id) == (links[at].position, links[at].entry_id)


@pytest.mark.parametrize(
    ("touch", "position"),
    [
        (lambda links: [*links[:3], *links[4:]], 11),
        (lambda links: [*links[:3], links[3]._replace(entry=None), *links[4:]], 11),
        (lambda links: links[:-1], 13),
        (lambda links: [links[1], links[0], *links[2:]], 8),
        (lambda links: [*links[:3], links[3]._replace(entry_id=99), *links[4:]], 11),
        (lambda links: [*links[:3], links[3]._replace(linked_at=NOW.replace(year=2020)), *links[4:]], 11),
        (lambda links: [*links[:3], links[3]._replace(complete_at=None), *links[4:]], 11),
        (lambda links: [*links, *_CHAIN.extend(_end(links), [StoredEntry(99, _ENTRY)], NOW)], 15),
    ],
    ids=[
        "a link is gone",
        "an entry is gone",
        "the end is gone",
        "swapped",
        "another's id",
        "linked at",
        "complete at",
        "one too many",
    ],
)
def test_what_was_dropped_swapped_or_added_is_named(touch: Callable[[list[Link]], list[Link]], position: int) -> None:
    links = _links(6)
    found = _break(touch(links), _end(links))
    assert found is not None
    assert found.position == position


def test_another_key_makes_no_chain() -> None:
    links = [*AuditChain(lambda: "k" * 32).extend(_BEGIN, [StoredEntry(1, _ENTRY)], NOW)]
    assert _break(links, _end(links)) == Break(8, 1, "the entry or its link was altered")


@pytest.mark.parametrize(
    "changed",
    [{"position": 8}, {"digest": "cd" * 32}, {"at": NOW.replace(year=2020)}, {"at": None}],
    ids=["position", "digest", "at", "no time"],
)
def test_an_end_that_this_chain_did_not_sign_is_told(changed: dict[str, Any]) -> None:
    noted = _CHAIN.sign("end", _BEGIN)
    assert _CHAIN.opened("end", noted) == _BEGIN
    with pytest.raises(AlteredTrailError, match="what is noted of the end of the chain was altered"):
        _CHAIN.opened("end", noted._replace(end=_BEGIN._replace(**changed)))
    with pytest.raises(AlteredTrailError, match="what is noted of the begin"):
        _CHAIN.opened("begin", noted)
    with pytest.raises(AlteredTrailError, match="the end of the chain is not noted"):
        _CHAIN.opened("end", None)


@pytest.mark.parametrize(("minutes", "is_late"), [(-60, False), (15, False), (16, True)])
def test_an_entry_that_a_complete_chain_did_not_hold_came_late(minutes: int, is_late: bool) -> None:
    end = _BEGIN._replace(at=NOW + timedelta(minutes=minutes))
    # However long after its time it was linked: the job may have been away.
    (link,) = _CHAIN.extend(end, [StoredEntry(1, _ENTRY)], NOW + timedelta(days=1))
    assert link.is_late == is_late
