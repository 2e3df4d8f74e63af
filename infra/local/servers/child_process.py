"""Child processes that never outlive the process that started them."""

import shutil
import signal
import sys

# Asks the kernel for SIGKILL at the parent's death (PR_SET_PDEATHSIG = 1), then becomes the command.
_LAUNCHER = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, {signal}); os.execvp(sys.argv[1], sys.argv[1:])"


def tied(command: list[str], at_death: signal.Signals = signal.SIGKILL) -> list[str]:
    """`command` wrapped so that it gets `at_death` when the thread that started it ends, however that ends.

    On Linux alone; elsewhere the command itself, which then has to notice the end of its parent by itself.
    """
    if not sys.platform.startswith("linux"):
        return command
    setpriv = shutil.which("setpriv")
    if setpriv:
        return [setpriv, "--pdeathsig", at_death.name.removeprefix("SIG"), "--", *command]
    return [sys.executable, "-c", _LAUNCHER.format(signal=int(at_death)), *command]
