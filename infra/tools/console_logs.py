"""The service's log on a command's screen."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from churn.observability import logger


class _Sentence(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        reason = getattr(record, "reason", None)
        return super().format(record) + (f": {reason}" if reason else "")


@contextmanager
def readable_logs() -> Iterator[None]:
    """Show warnings and errors as sentences on standard error, and nothing less unless POWERTOOLS_LOG_LEVEL is set.

    Also a decorator: the functions' log is JSON lines, which are not for a person at a terminal.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Sentence("%(levelname)s: %(message)s"))
    json_handlers, level = list(logger.handlers), logger.log_level
    logger.handlers[:] = [handler]
    logger.setLevel(os.environ.get("POWERTOOLS_LOG_LEVEL") or "WARNING")
    try:
        yield
    finally:
        logger.handlers[:] = json_handlers
        logger.setLevel(level)
