"""What the challenger says of the customers whose served predictions are stored, to be compared on outcomes."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from churn.adapters.mysql import Transaction, predictions
from churn.domain.features import Inputs
from churn.domain.model import Predictor
from churn.observability import count_alone, logger


def shadow(
    transaction: Transaction,
    challenger: Predictor | None,
    keys: Sequence[int],
    inputs: Mapping[int, Inputs],
    as_of: Mapping[int, datetime],
    now: datetime,
) -> None:
    """Store the challenger's answers beside the predictions that are stored; its failure changes nothing else.

    `keys`: of the customers with a stored prediction; `inputs`, and the instant that each is for, are by key.
    """
    if challenger is None or not keys:
        return
    try:
        probabilities = challenger.probabilities([inputs[pk] for pk in keys])
        if not all(0 <= probability <= 1 for probability in probabilities):
            raise ValueError("a probability is not between 0 and 1")
        answers = dict(zip(keys, probabilities, strict=True))
    except Exception:  # noqa: BLE001 (it is logged, and whatever is wrong with it is not the served model's concern)
        count_alone("ChallengerFailures")
        logger.exception("the challenger failed; what serves is not touched by it")
        return
    predictions.add_shadows(transaction, challenger.version, answers, as_of, now)
