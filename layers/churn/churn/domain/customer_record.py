"""A customer's row in the table of customers: the fields are its columns, in their order."""

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import replace
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self

from churn.domain.alerts import Measure, RiskState, Score, is_above
from churn.domain.cohorts import share_of_cohorts
from churn.domain.customer import FOLD_VERSION, CustomerState
from churn.domain.features import FEATURE_NAMES, Features
from churn.domain.model import Estimate
from churn.domain.outlooks import outlook_columns
from churn.domain.risk import (
    ACTIVE_STATUSES,
    CustomerStatus,
    RiskLevel,
    RiskRules,
    customer_status,
    money_of,
    probability_bin,
    stored_value_at_risk,
)
from churn.domain.search_terms import WORDS_VERSION
from churn.domain.timestamps import from_millis
from churn.domain.values import MAX_SUM

CHANGE_SPAN = timedelta(days=7)
"""A change of the risk is that from the newest prediction that is so old."""

MAX_STORED_ORDERS = 2**31 - 1
"""The largest number of orders that a column holds (INT)."""


@dataclass(frozen=True, kw_only=True)
class CustomerRecord:
    """What is stored of a customer beside the events and their fold.

    A field that `erased` does not name goes back to its default there, so that no personal column can be forgotten.
    """

    id: int
    customer_id: str
    deleted: bool = False
    is_active: bool = True
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    address: str | None = None
    first_seen_at: datetime | None = None
    last_order_at: datetime | None = None
    total_orders: int = 0
    total_spent: float | None = 0
    """None where the value of an order is unknown, as are the two sums below."""
    status: CustomerStatus = "insufficient_data"
    churn_probability: float | None = None
    risk_level: RiskLevel | None = None
    confidence: float | None = None
    model_version: str | None = None
    expected_spend: float | None = 0
    scored_at: datetime | None = None
    remembered_level: RiskLevel | None = None
    alerted_level: RiskLevel | None = None
    alerted_at: datetime | None = None
    created_at: datetime
    updated_at: datetime
    fold_version: int = FOLD_VERSION
    due_at: datetime | None = None
    level_before: RiskLevel | None = None
    stored_probability: float | None = None
    stored_version: str | None = None
    stored_active: bool = False
    stored_at: datetime | None = None
    earlier_probability: float | None = None
    earlier_version: str | None = None
    pending_level: RiskLevel | None = None
    pending_from: float | None = None
    words_version: int = WORDS_VERSION
    value_at_risk: float | None = None
    counted_bin: int | None = None
    """The bin of the churn probability that the totals count the customer in: none before the first score, or by a
    version that kept no bins, and of those who are not current."""
    risk_change_7d: float | None = None
    returned_at: datetime | None = None
    """The newest order that ended a lapse."""
    at_risk_since: datetime | None = None
    """When the status became at risk; None for others, and where that is not known."""
    order_days: bytes | None = None
    """The UTC days with an order, as the sums of cohorts hold them (`churn.domain.cohorts`); None: they do not yet."""
    waiting_value: float | None = None
    """The value at risk, of a customer whose risk has risen and whose alert is held back; None of all others."""
    expected_orders: float | None = None
    """Days with an order over the horizon; this and what follows are None where the model's version tells none."""
    expected_spend_low: float | None = None
    expected_spend_high: float | None = None
    usual_gap_days: float | None = None
    next_order_at: datetime | None = None
    """When an order is as likely as not; None if it never is, or not within ten years."""
    of_sample: bool = False
    """Whether the sample shop wrote an event of the customer: all others are the shop's own."""

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Return the record that a row of the table holds."""
        values = {column: row[column] for column in COLUMNS}
        for flag in ("deleted", "is_active", "stored_active", "of_sample"):
            values[flag] = bool(values[flag])
        for amount in ("total_spent", "expected_spend", "waiting_value", "expected_spend_low", "expected_spend_high"):
            if values[amount] is not None:
                values[amount] = float(values[amount])
        values["value_at_risk"] = stored_value_at_risk(row)
        # A frozen dataclass sets each of its fields by a call.
        record = object.__new__(cls)
        record.__dict__.update(values)
        return record

    if not TYPE_CHECKING:

        def __replace__(self, /, **changes: Any) -> Self:
            """Return the record with other values; the dataclass's own way takes ten times as long."""
            changed = object.__new__(type(self))
            changed.__dict__.update(self.__dict__ | changes)
            return changed

    @property
    def display_name(self) -> str:
        """What the shop's people call the customer."""
        return self.name or self.customer_id

    @property
    def risk_state(self) -> RiskState:
        """The level that the customer is in, what was stored as a prediction, and the newest alert on the risk."""
        stored = earlier = None
        if self.stored_probability is not None and self.stored_version is not None and self.stored_at is not None:
            stored = Score(self.stored_probability, self.stored_version, self.stored_active, self.stored_at)
        if self.earlier_probability is not None and self.earlier_version is not None:
            earlier = Measure(self.earlier_probability, self.earlier_version)
        return RiskState(
            level=self.remembered_level,
            level_before=self.level_before,
            scored_at=self.scored_at,
            stored=stored,
            earlier=earlier,
            alerted_level=self.alerted_level,
            alerted_at=self.alerted_at,
            pending_level=self.pending_level,
            pending_from=self.pending_from,
        )

    def scored(
        self,
        state: CustomerState,
        features: Features,
        prediction: Estimate,
        *,
        as_of: datetime,
        now: datetime,
        rules: RiskRules,
    ) -> "CustomerRecord":
        """Return the record after a score as of an instant, brought up to date with the customer's state."""
        level = rules.bands.level(prediction.churn_probability)
        profile: dict[str, Any] = {name: value for name, (_, value) in state.profile.items()}
        probability = prediction.churn_probability
        status = customer_status(features, level, inactivity_days=rules.inactivity_days)
        money = money_of(prediction)
        return replace(
            self,
            **profile,
            is_active=state.is_active,
            first_seen_at=None if state.since is None else from_millis(state.since),
            last_order_at=state.last_order_at,
            total_orders=min(int(features["total_orders"] or 0), MAX_STORED_ORDERS),
            total_spent=None if features["total_spent"] is None else min(features["total_spent"], MAX_SUM),
            status=status,
            churn_probability=probability,
            risk_level=level,
            confidence=prediction.confidence,
            model_version=prediction.model_version,
            expected_spend=money.expected_spend,
            value_at_risk=money.value_at_risk,
            **outlook_columns(prediction.outlook, as_of),
            counted_bin=probability_bin(probability) if status in ACTIVE_STATUSES else None,
            returned_at=state.returned_at(rules.inactivity_days),
            at_risk_since=self._at_risk_since(status, prediction.model_version, as_of),
            scored_at=as_of,
            fold_version=FOLD_VERSION,
            updated_at=now,
        )

    def _at_risk_since(self, status: CustomerStatus, model_version: str, as_of: datetime) -> datetime | None:
        if status != "at_risk":
            return None
        if self.status == "at_risk":
            return self.at_risk_since
        # The first score does not tell since when, and another version of the model moves customers who did nothing.
        return as_of if self.model_version == model_version else None

    def compared_with(self, before: float | None) -> "CustomerRecord":
        """Return the record with its change from the churn probability of CHANGE_SPAN before, if there was one.

        It is unknown of who has lapsed: they are scored too seldom for it.
        """
        after = None if self.status == "lapsed" else self.churn_probability
        return replace(self, risk_change_7d=None if before is None or after is None else after - before)

    def with_risk_state(self, state: RiskState) -> "CustomerRecord":
        """Return the record with another risk state, as of the record's own score."""
        stored, earlier = state.stored, state.earlier
        return replace(
            self,
            remembered_level=state.level,
            level_before=state.level_before,
            stored_probability=None if stored is None else stored.probability,
            stored_version=None if stored is None else stored.version,
            stored_active=stored is not None and stored.is_active,
            stored_at=None if stored is None else stored.at,
            earlier_probability=None if earlier is None else earlier.probability,
            earlier_version=None if earlier is None else earlier.version,
            alerted_level=state.alerted_level,
            alerted_at=state.alerted_at,
            pending_level=state.pending_level,
            pending_from=state.pending_from,
            waiting_value=None if state.pending_level is None else self.value_at_risk,
        )

    def erased(self, tombstone: str, now: datetime) -> Self:
        """Return the record of a deleted customer: the tombstone, and by which model and when they were scored last."""
        return type(self)(
            id=self.id,
            customer_id=tombstone,
            deleted=True,
            is_active=False,
            model_version=self.model_version,
            scored_at=self.scored_at,
            created_at=self.created_at,
            updated_at=now,
        )

    def differences(self, other: "CustomerRecord") -> list[str]:
        """Return the columns in which another record has another value."""
        others = other.__dict__
        return [column for column, value in self.__dict__.items() if value != others[column]]

    def moves_since(self, before: Self) -> list[str]:
        """Return what a score counts in the change of the model's version: nothing if the version is as before."""
        if before.model_version in {None, self.model_version}:
            return []
        if not {before.status, self.status} <= set(ACTIVE_STATUSES) or before.risk_level is None:
            return ["customers"]
        if before.risk_level == self.risk_level or self.risk_level is None:
            return ["customers"]
        return ["customers", "up" if is_above(self.risk_level, before.risk_level) else "down"]

    def share_of_totals(self) -> Counter[str]:
        """Return what the customer adds to the stored sums, by their names."""
        share: Counter[str] = Counter()
        self.count_in(share, None)
        return share

    def count_in(self, sums: Counter[str], before: "CustomerRecord | None") -> None:
        """Add to sums what the customer adds to them, less what the record of `before` did, if there was one."""
        with_cohorts = before is None or before.order_days != self.order_days
        for record, sign in ((self, 1), (before, -1)):
            for name, number in () if record is None else _shares(record, with_cohorts=with_cohorts):
                sums[name] += sign * number


