"""Closing sockets whose time is over: that of the token that opened them, or the longest that a connection lasts."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from churn.adapters.api_gateway_push import (
    POSTERS,
    ConnectionGoneError,
    MessageRefusedError,
    Push,
    PushUnavailableError,
)
from churn.adapters.mysql import Database, websocket_connections
from churn.observability import logger

_AT_ONCE = 500
_BUDGET_SECONDS = 20.0


def close_expired(database: Database, push: Push, *, budget: float = _BUDGET_SECONDS) -> int:
    """Close the sockets whose time is over, within about `budget` seconds; return how many are closed.

    One that could not be closed now stays registered, for the next call. Raises DatabaseUnavailableError.
    """
    deadline, closed = time.monotonic() + budget, 0
    while time.monotonic() < deadline:
        connections = database.run(lambda transaction: websocket_connections.expired(transaction, _AT_ONCE))
        with ThreadPoolExecutor(POSTERS) as pool:
            outcomes = pool.map(lambda connection: _close(push, connection), connections)
            gone = [connection for connection, is_gone in zip(connections, outcomes, strict=True) if is_gone]
        if gone:
            database.run(partial(websocket_connections.forget, connection_ids=gone))
        closed += len(gone)
        if len(gone) < _AT_ONCE:
            break
    return closed


def _close(push: Push, connection_id: str) -> bool:
    """Close a connection; return whether it is closed."""
    try:
        push.close(connection_id)
    except ConnectionGoneError:
        return True
    except (PushUnavailableError, MessageRefusedError):
        logger.warning("a socket could not be closed", connection_id=connection_id, exc_info=True)
        return False
    return True
