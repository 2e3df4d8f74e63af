"""A model as bytes: arrays and metadata in an `.npz` archive without pickle, with its SHA-256 checksum inside."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.model import BrokenModelError

Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 2


def pack(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    """Return the archive of a model; equal models give equal bytes."""
    members = _members(arrays, metadata)
    members["checksum"] = _npy(np.array(_checksum(members).encode()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content)
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of an archive, and interpret nothing before the checksum is verified.

    Raises BrokenModelError if the bytes are cut, altered, or of another format.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {
                info.filename.removesuffix(".npy"): archive.read(info)
                for info in archive.infolist()
                if info.compress_type == zipfile.ZIP_STORED
            }
        checksum = members.pop("checksum")[-64:].decode()
        if checksum != _checksum(members):
            raise BrokenModelError("the model's content does not have the checksum written in it")
        arrays = {name: np.lib.format.read_array(io.BytesIO(member)) for name, member in members.items()}
        file_format = int(arrays.pop("format").item())
        if file_format != FORMAT:
            raise BrokenModelError(f"the model is of format {file_format}, this code reads format {FORMAT}")
        metadata: dict[str, Any] = json.loads(arrays.pop("metadata").tobytes())
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, LookupError, struct.error) as error:
        raise BrokenModelError(f"the bytes are no model: {error}") from error
    return arrays, metadata


def restore[M](content: bytes, make: Callable[[Arrays, dict[str, Any]], M]) -> M:
    """Return the model that `make` builds from an archive's arrays and metadata. Raises BrokenModelError."""
    arrays, metadata = unpack(content)
    try:
        return make(arrays, metadata)
    except (ValueError, LookupError, TypeError) as error:
        raise BrokenModelError(f"the model cannot be served: {error}") from error


def checksum_of(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a model's content, in hexadecimal."""
    return _checksum(_members(arrays, metadata))


def version_of(metadata: Mapping[str, Any], checksum: str) -> str:
    """Return the name of a version: when it was trained, and the beginning of its checksum."""
    return f"{str(metadata['trained_at']).replace(':', '-')}-{checksum[:8]}"


def _members(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the content of each of the archive's members except the checksum."""
    described = json.dumps(metadata, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    rest: Arrays = {"metadata": np.frombuffer(described, dtype=np.uint8), "format": np.array([FORMAT], dtype=np.uint16)}
    return {name: _npy(array) for name, array in (*arrays.items(), *rest.items())}


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _checksum(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
