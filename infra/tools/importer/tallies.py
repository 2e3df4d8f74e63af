"""Counts of what a file says: memory stays the same however much it says."""

import sqlite3
from collections import Counter

MOST_WORDS = 10_000
"""So many different words are counted by themselves."""
OTHERS = "(others)"
_IN_MEMORY = 100_000
_CACHE_KIB = 16 * 1024


def tally(counts: Counter[str], word: str, times: int = 1) -> None:
    """Count a word, or, once there are MOST_WORDS, a new one among the others."""
    counts[word if word in counts or len(counts) < MOST_WORDS else OTHERS] += times


class Occurrences:
    """How often each key came before. Of many keys, the counts lie on disk, in a file that SQLite removes."""

    def __init__(self, in_memory: int = _IN_MEMORY) -> None:
        """Keep at most `in_memory` keys in memory."""
        self._counts: dict[int, int] = {}
        self._in_memory = in_memory
        self._disk: sqlite3.Connection | None = None

    def add(self, key: int) -> int:
        """Count a key of 64 bits with a sign; return how often it came before."""
        if self._disk is not None:
            return self._add_on_disk(self._disk, key)
        before = self._counts.get(key, 0)
        self._counts[key] = before + 1
        if len(self._counts) > self._in_memory:
            self._move()
        return before

    def close(self) -> None:
        """Remove what lies on disk."""
        if self._disk is not None:
            self._disk.close()

    def _move(self) -> None:
        # An empty name is a database of its own in a temporary file.
        self._disk = sqlite3.connect("", isolation_level=None)
        self._disk.execute("PRAGMA journal_mode = OFF")
        self._disk.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._disk.execute("CREATE TABLE counts (key INTEGER PRIMARY KEY, count INTEGER NOT NULL)")
        self._disk.execute("BEGIN")
        self._disk.executemany("INSERT INTO counts VALUES (?, ?)", self._counts.items())
        self._counts.clear()

    @staticmethod
    def _add_on_disk(disk: sqlite3.Connection, key: int) -> int:
        row = disk.execute(
            "INSERT INTO counts VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET count = count + 1 RETURNING count - 1",
            (key,),
        ).fetchone()
        return int(row[0])
