"""The Kafka entry point: apply a batch of MSK records; return a partial-batch response."""

import base64
import binascii
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from churn.adapters.mysql import Database, DataRefusedError, StatementRefusedError
from churn.adapters.mysql.dead_letters import DeadLetter, Position, mark_redriven, waiting
from churn.domain.errors import DATA_ERRORS, UnavailableError
from churn.domain.events import Event, InvalidEventError, NoCustomerError, parse_event
from churn.observability import logger, metrics
from churn.services.batch_result import BatchResult
from churn.services.scoring import Scoring

PAGE = 100
# Of a record that is larger than the database takes; it fits whatever the server's settings are.
_KEPT_BYTES = 16 * 1024
# What may be the fault of a record; everything else is that of a server.
_OF_THE_RECORD = (DataRefusedError, *DATA_ERRORS)


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record, and the event that it holds or why it holds none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    event: Event | None
    reason: str = ""
    is_nobodys: bool = False
    """Whether it is none because its customer is what tools write where there is none."""

    def dead_letter(self, reason: str = "") -> DeadLetter:
        """Return the record as it is stored when it cannot be applied."""
        return DeadLetter(self.topic, self.partition, self.offset, self.key, self.value, reason or self.reason)


def decode(source: Mapping[str, Any], now: datetime, allowed: Container[str] = ()) -> list[Record]:
    """Return the records of an MSK event, in the order of their partitions and offsets.

    A record without a value (a tombstone of a compacted topic) holds nothing to apply: it is counted, and not returned.
    `allowed` are customers whose ids look as if there were no customer.
    """
    raws = [raw for _, batch in sorted(source.get("records", {}).items()) for raw in batch]
    valued = [raw for raw in raws if raw.get("value") is not None]
    if len(valued) < len(raws):
        metrics.add_metric("Tombstones", "Count", len(raws) - len(valued))
    records = [_decode(raw, now, allowed) for raw in valued]
    nobodys = sum(record.is_nobodys for record in records)
    if nobodys:
        logger.warning("records stand for no customer", records=nobodys)
        metrics.add_metric("RecordsOfNoCustomer", "Count", nobodys)
    return records


def score_records(records: Sequence[Record], scoring: Scoring, now: datetime) -> tuple[list[BatchResult], list[Record]]:
    """Apply a batch; return a result for each transaction, and the records to deliver again.

    A batch whose data the database refuses is halved until the record that it refuses is found, which goes to the dead
    letters: it would be refused again, and would hold up its partition. It is tried once more alone, on a new
    connection. Any other failure of the database fails the whole batch, which is delivered again.
    """
    try:
        return [_apply(records, scoring, now)], []
    except UnavailableError:
        logger.exception("the batch could not be applied", records=len(records))
        return [], list(records)
    except _OF_THE_RECORD as error:
        if len(records) > 1:
            middle = len(records) // 2
            first, failed_first = score_records(records[:middle], scoring, now)
            second, failed_second = score_records(records[middle:], scoring, now)
            return first + second, failed_first + failed_second
        logger.exception("a record could not be applied", **_place(records[0]))
        return _apply_alone(records[0], scoring, now, error)


def _apply(records: Sequence[Record], scoring: Scoring, now: datetime) -> BatchResult:
    events = [record.event for record in records if record.event is not None]
    dead = [record.dead_letter() for record in records if record.event is None]
    return scoring.apply(events, now=now, dead=dead)


def _apply_alone(
    record: Record, scoring: Scoring, now: datetime, error: Exception
) -> tuple[list[BatchResult], list[Record]]:
    """Apply a refused record on a new connection; store it as a dead letter if it is refused again."""
    scoring.reconnect()
    try:
        try:
            return [_apply([record], scoring, now)], []
        except _OF_THE_RECORD:
            reason = record.reason or f"could not be applied: {_kind(error)}"
            return [_bury(record.dead_letter(reason), scoring, now)], []
    except UnavailableError:
        logger.exception("the batch could not be applied", records=1)
        return [], [record]


def _bury(letter: DeadLetter, scoring: Scoring, now: datetime) -> BatchResult:
    """Store a dead letter, only its beginning if it is larger than the database takes."""
    try:
        return scoring.apply([], now=now, dead=[letter])
    except DataRefusedError:
        value = letter.value or b""
        reason = f"{letter.reason}; of its {len(value):,} bytes the database takes only the first {_KEPT_BYTES:,}"
        return scoring.apply([], now=now, dead=[replace(letter, value=value[:_KEPT_BYTES], reason=reason)])


def redrive(
    database: Database,
    scoring: Scoring,
    now: datetime,
    *,
    after: Position | None = None,
    allowed: Container[str] = (),
) -> tuple[list[BatchResult], list[DeadLetter]]:
    """Apply a page of dead letters that newer code can parse, or that the database accepts now.

    Return a result for each transaction, and the letters of the page; the last page has fewer than PAGE. An event that
    was applied since is recognised as a duplicate. Raises UnavailableError if the database fails.
    """
    letters = database.run(lambda transaction: waiting(transaction, after, PAGE))
    done: list[BatchResult] = []
    for letter in letters:
        try:
            event = parse_event(letter.value or b"", now=now, allowed=allowed)
            done.append(scoring.apply([event], now=now))
        except _OF_THE_RECORD as error:
            logger.info("still no event", topic=letter.topic, offset=letter.offset, reason=_kind(error))
            continue
        database.run(partial(mark_redriven, letter=letter, now=now))
    return done, letters


def failures(records: Sequence[Record]) -> dict[str, Any]:
    """Return the partial-batch response: only these records are delivered again."""
    return {
        "batchItemFailures": [
            {"itemIdentifier": {"partition": f"{record.topic}-{record.partition}", "offset": record.offset}}
            for record in records
        ]
    }


def read_record(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    now: datetime,
    allowed: Container[str],
) -> Record:
    """Return a record with its event, or with the reason why it holds none."""
    try:
        event = parse_event(value or b"", now=now, allowed=allowed)
    except InvalidEventError as error:
        reason, is_nobodys = str(error).removeprefix(": "), isinstance(error, NoCustomerError)
        if is_nobodys:
            # It is kept, so that it can still be applied.
            reason += "; then apply this record by make redrive"
        return Record(topic, partition, offset, key, value, None, reason, is_nobodys)
    return Record(topic, partition, offset, key, value, event)


def _decode(raw: Mapping[str, Any], now: datetime, allowed: Container[str]) -> Record:
    place = (str(raw["topic"]), int(raw["partition"]), int(raw["offset"]))
    return read_record(*place, _bytes(raw.get("key")), _bytes(raw.get("value")), now, allowed)


def _bytes(encoded: object) -> bytes | None:
    try:
        return base64.b64decode(encoded) if isinstance(encoded, str) else None
    except binascii.Error:
        return None


def _place(record: Record) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}


def _kind(error: Exception) -> str:
    return error.kind if isinstance(error, StatementRefusedError) else type(error).__name__
