"""The types of the answers about what comes in: events, records that are none, and files; as in `answers`."""

from typing import Literal, TypedDict

from churn.domain.answers import Instant


class EventCount(TypedDict):
    """The events that were applied in a minute, or an hour."""

    start: Instant
    """When the minute, or the hour, begins."""
    events: int
    """How many events were applied in it."""


class KindOfEvent(TypedDict):
    """A type of event, and how many of it were applied lately."""

    event_type: str
    """`other` stands for all types that the service does not know."""
    last_24_hours: int
    """In the last 24 full hours and the one that runs."""


class FeatureSource(TypedDict):
    """A feature that counts events of a kind: it is not known of any customer until the shop sends that kind."""

    feature: str
    event_types: list[str]
    """The types of events that tell it."""
    known_since: Instant | None
    """When the first such event happened; null: the feature is not known, for want of them."""


class DeadLetterCounts(TypedDict):
    """Records that could not be applied."""

    last_hour: int
    """Those of the last 60 minutes."""
    waiting: int
    """Those that a redrive tries again."""
    waiting_is_lower_bound: bool
    """Whether there are more than were counted."""


class ImportRun(TypedDict):
    """A file that was imported."""

    id: int
    """The number of the import."""
    file_name: str
    """The name of the file, without its folder."""
    kind: str
    """What a line of it is: `orders`, `events` or `customers`."""
    started_at: Instant
    """When it began."""
    ended_at: Instant | None
    """Null: it is running, or was broken off."""
    lines: int | None
    """Lines of the file; null, as all that follow, until the import has ended."""
    rejected: int | None
    """Lines that are no events."""
    events: int | None
    """Events that were new."""
    repeated: int | None
    """Events that were stored already."""
    too_late: int | None
    """From a time whose history was deleted."""
    refused: int | None
    """Of customers whose stored data cannot be read."""
    customers: int | None
    """Customers whom the file has events of."""


class Imports(TypedDict):
    """The files that were imported last, the newest first."""

    imports: list[ImportRun]
    """The imports, the newest first."""


class Ingestion(TypedDict):
    """What comes in: how fast, how far behind, and what of it is missing."""

    counted_at: Instant
    """The instant that all of it is of."""
    counted_since: Instant | None
    """Since when events are counted: minutes and hours before it are left out below."""
    per_minute: list[EventCount]
    """The last 60 full minutes, the oldest first. Events of imports are not counted."""
    per_hour: list[EventCount]
    """The last 24 full hours, likewise."""
    waiting: int | None
    """The records that were not applied yet; null where the event source does not tell (on AWS: metric OffsetLag)."""
    behind_seconds: float | None
    """How long the oldest of them has waited, or what stands in the way has stood there; null likewise."""
    cause: str | None
    """Why reading does not go on, where it does not."""
    last_applied: Instant | None
    """When a batch was last applied, to some ten seconds; null if none has been."""
    dead_letters: DeadLetterCounts
    """Records that could not be applied."""
    kinds: list[KindOfEvent]
    """The types of events, with how many came lately."""
    features: list[FeatureSource]
    """The features that are known only where the shop sends a kind of event."""
    last_import: ImportRun | None
    """The newest import; null without any."""


class DeadLetter(TypedDict):
    """A record that could not be applied."""

    topic: str
    """The topic, or the queue, that it came by."""
    partition: int
    """Its partition there."""
    offset: int
    """Its place in the partition."""
    failed_at: Instant
    """When it was stored as a dead letter."""
    reason: str
    """Why it could not be applied; it names the field, and quotes nothing."""
    redriven_at: Instant | None
    """When it was applied after all."""
    has_content: bool
    """Whether it is still there: what names an erased customer is not."""
    bytes: int | None
    """The size of its value."""
    customer_id: str | None
    """Whom it names, as far as that can be told. For admin alone, as key and value are; null for others."""
    key: str | None
    """The record's key, its first 2,000 bytes."""
    value: str | None
    """Its first 2,000 bytes."""
    encoding: Literal["utf-8", "base64"] | None
    """How key and value are written here: bytes that are no text as base64."""


class DeadLetterPage(TypedDict):
    """Records that could not be applied, the newest first."""

    dead_letters: list[DeadLetter]
    """The records of this page."""
    next_cursor: str | None


class Redrive(TypedDict):
    """The dead letters are being tried again; `waiting` of `GET /api/ingestion` tells how many are left."""

    status: Literal["started"]
    """Where nothing waits, nothing is to be done."""
    waiting: int
    """How many wait now."""
    waiting_is_lower_bound: bool
    """Whether there are more than were counted."""
