"""The release of alerts that wait, where their number a day is limited: the most valuable first.

Rises of the risk are held as they are found, one batch of events at a time. At the end of each rescoring sweep those
whose customers have the most to lose are scored once more, and raised while the day has room.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from churn.adapters.mysql import DataRefusedError
from churn.domain.errors import DATA_ERRORS
from churn.observability import note_unreadable
from churn.services.batch_result import BatchResult
from churn.services.scoring import Scoring

# What may be the fault of one customer's data; everything else is that of a server, or of the model.
OF_A_CUSTOMER = (DataRefusedError, *DATA_ERRORS)


def release(
    scoring: Scoring, *, now: datetime, time_left: Callable[[], bool], done: Callable[[BatchResult], None]
) -> int:
    """Raise the most valuable of the alerts that wait, as far as the day's budget goes; return how many.

    Does nothing where their number is not limited. Goes on as long as there is time, for one page at least. `done` is
    called after each transaction, to push what it raised. Raises UnavailableError.
    """
    raised, after = 0, None
    while page := scoring.waiting(after, now=now):
        after = page[-1]
        results = _raise(scoring, [key for _, key in page], now)
        for result in results:
            done(result)
        raised += sum(len(result.alert_ids) for result in results)
        if any(result.is_outdated for result in results) or not time_left():
            break
    return raised


def _raise(scoring: Scoring, keys: Sequence[int], now: datetime) -> list[BatchResult]:
    try:
        return [scoring.release(keys, now=now)]
    except OF_A_CUSTOMER as error:
        if len(keys) == 1:
            note_unreadable(keys[0], error)
            return []
    # One whose data cannot be read must not keep the others waiting.
    return [result for key in keys for result in _raise(scoring, [key], now)]
