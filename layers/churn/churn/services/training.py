"""What training reads of the stored shop and of the registry."""

from collections.abc import Iterator

from churn.adapters.mysql import Database
from churn.adapters.mysql.events import histories as stored_histories
from churn.adapters.s3_registry import ModelRegistry, UnknownVersion
from churn.domain.events import Event
from churn.domain.model import BrokenModelError
from churn.ml.loading import StoredModel


class StoredHistories:
    """All customers' events, read anew each time they are gone through."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def __iter__(self) -> Iterator[tuple[str, list[Event]]]:
        return stored_histories(self._database)


def model_in_use(registry: ModelRegistry) -> StoredModel | None:
    """The promoted model, or None when there is none that could be compared with."""
    version = registry.standing().version
    try:
        return None if version is None else registry.load(version)
    except (BrokenModelError, UnknownVersion):
        return None
