"""Counts of what a file says in its own words: memory stays the same however many words it has."""

from collections import Counter

MOST_WORDS = 10_000
"""So many different words are counted by themselves."""
OTHERS = "(others)"


def tally(counts: Counter[str], word: str) -> None:
    """Count a word, or, once there are MOST_WORDS, a new one among the others."""
    counts[word if word in counts or len(counts) < MOST_WORDS else OTHERS] += 1
