"""An import that is ended before it has begun, or whose signals were ignored from the start."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from infra.tools.importer import __main__ as entry
from infra.tools.importer.interrupted import Reached, later, stoppable


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_what_ends_it_before_it_has_begun_is_told_in_a_sentence(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    # The first module that it loads late.
    (tmp_path / "argparse.py").write_text(f"import os\nos.kill(os.getpid(), {int(number)})\n")
    root = Path(entry.__file__).parents[3]
    paths = os.pathsep.join([str(root), str(root / "layers/churn")])
    program = (
        f"import sys, runpy; import infra; sys.modules.pop('argparse', None); sys.path.insert(0, {str(tmp_path)!r}); "
        "runpy.run_module('infra.tools.importer', run_name='__main__')"
    )
    environment = {**os.environ, "PYTHONPATH": paths}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, "")
    [told] = ended.stderr.splitlines()
    assert told == "import: interrupted before the file was read: nothing was stored; the same command begins again"


def test_a_signal_ends_what_runs_by_an_exception_and_nothing_afterwards() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(KeyboardInterrupt), stoppable():
            os.kill(os.getpid(), number)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_what_was_ignored_from_the_start_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_signal_that_is_held_back_comes_afterwards() -> None:
    done: list[str] = []
    is_over = threading.Event()
    # It takes the signals that the main thread does not.
    other = threading.Thread(target=is_over.wait)
    other.start()

    def interrupted() -> None:
        with later():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all of it")

    with pytest.raises(KeyboardInterrupt), stoppable():
        interrupted()
    is_over.set()
    other.join()
    assert done == ["all of it"]


def test_how_far_it_came_is_told() -> None:
    shown: list[int] = []
    reached = Reached("storing", expected=30_000)
    reached.counting(shown.append)(15_000)
    assert shown == [15_000]
    assert "at least 15,000 of about 30,000 events are stored; the same command goes on" in reached.sentence()
