"""The rest of erasing: what the transaction that erases a customer cannot reach, or what came beside it."""

import base64
import binascii
from collections.abc import Callable, Iterable
from functools import partial

from churn.adapters.failed_batches import FailedBatch, FailedBatches
from churn.adapters.mysql import Database, customers, dead_letters, erasure_key
from churn.adapters.mysql.dead_letters import Position
from churn.domain.record_subjects import customers_perhaps_named
from churn.domain.tombstones import Tombstones

_CUSTOMERS = 500
_LETTERS = 100

TimeLeft = Callable[[], bool]


def bury(database: Database, tombstones: Tombstones, *, time_left: TimeLeft) -> int:
    """Put tombstones in place of the ids of those who were erased before there were any; return how many.

    Raises DatabaseUnavailableError, ErasureKeyChangedError.
    """
    database.run(lambda transaction: erasure_key.check(transaction, tombstones))
    buried = 0
    while time_left():
        number = database.run(lambda transaction: customers.bury_older(transaction, tombstones, _CUSTOMERS))
        buried += number
        if number < _CUSTOMERS:
            break
    return buried


def clear_dead_letters(database: Database, tombstones: Tombstones, *, time_left: TimeLeft) -> int:
    """Drop the content of dead letters that name an erased customer; return how many.

    Those stored while their customer was being erased are among them. Raises DatabaseUnavailableError.
    """
    cleared = 0
    after: Position | None = None
    while time_left():
        page = database.run(partial(dead_letters.with_content, after=after, limit=_LETTERS))
        if not page:
            break
        erased = _erased(database, tombstones, (name for _, names in page for name in names))
        positions = [position for position, names in page if not erased.isdisjoint(names)]
        database.run(partial(dead_letters.drop_contents, positions=positions, tombstones=tombstones))
        cleared += len(positions)
        after = page[-1][0]
    return cleared


def clear_batches(database: Database, tombstones: Tombstones, batches: FailedBatches, *, time_left: TimeLeft) -> int:
    """Drop the records of failed batches that name an erased customer; return how many.

    Raises DatabaseUnavailableError, BatchesUnavailableError.
    """
    cleared = 0
    for batch in batches:
        if not time_left():
            break
        names = {id(record): _names(record) for record in _records(batch)}
        erased = _erased(database, tombstones, (name for own in names.values() for name in own))
        dropped = sum(not erased.isdisjoint(own) for own in names.values())
        if dropped:
            for partition, records in batch.batch["records"].items():
                batch.batch["records"][partition] = [one for one in records if erased.isdisjoint(names[id(one)])]
            batches.rewrite(batch)
            cleared += dropped
    return cleared


def _erased(database: Database, tombstones: Tombstones, names: Iterable[str]) -> set[str]:
    """Return those of some ids that are erased customers'."""
    graves = {tombstones.of(name): name for name in names}
    return {graves[grave] for grave in database.run(partial(customers.existing, customer_ids=graves.keys()))}


def _records(batch: FailedBatch) -> list[dict[str, str]]:
    return [record for records in batch.batch["records"].values() for record in records]


def _names(record: dict[str, str]) -> list[str]:
    return customers_perhaps_named(_bytes(record.get("key")), _bytes(record.get("value")))


def _bytes(encoded: str | None) -> bytes | None:
    try:
        return None if encoded is None else base64.b64decode(encoded)
    except binascii.Error:
        return None