CustomerSort = Literal[
    "churn_probability",
    "value_at_risk",
    "expected_spend",
    "risk_change_7d",
    "total_spent",
    "days_since_last_order",
    "customer_id",
]
"""What lists of customers can be sorted by."""

SortOrder = Literal["desc", "asc"]

FIELDS_OF_STATE = (*FEATURE_NAMES, "overdue_factor", "recommendations", "recommended_actions", "error")
"""Fields of a listed customer that are worked out from the stored state."""

CUSTOMER_FIELDS = (
    "customer_id", "name", "email", *FEATURE_NAMES, "status", "churn_probability", "risk_level", "model_kind",
    "model_source", "expected_orders", "expected_spend", "expected_spend_basis", "expected_spend_interval",
    "next_order_expected_at", "overdue_factor", "value_at_risk", "risk_percentile", "risk_change_7d",
    "revenue_at_risk", "days_at_risk", "days_since_return", "recommendations", "recommended_actions", "error",
)  # fmt: skip
"""The fields of a listed customer."""

COLUMNS = tuple(field.name for field in fields(CustomerRecord))
"""The columns of the table of customers, in their order."""


def _shares(record: CustomerRecord, *, with_cohorts: bool) -> Iterator[tuple[str, int]]:
    if record.deleted:
        return
    yield f"customers:{record.status}:{record.risk_level or 'none'}", 1
    if record.status in ACTIVE_STATUSES and record.churn_probability is not None:
        yield "probability", round(record.churn_probability * 1_000_000)
        yield "revenue_at_risk", round((record.value_at_risk or 0) * 100)
        yield "value_unknown", int(record.value_at_risk is None)
    if record.counted_bin is not None:
        yield f"bins:{record.counted_bin:03d}", 1
    if with_cohorts and record.order_days is not None:
        yield from share_of_cohorts(record.order_days).items()
