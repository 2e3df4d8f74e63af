"""A model as bytes: arrays and metadata in an `.npz` archive without pickle, with its SHA-256 checksum inside."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from churn.domain.model import MOST_BYTES, BrokenModelError
from churn.ml.artifact_schema import kind_in, parse_arrays, parse_list, parse_metadata

Arrays = dict[str, npt.NDArray[Any]]

FORMAT = 2
_MOST_MEMBERS = 32


def pack(arrays: Mapping[str, npt.NDArray[Any]], metadata: Mapping[str, Any]) -> bytes:
    """Return the archive of a model; equal models give equal bytes."""
    return seal(_members(arrays, metadata))


def seal(members: Mapping[str, bytes]) -> bytes:
    """Return the archive of `.npy` members with their checksum."""
    sealed = {**members, "checksum": npy(np.array(_checksum(members).encode()))}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sealed.items():
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content)
    return buffer.getvalue()


def unpack(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of an archive, and interpret nothing before the checksum is verified.

    Raises BrokenModelError if the bytes are cut, altered, of another format, or not as `churn.ml.artifact_schema` says.
    """
    if len(content) > MOST_BYTES:
        raise BrokenModelError(f"the model has {len(content)} bytes; at most {MOST_BYTES} are read")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        listed = archive.infolist()
        members = {info.filename.removesuffix(".npy"): info for info in listed}
        if len(members) != len(listed) or len(listed) > _MOST_MEMBERS:
            raise BrokenModelError("the archive holds an array twice, or more of them than a model has")
        if any(info.compress_type != zipfile.ZIP_STORED for info in listed):
            raise BrokenModelError("the archive is compressed: a model's is not")
        contents = {name: archive.read(info) for name, info in members.items()}
    checksum = contents.pop("checksum")[-64:].decode()
    if checksum != _checksum(contents):
        raise BrokenModelError("the model's content does not have the checksum written in it")
    file_format = parse_list("format", contents.pop("format"), "<u2").tolist()
    if file_format != [FORMAT]:
        raise BrokenModelError(f"the model is of format {str(file_format)[:40]}, this code reads format {FORMAT}")
    metadata = parse_metadata(parse_list("metadata", contents.pop("metadata"), "|u1").tobytes())
    return parse_arrays(contents, kind_in(metadata)), metadata


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
    return {name: npy(array) for name, array in (*arrays.items(), *rest.items())}


def npy(array: npt.NDArray[Any]) -> bytes:
    """Return an array as a `.npy` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _checksum(members: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(members.items()):
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
