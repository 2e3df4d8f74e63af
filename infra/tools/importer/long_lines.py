"""Lines of a file without what makes one of them endless: memory does not grow with the longest line."""

from collections.abc import Iterator
from functools import partial
from typing import IO

LONGEST_LINE = 1024 * 1024
"""So many characters has a line of a table at most, and so has a record that goes over lines."""
_PIECE = 64 * 1024
_SHOWN = 200
_ENDS = ("\n", "\r")


def lines_of(file: IO[str], longest: int) -> Iterator[str]:
    """Yield the lines of a text; one of more characters than `longest` ends just behind these."""
    read = partial(file.readline, longest + 1)
    line = read()
    while line:
        following = None
        yield line
        if len(line) > longest:
            rest = line
            while rest and not rest.endswith(_ENDS):
                rest = file.readline(_PIECE)
            if rest.endswith("\r") and (following := read()) == "\n":
                # The end of the line was divided.
                following = None
        line = read() if following is None else following


def too_long(line: str, longest: int) -> str:
    """Return why a line that `lines_of` has cut is no record, empty of any other."""
    return f"is longer than {longest:,} characters" if len(line) > longest else ""


def beginning(line: str) -> str:
    """Return what is shown of a line that is too long."""
    return line[:_SHOWN].rstrip("\r\n")


def lines_beyond_ascii(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines that have bytes beyond ASCII, a long one in pieces, which divide no character of UTF-8."""
    rest = b""
    while block := file.read(_PIECE):
        block = rest + block + file.readline(_PIECE)
        end = len(block) if block.endswith(b"\n") else _end_of_characters(block)
        rest = block[end:]
        # Most blocks have none, and are quickly known.
        if not block.isascii():
            yield from (line for line in block[:end].splitlines(keepends=True) if not line.isascii())
    if rest:
        yield rest


def _end_of_characters(piece: bytes) -> int:
    """Return where a character of UTF-8 begins that goes on behind a piece; the piece's end if none does."""
    for at in range(len(piece) - 1, max(len(piece) - 4, -1), -1):
        if piece[at] < 0x80:
            break
        if piece[at] >= 0xC0:
            return at
    return len(piece)
