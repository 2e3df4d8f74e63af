"""Long lists of literals, cut into as many statements as their sizes need."""

from collections.abc import Iterable, Iterator


def in_parts(literals: Iterable[str], most: int, most_bytes: int) -> Iterator[list[str]]:
    """Yield lists of literals in their order: as many as both limits allow with their commas, one as the least."""
    part: list[str] = []
    used = 0
    for literal in literals:
        size = bytes_of(literal) + len(", ")
        if part and (len(part) == most or used + size > most_bytes):
            yield part
            part, used = [], 0
        part.append(literal)
        used += size
    if part:
        yield part


def bytes_of(literal: str) -> int:
    """Return how many bytes a literal has in a statement."""
    # The driver writes bytes that are not UTF-8 as surrogates.
    return len(literal) if literal.isascii() else len(literal.encode("utf-8", "surrogateescape"))
