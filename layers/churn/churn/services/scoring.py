"""Scoring: events and the clock change what is known of customers; each change is scored and stored as one whole.

Everything of a batch (history, states, predictions, alerts, sums, dead letters) is one transaction, and an event that
the history knows is passed over: delivery may repeat and reorder as it likes, the effect is that of each event once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from churn.adapters.mysql import Database, Transaction, customers, records, totals
from churn.adapters.mysql import events as history
from churn.adapters.mysql.customers import Customer
from churn.adapters.mysql.records import DeadLetter
from churn.domain.alerts import NewAlert, immediate_alert, remember, risk_alert
from churn.domain.customer import observed_kinds
from churn.domain.events import EVENT_TYPES, Event
from churn.domain.features import Features, Inputs, Observed, inputs_at
from churn.domain.model import Prediction, Predictor
from churn.domain.risk import customer_status, expected_spend
from churn.domain.search_terms import search_words
from churn.domain.timestamps import from_millis
from churn.observability import count_alone, logger
from churn.settings import Settings

# A producer's clock may be ahead of ours by this much; what lies further ahead counts when its time has come.
_CLOCK_SKEW = timedelta(days=1)
# A sweep stores a prediction only when it says something new.
_NOTEWORTHY = 0.005
_SETTLED = frozenset({"lapsed", "insufficient_data"})


@dataclass(slots=True)
class Applied:
    """What one transaction has done."""

    events: int = 0
    repeated: int = 0
    unknown_types: int = 0
    dead_letters: int = 0
    rescored: int = 0
    new_model: str | None = None
    """The version that has served here for the first time."""
    alert_ids: list[int] = field(default_factory=list)
    predictions: list[tuple[str, str, Prediction]] = field(default_factory=list)
    """Customer id, risk level and prediction of each customer that was scored."""


@dataclass(slots=True)
class _Work:
    """What a transaction gathers on its way, to be written at its end."""

    now: datetime
    observed: Observed
    alerts: list[tuple[int, NewAlert]] = field(default_factory=list)
    stored: list[tuple[int, str, Prediction]] = field(default_factory=list)
    inputs: dict[int, Inputs] = field(default_factory=dict)
    change: Counter[str] = field(default_factory=Counter)


class Scoring:
    """The use case of both the stream and the sweep; one thread at a time, as in a Lambda environment."""

    def __init__(
        self,
        database: Database,
        model: Predictor,
        settings: Settings,
        challenger: Callable[[], Predictor | None] = lambda: None,
    ) -> None:
        """`challenger`: the model of this moment whose answers are stored beside those that are served, if any."""
        self._database = database
        self._model = model
        self._settings = settings
        self._challenger = challenger
        self._recorded: str | None = None

    def apply(
        self, events: Sequence[Event], *, now: datetime, raise_alerts: bool = True, dead: Sequence[DeadLetter] = ()
    ) -> Applied:
        """Applies events, each once by its id, in one transaction, and stores what was no event beside them.

        `raise_alerts` is off for an imported history. Raises DatabaseUnavailableError, and then nothing is done.
        """
        new_model = self._record_model(now)
        applied = self._database.run(lambda transaction: self._apply(transaction, events, now, raise_alerts, dead))
        applied.new_model = new_model
        return applied

    def observe(self, kinds: Mapping[str, int]) -> None:
        """Makes known since when kinds of events are sent, before a long history that holds them is brought in."""
        self._database.run(lambda transaction: history.observe(transaction, kinds))

    def rescore(self, after: int, limit: int, *, now: datetime) -> tuple[Applied, int | None]:
        """Scores those of the next `limit` customers, by key, who have not been for `sweep_after`, in one transaction.

        Returns the last key that was looked at, None at the end of the table. Raises DatabaseUnavailableError.
        """
        new_model = self._record_model(now)
        applied, last = self._database.run(lambda transaction: self._rescore(transaction, after, limit, now))
        applied.new_model = new_model
        return applied, last

    def _apply(
        self,
        transaction: Transaction,
        events: Sequence[Event],
        now: datetime,
        raise_alerts: bool,
        dead: Sequence[DeadLetter],
    ) -> Applied:
        applied = Applied(dead_letters=records.add_dead_letters(transaction, dead, now))
        by_id = {(event.customer_id, event.event_id): event for event in events}
        touched = customers.lock(transaction, {event.customer_id for event in by_id.values()}, now) if by_id else {}
        fresh = self._fresh(transaction, list(by_id.values()), touched)
        applied.events, applied.repeated = len(fresh), len(events) - len(fresh)
        applied.unknown_types = sum(event.event_type not in EVENT_TYPES for event in fresh)

        observed = history.observed(transaction)
        earlier = {kind: at for kind, at in observed_kinds(fresh).items() if at < observed.get(kind, at + 1)}
        work = _Work(now, observed | earlier)
        of_customer: dict[int, list[Event]] = {}
        for event in fresh:
            customer = touched[event.customer_id]
            customer.state.apply(event)
            of_customer.setdefault(customer.pk, []).append(event)
        changed = [customer for customer in touched.values() if customer.pk in of_customer]
        kept = [customer for customer in changed if not self._erased(transaction, customer, work)]

        as_of = {customer.pk: self._clock(customer, of_customer[customer.pk], now) for customer in kept}
        predictions = self._score(kept, as_of, work, raise_alerts=raise_alerts)
        work.stored.extend(
            (customer.pk, customer.row["risk_level"], predictions[customer.pk])
            for customer in kept
            if customer.pk in predictions
        )
        if raise_alerts:
            for customer in kept:
                work.alerts.extend(self._immediate(customer, of_customer[customer.pk], now))
        kept_keys = {customer.pk for customer in kept}
        history.add(
            transaction,
            [(pk, event) for pk, mine in sorted(of_customer.items()) if pk in kept_keys for event in mine],
        )
        customers.index_words(transaction, self._new_words(kept, of_customer))
        self._write(transaction, changed, predictions, work, applied)
        history.observe(transaction, earlier)
        self._finish(transaction, work, applied)
        return applied

    def _rescore(self, transaction: Transaction, after: int, limit: int, now: datetime) -> tuple[Applied, int | None]:
        due, last = customers.lock_due(
            transaction,
            after,
            limit,
            scored_before=now - self._settings.sweep_after,
            model_version=self._model.version,
        )
        applied = Applied(rescored=len(due))
        if not due:
            return applied, last
        work = _Work(now, history.observed(transaction))
        before = {customer.pk: customer.row["churn_probability"] for customer in due}
        predictions = self._score(
            due, {customer.pk: self._clock(customer, (), now) for customer in due}, work, raise_alerts=True
        )
        for customer in due:
            old, new = before[customer.pk], predictions[customer.pk]
            if old is None or abs(new.churn_probability - old) >= _NOTEWORTHY:
                work.stored.append((customer.pk, customer.row["risk_level"], new))
        self._write(transaction, due, predictions, work, applied)
        self._finish(transaction, work, applied)
        return applied, last

    def _fresh(self, transaction: Transaction, events: Sequence[Event], touched: Mapping[str, Customer]) -> list[Event]:
        living = [event for event in events if not touched[event.customer_id].state.deleted]
        pairs = [(touched[event.customer_id].pk, event.event_id) for event in living]
        known = history.known(transaction, pairs)
        return [event for event, pair in zip(living, pairs, strict=True) if pair not in known]

    def _erased(self, transaction: Transaction, customer: Customer, work: _Work) -> bool:
        if not customer.state.deleted:
            return False
        work.change.update(customers.erase(transaction, customer.pk))
        customer.row.update(
            deleted=1,
            is_active=0,
            status="insufficient_data",
            expected_spend=0,
            total_orders=0,
            total_spent=0,
            **dict.fromkeys(
                (
                    "name",
                    "email",
                    "phone",
                    "address",
                    "first_seen_at",
                    "last_order_at",
                    "churn_probability",
                    "risk_level",
                    "confidence",
                    "remembered_level",
                    "alerted_level",
                    "alerted_at",
                )
            ),
            updated_at=work.now,
        )
        return True

    def _clock(self, customer: Customer, events: Sequence[Event], now: datetime) -> datetime:
        """The instant that a customer is scored at: it never goes back, and takes in what has just happened."""
        scored_at = customer.row["scored_at"]
        clock = now if scored_at is None else max(now, scored_at)
        return max([clock, *(event.timestamp for event in events if event.timestamp <= clock + _CLOCK_SKEW)])

    def _score(
        self, scored: Sequence[Customer], as_of: Mapping[int, datetime], work: _Work, *, raise_alerts: bool
    ) -> dict[int, Prediction]:
        """Brings rows up to date with their states and the clock; one call of the model for all of them."""
        if not scored:
            return {}
        inputs = [inputs_at(customer.state, as_of[customer.pk], work.observed) for customer in scored]
        work.inputs = {customer.pk: known for customer, known in zip(scored, inputs, strict=True)}
        predictions = self._model.predict(inputs)
        for customer, known, prediction in zip(scored, inputs, predictions, strict=True):
            self._bring_up_to_date(customer, known, prediction, as_of[customer.pk], work.now)
            if customer.row["status"] in _SETTLED:
                continue
            memory, raised = remember(
                customer.memory, prediction.churn_probability, self._settings.alerts, as_of[customer.pk]
            )
            if raised and raise_alerts:
                level = str(memory.level)
                work.alerts.append((customer.pk, risk_alert(customer.name, level, prediction, known)))
            customer.row.update(
                remembered_level=memory.level,
                alerted_level=memory.alerted_level if raise_alerts else customer.row["alerted_level"],
                alerted_at=memory.alerted_at if raise_alerts else customer.row["alerted_at"],
            )
        return {customer.pk: prediction for customer, prediction in zip(scored, predictions, strict=True)}

    def _bring_up_to_date(
        self, customer: Customer, features: Features, prediction: Prediction, as_of: datetime, now: datetime
    ) -> None:
        state, row = customer.state, customer.row
        level = self._settings.bands.level(prediction.churn_probability)
        row.update({name: value for name, (_, value) in state.profile.items()})
        row.update(
            is_active=int(state.is_active),
            first_seen_at=None if state.since is None else from_millis(state.since),
            last_order_at=state.last_order_at(as_of),
            total_orders=int(features["total_orders"] or 0),
            total_spent=features["total_spent"] or 0,
            status=customer_status(features, level, inactivity_days=self._settings.inactivity_days),
            churn_probability=prediction.churn_probability,
            risk_level=level,
            confidence=prediction.confidence,
            model_version=prediction.model_version,
            expected_spend=round(expected_spend(features, self._settings.horizon_days), 2),
            scored_at=as_of,
            updated_at=now,
        )

    def _immediate(self, customer: Customer, events: Sequence[Event], now: datetime) -> list[tuple[int, NewAlert]]:
        probability = customer.row["churn_probability"]
        called = (immediate_alert(event, customer.name, probability, now) for event in events)
        return [(customer.pk, alert) for alert in called if alert is not None]

    def _new_words(self, kept: Sequence[Customer], of_customer: Mapping[int, Sequence[Event]]) -> dict[int, set[str]]:
        return {
            customer.pk: search_words(customer.row["customer_id"], customer.row["name"], customer.row["email"])
            for customer in kept
            if not customer.counted
            or any(event.event_type in {"customer_registered", "profile_updated"} for event in of_customer[customer.pk])
        }

    def _write(
        self,
        transaction: Transaction,
        changed: Sequence[Customer],
        predictions: Mapping[int, Prediction],
        work: _Work,
        applied: Applied,
    ) -> None:
        customers.save(transaction, changed, predictions)
        records.add_predictions(transaction, work.stored, work.now)
        self._shadow(transaction, work)
        for _, level, _ in work.stored:
            work.change[f"predictions:{level}"] += 1
        names = {customer.pk: str(customer.row["customer_id"]) for customer in changed}
        applied.predictions = [(names[pk], level, prediction) for pk, level, prediction in work.stored]
        for customer in changed:
            work.change.update(customers.share_of_totals(customer.row))
            work.change.subtract(customer.counted)

    def _shadow(self, transaction: Transaction, work: _Work) -> None:
        """Stores the challenger's answers for what is stored of the model that serves; its failure is its own."""
        challenger = self._challenger()
        if challenger is None or not work.stored:
            return
        keys = [pk for pk, _, _ in work.stored]
        try:
            probabilities = challenger.probabilities([work.inputs[pk] for pk in keys])
            if not all(0 <= probability <= 1 for probability in probabilities):
                raise ValueError("a probability is not between 0 and 1")
            answers = dict(zip(keys, probabilities, strict=True))
        except Exception:  # noqa: BLE001 (it is logged, and whatever is wrong with it is not the served model's concern)
            count_alone("ChallengerFailures")
            logger.exception("the challenger failed; what serves is not touched by it")
            return
        records.add_shadow_predictions(transaction, challenger.version, answers, work.now)

    def _finish(self, transaction: Transaction, work: _Work, applied: Applied) -> None:
        alerts = self._at_most_one_open(transaction, work.alerts)
        for _, alert in alerts:
            work.change[f"alerts:new:{alert.priority}"] += 1
            work.change[f"alerts_created:{work.now:%Y-%m-%d}"] += 1
        totals.add(transaction, work.change)
        applied.alert_ids = records.add_alerts(transaction, alerts, work.now)

    def _at_most_one_open(
        self, transaction: Transaction, alerts: Sequence[tuple[int, NewAlert]]
    ) -> list[tuple[int, NewAlert]]:
        taken = records.open_alerts(transaction, sorted({pk for pk, _ in alerts}))
        allowed = []
        for pk, alert in alerts:
            if (pk, alert.alert_type) not in taken:
                taken.add((pk, alert.alert_type))
                allowed.append((pk, alert))
        return allowed

    def _record_model(self, now: datetime) -> str | None:
        version, metadata = self._model.version, self._model.metadata
        if self._recorded == version:
            return None
        is_new = self._database.run(lambda transaction: records.record_model(transaction, version, metadata, now))
        self._recorded = version
        return version if is_new else None
