"""Scoring: apply events to customers, and score customers again as time passes, each batch in one transaction.

A transaction holds everything of a batch: history, states, predictions, alerts, sums, dead letters. An event that is
in the history already is skipped, so repeated and reordered deliveries have the effect of each event once.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from churn.adapters import secrets_manager
from churn.adapters.mysql import (
    Database,
    DataRefusedError,
    Transaction,
    alert_budget,
    customers,
    due_customers,
    erasure_key,
    event_counts,
    hourly_stats,
    models,
    totals,
)
from churn.adapters.mysql import events as history
from churn.adapters.mysql import predictions as stored_predictions
from churn.adapters.mysql.customers import Customer
from churn.adapters.mysql.dead_letters import DeadLetter
from churn.adapters.mysql.due_customers import Due
from churn.adapters.mysql.erasure import add_dead_letters, erase
from churn.adapters.mysql.orders import Ledgers
from churn.adapters.mysql.waiting_customers import most_valuable
from churn.domain.customer import observed_kinds
from churn.domain.customer_record import CHANGE_SPAN
from churn.domain.errors import DATA_ERRORS
from churn.domain.events import EVENT_TYPES, Event
from churn.domain.features import inputs_at
from churn.domain.model import Estimate, Predictor, answering, answering_versions
from churn.domain.tombstones import Tombstones
from churn.observability import logger
from churn.services.alert_raising import AlertRaising
from churn.services.batch_result import BatchResult
from churn.services.cohorts import note_order_days
from churn.services.folding import Folded, first_late, fold
from churn.services.imported_hours import HourSpan
from churn.services.profile_words import index_profiles
from churn.services.scoring_work import Work, as_of, level_of
from churn.services.serving_version import ServingVersion
from churn.services.shadow_predictions import shadow
from churn.settings import Settings

# So many customers whose stored events are due are taken along by a batch; the sweep takes all.
_MOST_DUE = 100
_MOST_RELEASED = 500
_PUT_OFF = timedelta(days=1)
# Silence alone moves the score of who has lapsed by little, and nobody is alerted on it.
_LAPSED_TIMES = 30
_key = attrgetter("pk")

CAME_AGAIN = "event ids came again with another content"
"""What the log says of events that were stored with another content under their id."""


class Scoring:
    """The use case of both the stream and the rescoring sweep; for one thread at a time, as in a Lambda environment."""

    def __init__(
        self,
        database: Database,
        model: Predictor,
        settings: Settings,
        challenger: Callable[[], Predictor | None] = lambda: None,
        *,
        promoted_at: Callable[[], datetime | None] = lambda: None,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        """`challenger`: the model of this moment whose answers are stored beside those that are served, if any.

        `promoted_at`: since when the version of `model` is the promoted one, where that is known. `renew`: make
        `model` the promoted version of this moment.
        """
        self._database = database
        self._model = model
        self._settings = settings
        self._challenger = challenger
        self.serving = ServingVersion(database, model, promoted_at, renew)
        self._tombstones = Tombstones(lambda: secrets_manager.resolve(settings.erasure_key))
        self._known_key: str | None = None

    def apply(
        self,
        events: Sequence[Event],
        *,
        now: datetime,
        raise_alerts: bool = True,
        hours: HourSpan | None = None,
        dead: Sequence[DeadLetter] = (),
    ) -> BatchResult:
        """Apply events, each once by its id, in one transaction, and store the records that are no events beside them.

        `raise_alerts` is off for the import of a history; what it changes of `hours` is in the result. Raises
        DatabaseUnavailableError, ErasureKeyChangedError, and then nothing is done.
        """
        self._check_key()
        self.serving.record_or_renew(now)

        def run(most_due: int) -> BatchResult:
            return self._database.run(
                lambda transaction: self._apply(transaction, events, now, raise_alerts, hours, dead, most_due)
            )

        try:
            result = run(_MOST_DUE if raise_alerts else 0)
        except (DataRefusedError, *DATA_ERRORS):
            if not self._database.run(lambda transaction: customers.with_events_due(transaction, now, 1)):
                raise
            # Whoever is taken along must not fail the events of others.
            result = run(0)
        result.new_model = self.serving.take_new()
        return result

    def reconnect(self) -> None:
        """Close the connection to the database: the next transaction opens a new one."""
        self._database.close()

    def observe(self, kinds: Mapping[str, int]) -> None:
        """Store since when kinds of events are sent, before the import of a long history that holds them."""
        self._database.run(lambda transaction: history.observe(transaction, kinds))

    def due(self, after: int, *, now: datetime) -> list[int]:
        """Return the keys above one of the customers whose score is out of date. Raises DatabaseUnavailableError."""
        self.serving.record(now)
        return self._database.run(lambda transaction: due_customers.keys(transaction, self.due_at(now), after))

    def due_at(self, now: datetime) -> Due:
        """Return who is due to be scored at an instant."""
        rules = self._settings.alerts
        return Due(
            scored_before=now - self._settings.sweep_after,
            lapsed_before=now - _LAPSED_TIMES * self._settings.sweep_after,
            lapses_before=now - timedelta(days=self._settings.risk_rules.inactivity_days),
            # Where their number is limited, what waits is looked at when it is released.
            alerted_before=None if rules.a_day else now - rules.cooldown,
            least_value=rules.min_value,
            now=now,
            model_versions=answering_versions(self._model),
        )

    def rescore(self, keys: Sequence[int], *, now: datetime) -> BatchResult:
        """Score those of some customers, by their keys, whose score is still out of date, in one transaction.

        None by a version that serves no more. Raises DatabaseUnavailableError; what a customer's data raise undoes it.
        """
        self.serving.record(now)
        result = self._database.run(lambda transaction: self._rescore(transaction, keys, now))
        result.new_model = self.serving.take_new()
        return result

    def waiting(self, after: tuple[float, int] | None, *, now: datetime) -> list[tuple[float, int]]:
        """Return value at risk and key of customers whose alerts wait for a day with room, the most valuable first.

        As many as this day has room for, of a page at most, after those that are named. Raises
        DatabaseUnavailableError.
        """
        rules = self._settings.alerts

        def read(transaction: Transaction) -> list[tuple[float, int]]:
            room = min(rules.a_day - alert_budget.raised_today(transaction), _MOST_RELEASED)
            return most_valuable(transaction, rules.min_value, now - rules.cooldown, after, room) if room > 0 else []

        return self._database.run(read) if rules.a_day else []

    def release(self, keys: Sequence[int], *, now: datetime) -> BatchResult:
        """Score customers again and raise their alerts, the most valuable first, while the day has room.

        In one transaction, and on the database's day. Raises DatabaseUnavailableError; whatever a customer's data raise
        undoes all of it.
        """
        self.serving.record(now)
        result = self._database.run(lambda transaction: self._release(transaction, keys, now))
        result.new_model = self.serving.take_new()
        return result

    def put_off(self, key: int, now: datetime) -> None:
        """Let no batch take a customer along for a day, whose stored data cannot be read."""
        self._database.run(lambda transaction: customers.put_off(transaction, key, now, now + _PUT_OFF))

    def _check_key(self) -> None:
        """Make sure, whenever the secret is read anew, that it is the key of the stored tombstones."""
        if self._known_key != self._tombstones.fingerprint:
            self._database.run(lambda transaction: erasure_key.check(transaction, self._tombstones))
            self._known_key = self._tombstones.fingerprint

    def _apply(
        self,
        transaction: Transaction,
        events: Sequence[Event],
        now: datetime,
        raise_alerts: bool,
        hours: HourSpan | None,
        dead: Sequence[DeadLetter],
        most_due: int,
    ) -> BatchResult:
        letters = add_dead_letters(transaction, dead, now, self._tombstones)
        result = BatchResult(dead_letters=letters)
        ledgers = Ledgers(transaction)
        folded = self._fold(ledgers, events, now, result, hours, most_due)
        observed = history.observed(transaction)
        kinds = observed_kinds(event for own in folded.new.values() for event in own)
        earlier = {kind: at for kind, at in kinds.items() if at < observed.get(kind, at + 1)}
        raising = AlertRaising(transaction, self._settings.alerts, now, is_on=raise_alerts)
        work = Work(now, observed | earlier, raising)
        kept = self._without_erased(transaction, folded, work)
        late = first_late(kept, folded.events, now)
        scored = self._score(kept, folded.events, work, is_asked_for=True)
        history.add(
            transaction,
            [(customer.pk, event) for customer in sorted(kept, key=_key) for event in folded.new[customer.pk]],
        )
        ledgers.save()
        if hours:
            result.hours.update(hours.of(ledgers, [one for one in folded.changed if folded.new[one.pk]]))
        if raise_alerts:
            hourly_stats.note_change(transaction, late, now)
        index_profiles(transaction, kept, folded.events)
        self._write(transaction, folded.changed, scored, work, result)
        if raise_alerts:
            work.received.update(event.event_type for own in folded.new.values() for event in own)
        history.observe(transaction, earlier)
        self._finish(transaction, work, result)
        return result

    def _fold(
        self,
        ledgers: Ledgers,
        events: Sequence[Event],
        now: datetime,
        result: BatchResult,
        hours: HourSpan | None,
        most_due: int,
    ) -> Folded:
        """Fold the new events, and stored ones whose time has come, into their customers' states, under their locks."""
        if not events:
            return Folded()
        unique: dict[tuple[str, str], Event] = {}
        for event in [history.under_stored_ids(ledgers.transaction, event) for event in events]:
            first = unique.setdefault((event.customer_id, event.event_id), event)
            result.conflicting += first != event
        due = customers.with_events_due(ledgers.transaction, now, most_due)
        named = {*due, *(event.customer_id for event in unique.values())}
        touched = customers.lock(ledgers, named, now, self._tombstones)
        fresh = self._fresh(ledgers.transaction, list(unique.values()), touched, result)
        result.events, result.repeated = len(fresh), len(events) - len(fresh) - result.too_late
        result.unknown_types = sum(event.event_type not in EVENT_TYPES for event in fresh)
        new: dict[int, list[Event]] = {}
        for event in fresh:
            new.setdefault(touched[event.customer_id].pk, []).append(event)
        if hours:
            changing = [one for one in touched.values() if one.pk in new and not one.is_new]
            result.hours.subtract(hours.of(ledgers, changing))
        return fold(ledgers, touched.values(), new, now)

    def _rescore(self, transaction: Transaction, keys: Sequence[int], now: datetime) -> BatchResult:
        ledgers = Ledgers(transaction)
        due = due_customers.lock(ledgers, keys, self.due_at(now))
        if not self.serving.holds(transaction):
            # Read under the customers' locks: what a later version has scored is not scored back.
            return BatchResult(is_outdated=True)
        return self._score_again(ledgers, due, AlertRaising(transaction, self._settings.alerts, now), now)

    def _release(self, transaction: Transaction, keys: Sequence[int], now: datetime) -> BatchResult:
        day, raised = alert_budget.lock(transaction)
        ledgers, rules = Ledgers(transaction), self._settings.alerts
        due = customers.lock_keys(ledgers, keys)
        if not self.serving.holds(transaction):
            return BatchResult(is_outdated=True)
        raising = AlertRaising(transaction, rules, now, room=rules.a_day - raised)
        result = self._score_again(ledgers, due, raising, now)
        alert_budget.take(transaction, day, rules.a_day - raised - raising.room)
        return result

    def _score_again(
        self, ledgers: Ledgers, due: Sequence[Customer], raising: AlertRaising, now: datetime
    ) -> BatchResult:
        """Score customers, who are locked, as of now."""
        result, transaction = BatchResult(rescored=len(due)), ledgers.transaction
        if not due:
            return result
        work = Work(now, history.observed(transaction), raising)
        folded = fold(ledgers, due, {}, now, everybody=True)
        late = first_late(due, folded.events, now)
        scored = self._score(due, folded.events, work, is_asked_for=False)
        ledgers.save()
        hourly_stats.note_change(transaction, late, now)
        index_profiles(transaction, due, folded.events)
        self._write(transaction, due, scored, work, result)
        self._finish(transaction, work, result)
        return result

    def _fresh(
        self, transaction: Transaction, events: Sequence[Event], touched: Mapping[str, Customer], result: BatchResult
    ) -> list[Event]:
        """Return the events that were not applied before, of customers that are not deleted."""
        living = [
            (touched[event.customer_id].pk, event) for event in events if not touched[event.customer_id].state.deleted
        ]
        kept = [(pk, event) for pk, event in living if not touched[event.customer_id].state.is_too_late(event)]
        result.too_late, living = len(living) - len(kept), kept
        stored = history.known(transaction, [(pk, one) for pk, one in living if not touched[one.customer_id].is_new])
        result.conflicting += sum(not is_same for is_same in stored.values())
        if result.conflicting:
            logger.warning(CAME_AGAIN, extra={"events": result.conflicting})
        return [event for pk, event in living if (pk, event.event_id) not in stored]

    def _without_erased(self, transaction: Transaction, folded: Folded, work: Work) -> list[Customer]:
        """Erase the customers who were deleted, and return the others."""
        for customer in folded.changed:
            if customer.state.deleted:
                tombstone = self._tombstones.of(customer.record.customer_id)
                arriving = folded.new[customer.pk]
                change = erase(transaction, customer.record, self._tombstones, arriving, now=work.now)
                work.change.update(change)
                customer.record = customer.record.erased(tombstone, work.now)
        return [customer for customer in folded.changed if not customer.state.deleted]

    def _score(
        self, scored: Sequence[Customer], events: Mapping[int, Sequence[Event]], work: Work, *, is_asked_for: bool
    ) -> dict[int, Estimate]:
        """Bring records up to date with their states and the clock, and decide what is stored and what is alerted on.

        Scores that are stored whatever they are come with their reasons, which is every one that follows from events,
        if it `is_asked_for`. The others are estimates at first; reasons follow of those that have moved, or have none.
        """
        if not scored:
            return {}
        inputs = [inputs_at(customer.state, as_of(customer), work.observed) for customer in scored]
        work.inputs = {customer.pk: row for customer, row in zip(scored, inputs, strict=True)}
        by_origin = {of_sample: answering(self._model, of_sample=of_sample) for of_sample in (True, False)}
        work.models = {customer.pk: by_origin[customer.record.of_sample] for customer in scored}
        asked = {customer.pk for customer in scored if is_asked_for and events.get(customer.pk)}
        answers = work.answers(asked)
        for customer, row in zip(scored, inputs, strict=True):
            before = customer.record
            customer.record = before.scored(
                customer.state,
                row,
                answers[customer.pk],
                as_of=as_of(customer),
                now=work.now,
                rules=self._settings.risk_rules,
            )
            work.moves.update(customer.record.moves_since(before))
            work.raising.weigh(before, customer, row)
            work.raising.take_events(customer, events.get(customer.pk, ()))
        work.raising.decide()
        stored = {
            customer.pk: customer
            for customer in scored
            if work.raising.settle(customer, is_asked_for=customer.pk in asked)
        }
        work.explain({one.pk for one in scored if one.pk in stored or not one.is_explained})
        work.stored = [(pk, level_of(customer), work.explained[pk]) for pk, customer in stored.items()]
        return answers

    def _write(
        self,
        transaction: Transaction,
        changed: Sequence[Customer],
        scored: Mapping[int, Estimate],
        work: Work,
        result: BatchResult,
    ) -> None:
        older = [customer.pk for customer in changed if customer.pk in scored and not customer.is_new]
        before = stored_predictions.newest_until(transaction, older, work.now - CHANGE_SPAN)
        for customer in changed:
            if customer.pk in scored:
                customer.record = customer.record.compared_with(before.get(customer.pk))
        note_order_days(transaction, changed)
        customers.save(transaction, changed, work.explained)
        instants = {customer.pk: as_of(customer) for customer in changed if customer.state.clock is not None}
        records = {customer.pk: customer.record for customer in changed}
        stored_predictions.add(transaction, work.stored, work.inputs, records, work.now)
        stored_keys = [pk for pk, _, _ in work.stored]
        shadow(transaction, self._challenger(), stored_keys, work.inputs, instants, work.now)
        for _, level, _ in work.stored:
            work.change[f"predictions:{level}"] += 1
        result.predictions = [(records[pk].customer_id, level, prediction) for pk, level, prediction in work.stored]
        for customer in changed:
            customer.record.count_in(work.change, customer.stored)

    def _finish(self, transaction: Transaction, work: Work, result: BatchResult) -> None:
        if work.moves:
            moves = models.Moves(work.moves["customers"], work.moves["up"], work.moves["down"])
            models.count_moves(transaction, self._model.version, moves)
        event_counts.add(transaction, work.received, work.now)
        of_alerts = Counter({name: work.change.pop(name) for name in [*work.change] if name.startswith("alerts")})
        totals.add(transaction, work.change)
        result.alert_ids = work.raising.store(of_alerts, work.explained)
