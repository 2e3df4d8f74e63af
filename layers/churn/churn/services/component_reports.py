"""Reports of a function on itself, which `/health` reads: when it last read, wrote, failed, and which model it holds.

Never in the way of a request: at most one in ten seconds, on a connection of its own, and not waited for if it is slow.
Only what tells of a failure, or was not stored, is corrected a second later, if the function's work succeeds again.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

from churn.observability import logger

EVERY_SECONDS = 10.0
_CORRECTED_AFTER_SECONDS = 1.0
# A report takes some milliseconds; one that takes longer than this is written while the answer is on its way.
_PATIENCE_SECONDS = 0.2


class HeldModel(Protocol):
    """The model in a function's memory, such as `CurrentModel`; functions without one do not import numpy."""

    refused: str | None

    @property
    def version(self) -> str:
        """The version that is held."""


class Reporter:
    """The reports of one function, from one execution environment."""

    def __init__(
        self,
        component: str,
        database_url: str,
        model: HeldModel | None = None,
        *,
        first_after: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without a database there are no reports.

        `model`: what the function predicts with. `first_after`: seconds from the start to the first report, which the
        first requests need not wait for.
        """
        self._component = component
        self._url = database_url
        self._model = model
        self._clock = clock
        self._since = datetime.now(UTC)
        self._done_at: datetime | None = None
        self._due_at = clock() + first_after
        self._corrected_at: float | None = None
        self._writing: threading.Thread | None = None

    def note(self, *, done: bool = False) -> None:
        """Report if it is time; `done`: the function has just done its work, such as a batch or a sweep."""
        if done:
            self._done_at = datetime.now(UTC)
        is_writing = self._writing is not None and self._writing.is_alive()
        if not self._url or is_writing or not self._is_due(self._clock()):
            return
        self._due_at = self._clock() + EVERY_SECONDS
        self._corrected_at = None
        self._writing = threading.Thread(target=self._write, name="report", daemon=True)
        self._writing.start()
        self._writing.join(_PATIENCE_SECONDS)

    def _is_due(self, at: float) -> bool:
        if at >= self._due_at or self._corrected_at is None or at < self._corrected_at:
            return at >= self._due_at
        from churn.adapters.mysql.activity import PROCESS  # noqa: PLC0415

        return PROCESS.works

    def _write(self) -> None:
        is_stored_as_good = False
        try:
            # A prediction for features alone needs no database, and its function is spared the import at its start.
            from churn.adapters.mysql import Database, component_reports  # noqa: PLC0415
            from churn.adapters.mysql.activity import PROCESS, Activity  # noqa: PLC0415

            now, model = datetime.now(UTC), self._model
            report = component_reports.Report(
                self._component,
                self._since,
                now,
                PROCESS.read_at,
                PROCESS.written_at,
                PROCESS.failed_at,
                PROCESS.failure,
                self._done_at,
                None if model is None else model.version,
                None if model is None or model.refused is None else model.refused[:500],
            )
            # Not the function's own connection, and not its activity: a report says what requests met with.
            database = Database(self._url, connect_timeout=1, statement_timeout=1, attempts=1, activity=Activity())
            try:
                database.run(lambda transaction: component_reports.note(transaction, report))
            finally:
                database.close()
            is_stored_as_good = not report.is_failing
        except Exception as error:  # noqa: BLE001 (a report that fails is no failure of the request)
            logger.warning("the function's report could not be written", extra={"reason": type(error).__name__})
        if not is_stored_as_good:
            self._corrected_at = self._clock() + _CORRECTED_AFTER_SECONDS
