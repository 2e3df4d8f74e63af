"""Keeps every record it is given in a file, and fails as the values ask."""

import base64
import json
import os
from pathlib import Path
from typing import Any


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Return a partial batch answer."""
    scratch = Path(os.environ["SCRATCH"])
    failures = []
    for name, records in event["records"].items():
        for record in records:
            value = base64.b64decode(record["value"]).decode()
            first = not (scratch / f"seen-{record['partition']}-{record['offset']}").exists()
            (scratch / f"seen-{record['partition']}-{record['offset']}").touch()
            if value == "exit" or (value == "exit-once" and first):
                os._exit(1)
            if value == "bad" or (value == "late" and first):
                failures.append({"itemIdentifier": {"partition": name, "offset": record["offset"]}})
                continue
            with (scratch / "records").open("a", encoding="utf-8") as kept:
                kept.write(json.dumps({"value": value, "name": name, **record}) + "\n")
    return {"batchItemFailures": failures}
