"""Load each file of a folder as a model in a child process, and print how each ended, as JSON.

It asks nothing of the project but to read a model and to predict, so that an earlier project can run it.
"""

import json
import os
import resource
import sys
import warnings
from pathlib import Path

from churn.domain.features import FEATURE_NAMES
from churn.domain.model import BrokenModelError
from churn.ml.loading import read_model

_ENDS = ("served", "refused", "raises", "fails", "endless")
_SECONDS = 10
_SPARE_BYTES = 2**30


def main() -> None:
    """Load the files of the folder that the first argument names."""
    warnings.simplefilter("ignore")
    print(json.dumps([_end_of(path) for path in sorted(Path(sys.argv[1]).iterdir())]))


def _end_of(path: Path) -> str:
    child = os.fork()
    if not child:
        os._exit(_ENDS.index(_try(path.read_bytes())))
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    # A signal ended it: there was no time left.
    return _ENDS[code] if code >= 0 else "endless"


def _try(content: bytes) -> str:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + _SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        model = read_model(content)
    except BrokenModelError:
        return "refused"
    except MemoryError:
        return "endless"
    except Exception:  # noqa: BLE001  (that is what is counted)
        return "raises"
    try:
        rows = [dict.fromkeys(FEATURE_NAMES, value) for value in (None, 5.0, 1e5)]
        answered = all(0 <= prediction.churn_probability <= 1 for prediction in model.predict(rows))
    except Exception:  # noqa: BLE001  (a function would answer 500)
        return "fails"
    return "served" if answered else "fails"


if __name__ == "__main__":
    main()
