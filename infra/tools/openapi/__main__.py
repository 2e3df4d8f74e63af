"""`python -m infra.tools.openapi [--check]`: writes docs/openapi.json from the table of routes and its types."""

import argparse
import json
import sys

from infra import console
from infra.tools.openapi.document import FILE, document


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m infra.tools.openapi", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the file is not up to date")
    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if parser.parse_args().check:
        current = FILE.exists() and FILE.read_text(encoding="utf-8") == text
        if not current:
            print(f"{FILE.name} is not up to date: run 'make openapi'", file=sys.stderr)
        return 0 if current else 1
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    console.run(main)
