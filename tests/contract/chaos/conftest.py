"""Which files of this folder are part of all tests: those of faults are run by `make chaos`."""

import os

collect_ignore = [] if os.environ.get("CHAOS") else ["test_faults.py"]
