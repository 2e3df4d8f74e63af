"""Models that are not what training writes, each with the checksum that belongs to it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import numpy as np

from churn.ml.artifact import Arrays, npy, pack, seal
from churn.ml.artifact_schema import LENGTHS


def members_of(content: bytes) -> dict[str, bytes]:
    """Return the members of an archive without its checksum."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename.removesuffix(".npy"): archive.read(info) for info in archive.infolist()}
    del members["checksum"]
    return members


def with_member(content: bytes, name: str, member: bytes) -> bytes:
    """Return the archive with one member exchanged."""
    return seal({**members_of(content), name: member})


def parts(content: bytes) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays and the metadata of an archive."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = dict(archive)
    metadata = json.loads(arrays.pop("metadata").tobytes())
    return {name: array for name, array in arrays.items() if name not in {"checksum", "format"}}, metadata


def changed(content: bytes, name: str, change: Callable[[Any], Any]) -> bytes:
    """Return the archive with one array, or one value of the metadata, changed."""
    arrays, metadata = parts(content)
    if name in arrays:
        arrays[name] = np.asarray(change(arrays[name].copy()))
    else:
        metadata[name] = change(metadata.get(name))
    return pack(arrays, metadata)


def set_to(place: int, value: Any) -> Callable[[Any], Any]:
    """Return what sets one place of an array."""

    def change(array: Any) -> Any:
        array.flat[place] = value
        return array

    return change


def announcing(numbers: int) -> bytes:
    """Return a `.npy` file whose header announces so many rows of four numbers, and which holds none."""
    return with_header(f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({numbers}, 4), }}")


def with_header(text: str) -> bytes:
    """Return a `.npy` file with any header, and nothing behind it."""
    header = text.encode().ljust(117) + b"\n"
    return np.lib.format.magic(1, 0) + len(header).to_bytes(2, "little") + header


def compressed() -> bytes:
    """Return an archive that is a thousand times as large when it is unpacked."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("checksum.npy", b"\0" * 10_000_000)
    return buffer.getvalue()


def as_metadata(text: bytes) -> bytes:
    """Return any text as the member that holds the metadata."""
    return npy(np.frombuffer(text, dtype=np.uint8))


def wide(content: bytes) -> bytes:
    """Return a forest of as many trees as are allowed, each the first one: their tables would fill the memory."""
    trees = LENGTHS["trees"][1]
    arrays, metadata = parts(content)
    one = int(arrays["first_leaf"][1])
    nodes = one - 1
    many = {name: np.tile(arrays[name][:nodes], trees) for name in ("column", "threshold", "mask", "end")}
    many |= {"missing_left": np.tile(arrays["missing_left"][:nodes], trees)}
    many |= {"tree": np.repeat(np.arange(trees, dtype=np.uint16), nodes)}
    many |= {"first_leaf": np.arange(0, one * trees, one, dtype=np.uint32)}
    many |= {name: np.tile(arrays[name][:one], trees) for name in ("leaf_value", "leaf_weight")}
    return pack(many, metadata)


HEADERS = (
    "",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (2,",
    "(" * 9_000 + ")" * 9_000,
    "-" * 9_900 + "1",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 300 + ",), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
    "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (0,), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999, 99999999999), }",
    "{'descr': '|V2147483647', 'fortran_order': False, 'shape': (9,), }",
    "{'descr': None, 'fortran_order': None, 'shape': None, }",
)
"""Headers of arrays that numpy's own reader is not made for, or not made to refuse."""

