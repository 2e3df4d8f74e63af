"""Table `customers`: who is due to be scored again, found by ranges of indexes and never by a look at everybody."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from churn.adapters.mysql import customers
from churn.adapters.mysql.customers import WRONG_CLOCK, Customer
from churn.adapters.mysql.database import Transaction
from churn.adapters.mysql.orders import Ledgers
from churn.adapters.mysql.statement_parts import literal
from churn.domain.customer import FOLD_VERSION
from churn.domain.risk import CUSTOMER_STATUSES, RISK_LEVELS
from churn.domain.search_terms import WORDS_VERSION

_EVERY_STATUS = ", ".join(f"'{status}'" for status in CUSTOMER_STATUSES)
_NOT_LAPSED = ", ".join(f"'{status}'" for status in CUSTOMER_STATUSES if status != "lapsed")
_EVERY_LEVEL = ", ".join(f"'{level}'" for level in RISK_LEVELS)
_OF_VERSION = "model_version = %s AND status IN ({}) AND "


@dataclass(frozen=True, slots=True)
class Due:
    """Who is due to be scored: whose score is older than `scored_before`, another model's, or of the future.

    Of those who have lapsed, whose score is older than `lapsed_before`; and who would not have lapsed by the rule of
    now, as their last order is newer than `lapses_before`.

    Whose stored event's time has come, whose state was made by another version of the fold, whose value at risk or days
    of orders are not stored yet; and whose alert of at least `least_value` was held back, and whose newest is older
    than `alerted_before` (None: nobody for that).
    """

    scored_before: datetime
    lapsed_before: datetime
    lapses_before: datetime
    alerted_before: datetime | None
    least_value: float
    now: datetime
    model_versions: Sequence[str]
    """By one of which a score is not another model's; in their order."""

    def reasons(self) -> Iterator[tuple[str, str, Sequence[object]]]:
        """Yield each reason to be due: an index that has it as a few ranges, the condition and its values."""
        versions = self.model_versions
        yield "customers_by_score", "model_version IS NULL", ()
        yield "customers_by_score", "model_version < %s", (versions[0],)
        for between in pairwise(versions):
            yield "customers_by_score", "model_version > %s AND model_version < %s", between
        yield "customers_by_score", "model_version > %s", (versions[-1],)
        every, current, lapsed = map(_OF_VERSION.format, (_EVERY_STATUS, _NOT_LAPSED, "'lapsed'"))
        for version in versions:
            # One status at a time: MySQL reads the whole index for NULL beside a list.
            for status in CUSTOMER_STATUSES:
                yield "customers_by_score", _OF_VERSION.format(f"'{status}'") + "scored_at IS NULL", (version,)
            yield "customers_by_score", current + "scored_at < %s", (version, self.scored_before)
            yield "customers_by_score", lapsed + "scored_at < %s", (version, self.lapsed_before)
            yield "customers_by_score", every + "scored_at > %s", (version, self.now + WRONG_CLOCK)
        # A clock that was ahead may have let them lapse that much too early.
        lapses = f"status = 'lapsed' AND risk_level IN ({_EVERY_LEVEL}) AND last_order_at > %s"
        yield "customers_by_group_and_last_order", lapses, (self.lapses_before + WRONG_CLOCK,)
        yield "customers_by_due", "due_at <= %s", (self.now,)
        yield "customers_by_fold", "fold_version < %s", (FOLD_VERSION,)
        yield "customers_by_words", "words_version < %s", (WORDS_VERSION,)
        yield "customers_by_days", "order_days IS NULL", ()
        if self.alerted_before is not None:
            waits = "waiting_value >= %s AND alerted_at <= %s"
            yield "customers_by_waiting_value", waits, (self.least_value, self.alerted_before)


def keys(transaction: Transaction, due: Due, after: int) -> list[int]:
    """Return the keys above one of the customers who are due, in their order."""
    found: set[int] = set()
    for index, condition, values in due.reasons():
        ids = transaction.column(
            f"SELECT id FROM customers FORCE INDEX ({index}) WHERE deleted = 0 AND {condition}", values
        )
        # Not by the statement: with a condition on the key, all scores of the version would be read.
        found.update(key for key in ids if key > after)
    return sorted(found)


def lock(ledgers: Ledgers, among: Collection[int], due: Due) -> list[Customer]:
    """Lock those of some customers, by their keys, who are still due."""
    reasons = (condition % tuple(map(literal, values)) for _, condition, values in due.reasons())
    return customers.lock_keys(ledgers, among, " OR ".join(f"({reason})" for reason in reasons))
