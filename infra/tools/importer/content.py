"""What a file holds, found from its bytes and not from its name: compression and archives come off."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Literal, cast

from infra.tools.importer.encodings import NAMES, find_encoding
from infra.tools.importer.faults import UnreadableFileError
from infra.tools.importer.long_lines import lines_beyond_ascii

type Shape = Literal["text", "parquet", "xlsx"]

_HEAD = 64 * 1024
_LAYERS: tuple[tuple[bytes, str, Callable[[IO[bytes]], Any]], ...] = (
    (b"\x1f\x8b", "gzip", lambda file: gzip.GzipFile(fileobj=file, mode="rb")),
    (b"BZh", "bzip2", bz2.BZ2File),
    (b"\xfd7zXZ\x00", "xz", lzma.LZMAFile),
)
_STRANGERS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls): save it as .xlsx or as CSV"),
    (b"%PDF", "a PDF: export the orders as CSV"),
    (b"\x28\xb5\x2f\xfd", "compressed by Zstandard: unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it first"),
    (b"Rar!", "a RAR archive: unpack it first"),
    (b"SQLite format 3", "an SQLite database: export its orders as CSV"),
)
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError, RuntimeError)
_MOST_LAYERS = 3
_NOT_DATA = ("__MACOSX/", ".DS_Store")


@dataclass(frozen=True, slots=True)
class Content:
    """A file whose layers came off; `reopen` returns its bytes from the beginning, each time anew."""

    path: Path
    shape: Shape
    reopen: Callable[[], IO[bytes]]
    layers: tuple[str, ...] = ()
    share: Callable[[], float | None] = lambda: None
    """How much of the file has been read since it was opened last, from 0 to 1, if that is known."""

    def encoding(self) -> str:
        """Return the codec of a text, which its bytes are read once for. Raises UnreadableFileError."""
        with guarded(self.path), self.reopen() as file:
            head = file.read(_HEAD)
        with guarded(self.path), self.reopen() as file:
            return find_encoding(head, lines_beyond_ascii(file))

    def text(self, encoding: str) -> IO[str]:
        """Return the text; bytes that it does not have in this encoding are carried along as surrogates."""
        errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
        return io.TextIOWrapper(self.reopen(), encoding=encoding, errors=errors, newline="")

    def describe(self, encoding: str) -> str:
        """Return the encoding and the layers in the words of people."""
        return ", ".join([NAMES.get(encoding, encoding), *self.layers])


class guarded:  # noqa: N801  (used like a function)
    """Turn what a damaged file raises into an UnreadableFileError that names it."""

    def __init__(self, path: Path) -> None:
        """Name this file."""
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnreadableFileError):
            return
        if isinstance(error, FileNotFoundError):
            raise UnreadableFileError(f"{self._path}: there is no such file") from error
        if isinstance(error, _BROKEN):
            raise UnreadableFileError(f"{self._path} cannot be read: {error or type(error).__name__}") from error


class Scratch:
    """What must be unpacked, in files without a name: whatever ends the process, nothing of them stays on disk."""

    def __init__(self) -> None:
        """Begin with none."""
        self._files = ExitStack()

    def copied(self, file: IO[bytes]) -> Callable[[], IO[bytes]]:
        """Copy a file to disk; return what opens the copy, each time at its beginning."""
        copy = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
        shutil.copyfileobj(file, copy)
        copy.flush()
        return lambda: io.BufferedReader(_Copy(copy.fileno()))

    def cleanup(self) -> None:
        """Delete the copies."""
        self._files.close()


class _Copy(io.RawIOBase):
    """An open file, read from a place of its own."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._at = starts[whence] + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        content = os.pread(self._descriptor, len(buffer), self._at)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


class _File:
    """The file itself, below its layers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: io.BufferedReader | None = None

    def open(self) -> IO[bytes]:
        self._file = self._path.open("rb")
        return self._file

    def share(self) -> float | None:
        # A closed one was copied, and the copy is read.
        if self._file is None or self._file.closed:
            return None
        return self._file.tell() / (os.fstat(self._file.fileno()).st_size or 1)


def open_content(path: Path, scratch: Scratch) -> Content:
    """Return what a file holds; an archive that must be read at any place is unpacked into `scratch`.

    Raises UnreadableFileError.
    """
    file = _File(path)
    with guarded(path):
        return replace(_open(path, file.open, scratch, ()), share=file.share)


def _open(path: Path, reopen: Callable[[], IO[bytes]], scratch: Scratch, layers: tuple[str, ...]) -> Content:
    with reopen() as file:
        head = file.read(16)
    if len(layers) > _MOST_LAYERS:
        raise UnreadableFileError(f"{path} is packed more than {_MOST_LAYERS} times: unpack it first")
    for magic, name, unpack in _LAYERS:
        if head.startswith(magic):
            return _open(path, partial(_unpacked, unpack, reopen), scratch, (*layers, name))
    for magic, sentence in _STRANGERS:
        if head.startswith(magic):
            raise UnreadableFileError(f"{path} is {sentence}")
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        return _open_zip(path, reopen, scratch, layers)
    if head.startswith(b"PAR1"):
        return Content(path, "parquet", _seekable(reopen, scratch, layers), layers)
    return Content(path, "text", reopen, layers)


def _seekable(reopen: Callable[[], IO[bytes]], scratch: Scratch, layers: tuple[str, ...]) -> Callable[[], IO[bytes]]:
    """Return how to open a file that is read at any place: what is packed is unpacked on disk first."""
    if not layers:
        return reopen
    with reopen() as file:
        return scratch.copied(file)


def _open_zip(path: Path, reopen: Callable[[], IO[bytes]], scratch: Scratch, layers: tuple[str, ...]) -> Content:
    reopen = _seekable(reopen, scratch, layers)
    with reopen() as file, zipfile.ZipFile(file) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
        if any(name.startswith("xl/workbook") for name in names):
            return Content(path, "xlsx", reopen, layers)
        if "mimetype" in names:
            raise UnreadableFileError(f"{path} is an OpenDocument file: save it as .xlsx or as CSV")
        names = [name for name in names if not name.startswith(_NOT_DATA[0]) and not name.endswith(_NOT_DATA[1])]
        if len(names) != 1:
            shown = ", ".join(names[:5]) + (" ..." if len(names) > 5 else "")
            raise UnreadableFileError(
                f"{path} holds {len(names)} files ({shown}): unpack it, and import the one with the orders"
            )
        if archive.getinfo(names[0]).flag_bits & 1:
            raise UnreadableFileError(f"{path} is encrypted: unpack it first")
    return _open(path, partial(_member, reopen, names[0]), scratch, (*layers, "zip"))


def _unpacked(unpack: Callable[[IO[bytes]], Any], reopen: Callable[[], IO[bytes]]) -> IO[bytes]:
    with ExitStack() as opened:
        packed = opened.enter_context(reopen())
        inner = unpack(packed)
        opened.pop_all()
        return cast("IO[bytes]", _Layer(inner, packed))


def _member(reopen: Callable[[], IO[bytes]], name: str) -> IO[bytes]:
    with ExitStack() as opened:
        packed = opened.enter_context(reopen())
        archive = opened.enter_context(zipfile.ZipFile(packed))
        inner = archive.open(name)
        opened.pop_all()
        return cast("IO[bytes]", _Layer(inner, archive, packed))


class _Layer(io.BufferedReader):
    """A file within others, which are closed with it."""

    def __init__(self, inner: Any, *around: Any) -> None:
        super().__init__(inner)
        self._around = around

    def close(self) -> None:
        super().close()
        for file in self._around:
            file.close()