NO_METADATA = (b"[]", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"9" * 5000 + b"}", b"\xff", b"", b"null", b"{}")
"""What is no JSON object, or none that tells of a model."""
FOREST_FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a leaf above 1": ("leaf_value", set_to(0, 1.5), "leaf_value holds a value"),
    "a leaf that is not a number": ("leaf_value", set_to(0, np.nan), "leaf_value holds a value"),
    "a leaf without samples": ("leaf_weight", set_to(3, 0.0), "leaf_weight holds a value"),
    "a threshold that is not a number": ("threshold", set_to(2, np.nan), "threshold holds a value"),
    "another type": ("threshold", lambda array: array.astype(np.float64), "threshold is of type <f8"),
    "text": ("column", lambda array: array.astype("U4"), "does not hold the numbers"),
    "a shorter array": ("mask", lambda array: array[:-1], "mask has"),
    "a table instead of a list": ("tree", lambda array: array[:, None], "tree is of type"),
    "no trees": ("first_leaf", lambda array: array[:0], "first_leaf has 0 trees"),
    "too many trees": ("first_leaf", lambda _: np.arange(70_000, dtype=np.uint32), "first_leaf has 70000 trees"),
    "a tree that is not there": ("tree", set_to(0, 60_000), "a node names a tree"),
    "a column that is not there": ("column", set_to(0, 200), "a node names a column"),
    "leaves out of order": ("first_leaf", lambda array: array[::-1].copy(), "1 to 64 leaves"),
    "a tree that begins later": ("first_leaf", set_to(0, 1), "1 to 64 leaves"),
    "a mask that clears nothing": ("mask", set_to(0, 2**64 - 1), "both of its sides"),
    "a mask that clears everything": ("mask", set_to(0, 0), "both of its sides"),
    "a mask with a gap": ("mask", set_to(0, 2**64 - 1 - 0b101), "both of its sides"),
    "an end before the leaves": ("end", set_to(-1, 2), "cannot be served"),
    "an end beyond the tree": ("end", set_to(0, 64), "do not nest|outside of its tree"),
    "a node of another tree": ("tree", set_to(0, 1), "one node less"),
    "other features": ("columns", lambda _: ["shoe_size"], "other features|column"),
    "a column twice": ("columns", lambda columns: [*columns, columns[0]], "names a column twice"),
    "columns as text": ("columns", lambda _: "total_orders", "no list of names"),
    "no calibration": ("calibration", lambda _: None, "calibration of the metadata"),
    "a slope of zero": ("calibration", lambda found: {**found, "slope": 0}, "slope of the metadata"),
    "a slope beyond all floats": ("calibration", lambda found: {**found, "slope": 10**400}, "slope of the metadata"),
    "an intercept beyond all floats": (
        "calibration",
        lambda found: {**found, "intercept": -(10**400)},
        "intercept of the metadata",
    ),
    "a process beyond all floats": (
        "purchase_process",
        lambda found: {**found, "alpha": 10**400},
        "alpha of the metadata",
    ),
    "a slope as text": ("calibration", lambda found: {**found, "slope": "1"}, "slope of the metadata"),
    "a process without its rate": ("purchase_process", lambda _: {"r": 1}, "alpha of the metadata"),
    "a negative process": ("purchase_process", lambda found: {**found, "alpha": -5}, "alpha of the metadata"),
    "no instant": ("trained_at", lambda _: 5, "trained_at of the metadata"),
    "an instant of no calendar": ("trained_at", lambda _: "yesterday", "no model"),
    "an endless horizon": ("horizon_days", lambda _: 10**9, "horizon_days of the metadata"),
    "an unknown kind": ("kind", lambda _: "oracle", "unknown kind"),
    "a kind that is a list": ("kind", lambda _: [1], "unknown kind|no model"),
    "the other kind": ("kind", lambda _: "purchase_process", "horizon_days|arrays are not those"),
}
_PROCESS = {"r": 1.0, "alpha": 60.0, "a": 0.8, "b": 2.5, "horizon_days": 90}
PROCESS_FAULTS: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "a parameter of zero": ("draws", set_to(0, 0.0), "draws holds a value"),
    "an endless parameter": ("draws", set_to(0, np.inf), "draws holds a value"),
    "three parameters": ("draws", lambda draws: draws[:, :3].copy(), "draws has 3"),
    "no draws": ("draws", lambda draws: draws[:0], "draws has 0 draws"),
    "too many draws": ("draws", lambda draws: np.tile(draws, (300, 1)), "draws has 15000 draws"),
    "a typical customer of the past": ("typical", set_to(1, -1.0), "typical holds a value"),
    "four inputs": ("typical", lambda typical: np.append(typical, 1.0), "typical has 4"),
    "no horizon": ("horizon_days", lambda _: None, "horizon_days of the metadata"),
    "orders that are no number": ("current_process", lambda _: _PROCESS | {"r": 1e12}, "a trial customer"),
    "chances that are no number": ("current_process", lambda _: _PROCESS | {"a": 1e12, "b": 1e-12}, "a trial customer"),
    "no time zone": ("trained_at", lambda _: "2026-01-31", "trained_at of the metadata"),
    "another source": ("source", lambda _: [1], "source of the metadata"),
    "reasons of a gate": ("gate", lambda _: {"reasons": 5}, "gate.reasons of the metadata"),
    "freshness": ("freshness", lambda _: {"served": "refitted"}, "freshness.as_of of the metadata"),
}


def kinds(forest: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield every kind of hostile artifact that is made of a forest, by its name."""
    for fault, (name, change, _) in FOREST_FAULTS.items():
        yield fault, changed(forest, name, change)
    for number, text in enumerate(NO_METADATA):
        yield f"metadata that are none, {number}", with_member(forest, "metadata", as_metadata(text))
    for number, header in enumerate(HEADERS):
        yield f"a header that is none, {number}", with_member(forest, "threshold", with_header(header))
    for member in ("threshold", "format", "metadata"):
        yield f"{member} that announces more than there is", with_member(forest, member, announcing(99_999_999_999))
    yield "an archive that is compressed", compressed()
    yield "tables that would fill the memory", wide(forest)


def mutated(forest: bytes, chance: Random) -> bytes:
    """Return a forest with one to three bytes of its arrays set to any other."""
    arrays, metadata = parts(forest)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(sorted(arrays))
        raw = bytearray(np.ascontiguousarray(arrays[name]).tobytes())
        raw[chance.randrange(len(raw))] = chance.randrange(256)
        arrays[name] = np.frombuffer(bytes(raw), dtype=arrays[name].dtype).reshape(arrays[name].shape)
    return pack(arrays, metadata)
