"""What a person at a terminal sees of the service's log."""

import pytest

from churn.observability import logger
from infra.tools.console_logs import readable_logs


def test_warnings_are_sentences_and_the_rest_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("POWERTOOLS_LOG_LEVEL", raising=False)
    with readable_logs():
        logger.info("a promoted model serves from now on", extra={"version": "1"})
        logger.warning("the cache does not answer", extra={"reason": "TimeoutError"})
        logger.error("the challenger failed")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "WARNING: the cache does not answer: TimeoutError\nERROR: the challenger failed\n"


def test_the_functions_log_is_as_before_afterwards() -> None:
    before = (list(logger.handlers), logger.log_level)
    with readable_logs():
        assert logger.handlers != before[0]
    assert (list(logger.handlers), logger.log_level) == before
