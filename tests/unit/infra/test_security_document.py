"""Each threat in the document on security names tests that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
_TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    defined = {
        f"{file.name}::{name}"
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = re.findall(r"`(test_\w+\.py::test_\w+)`", _TEXT)
    assert len(named) > 40
    assert set(named) - defined == set()


def test_every_threat_has_a_test() -> None:
    rows = re.findall(r"^\| [STRIDE] \|.*$", _TEXT, re.MULTILINE)
    assert len(rows) > 25
    assert [row for row in rows if "::test_" not in row] == []
