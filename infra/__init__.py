"""What runs the service: the local stack, the commands of the Makefile, and the parts of the AWS template."""

import os
import sys

try:
    from churn.settings import check
    from churn.variables import InvalidSettingsError
except KeyboardInterrupt:
    sys.stderr.write("interrupted: nothing was done\n")
    sys.exit(130)

try:
    # Modules of the service look at some of them when they are imported, before a command could tell what is wrong.
    check(os.environ)
except InvalidSettingsError as error:
    sys.exit(f"error: {error}")
