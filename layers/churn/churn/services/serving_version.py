"""The version of the model that serves, as the database has it: the same for all processes, whatever each one holds."""

from collections.abc import Callable
from datetime import datetime

from churn.adapters.mysql import Database, Transaction, models
from churn.domain.model import Predictor, answering


class ServingVersion:
    """What one process knows of the version that serves: it tells the database of its own, and asks whether it serves.

    `promoted_at`: since when the version of `model` is the promoted one, where that is known. `renew`: make `model` the
    promoted version of this moment.
    """

    def __init__(
        self,
        database: Database,
        model: Predictor,
        promoted_at: Callable[[], datetime | None],
        renew: Callable[[], None],
    ) -> None:
        self._database = database
        self._model = model
        self._promoted_at = promoted_at
        self._renew = renew
        self._recorded: tuple[str, datetime | None] | None = None
        self._new: str | None = None

    def record(self, now: datetime, *, again: bool = False) -> None:
        """Record that the model's version serves, if that is news.

        `again`: also where this was done, as a process that knows of no promotion may have taken its place since.
        """
        version, promoted_at = self._model.version, self._promoted_at()
        if self._recorded == (version, promoted_at) and not again:
            return
        own = answering(self._model, of_sample=False)

        def run(transaction: Transaction) -> bool:
            is_new = models.record_serving(transaction, version, self._model.metadata, now, promoted_at)
            if own.version != version:
                models.record_beside(transaction, own.version, own.metadata, now)
            return is_new

        is_new = self._database.run(run)
        self._recorded = version, promoted_at
        self._new = version if is_new else self._new

    def record_or_renew(self, now: datetime) -> None:
        """Record the model's version; renew it first if another process has noticed a promotion before."""
        self.record(now)
        if not self._database.run(self.holds):
            self._renew()
            self.record(now)

    def take_new(self) -> str | None:
        """Return the version that has served for the first time since the last call, None if there is none."""
        new, self._new = self._new, None
        return new

    def holds(self, transaction: Transaction) -> bool:
        """Return whether the model's version is the one that serves."""
        return models.serves(transaction, self._model.version)

    def open_change(self, now: datetime) -> int | None:
        """Return the key of the change to the model's version, if not every customer has been scored by it yet."""
        self.record(now)
        return self._database.run(lambda transaction: models.open_change(transaction, self._model.version))

    def end_change(self, key: int, now: datetime) -> None:
        """End a change of the version: a sweep that began after it has come past every customer."""
        self._database.run(lambda transaction: models.end_change(transaction, key, now))
