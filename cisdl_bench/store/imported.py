"""Sets of other people's pairs: each picture once, each pair as two numbers of pictures and masks.

::

    OUT/
      pictures/NAME-FINGERPRINT-SIZE/     the pictures on their canvas, see ``layout``
      NAME/                               manifest.json with "holds": "pairs"
        shard-00000.h5

A **pair shard** holds, for n pairs, ``pairs`` (a table with the fields of ``PAIR_ROW``),
``probe_name`` and ``donor_name`` (bytes, UTF-8), ``digest`` (uint8, (n, 32)), and ``bytes``, where
from ``start`` on lie the probe's and the donor's mask, cut to their boxes and packed as in a
composite shard.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.records import (
    LISTED_KINDS,
    Pair,
    read_pair,
)
from cisdl_bench.store.flat import Column, OpenFiles, open_shard
from cisdl_bench.store.layout import (
    Bytes,
    box_of,
    check_boxes,
    set_fingerprint,
    unpacked,
)
from cisdl_bench.store.pictures import PictureReader
from cisdl_bench.store.sets import HOLDS_PAIRS, Manifest, read_manifest
from cisdl_bench.store.shapes import ImportedSet

HOLDS = HOLDS_PAIRS
_SIDES = ("top", "left", "height", "width")
MASKS = ("probe", "donor")

PAIR_ROW = np.dtype(
    [
        ("index", "<i8"),
        ("probe_picture", "<i8"),
        ("donor_picture", "<i8"),
        ("label", "i1"),
        ("probe_known", "u1"),
        ("donor_known", "u1"),
        ("probe_area_px", "<i4"),
        ("donor_area_px", "<i4"),
        *[(f"{mask}_{side}", "<i2") for mask in MASKS for side in _SIDES],
        ("start", "<i8"),
    ]
)
PAIRS = {
    "pairs": Column(PAIR_ROW),
    "probe_name": Column("S"),
    "donor_name": Column("S"),
    "digest": Column(np.uint8, (32,)),
}
IMPORT_AGAIN = "Import the list again with --overwrite"


def pair_digest(row: Any, of_pictures: Bytes, masks: Bytes) -> bytes:
    """Return the SHA-256 of what a pair is made of.

    Args:
        row: Of ``PAIR_ROW``: its label, what is known, and its boxes are taken.
        of_pictures: Digests of the probe's and the donor's pixels, uint8 (2, 32).
        masks: Both packed masks, one after the other.
    """
    total = hashlib.sha256(np.ascontiguousarray(of_pictures).tobytes())
    names = [f"{mask}_{side}" for mask in MASKS for side in _SIDES]
    values = [int(row[name]) for name in ("label", "probe_known", "donor_known", *names)]
    total.update(np.array(values, dtype="<i2").tobytes())
    total.update(np.ascontiguousarray(masks).data)
    return total.digest()


class ImportedPairs:
    """The pairs of an imported set; see ``records.Pairs``."""

    dtype: Any = np.uint8

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path, shape=ImportedSet)
        self.size = int(self.manifest["size"])
        self._files = OpenFiles()
        self._shards: list[tuple[Path, int]] = []
        columns: list[tuple[Any, ...]] = []
        for entry in self.manifest["shards"]:
            shard = path / entry["name"]
            opened = open_shard(shard, "bytes", PAIRS)
            _check(opened.values[0], opened.length, self.size, entry["rows"], shard)
            self._shards.append((shard, opened.offset))
            columns.append(opened.values)
        tables = [values[0] for values in columns]
        #: The table of all pairs, with the fields of ``PAIR_ROW``.
        self.rows: npt.NDArray[Any] = np.concatenate([np.zeros(0, dtype=PAIR_ROW), *tables])
        self._names = [[name for values in columns for name in values[k].tolist()] for k in (1, 2)]
        digests = [values[3] for values in columns]
        #: uint8, (n, 32): what each pair's content hashes to.
        self.digests: Bytes = np.concatenate([np.zeros((0, 32), dtype=np.uint8), *digests])
        self._shard = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
        self.indices: tuple[int, ...] = tuple(self.rows["index"].tolist())
        self._place = {index: place for place, index in enumerate(self.indices)}
        if sorted(self._place) != list(self.indices):
            raise StoreError.expected(path, "rising numbers of pairs", "others", IMPORT_AGAIN)
        sides = [self.rows[f"{side}_picture"] for side in MASKS]
        self._pictures = np.stack([self.pictures.positions(ids) for ids in sides], axis=1)

    def __reduce__(self) -> tuple[Any, ...]:
        return ImportedPairs, (self.path.absolute(),)

    @cached_property
    def pictures(self) -> PictureReader:
        """The picture store that the set is built on."""
        return PictureReader((self.path / self.manifest["pictures"]).resolve())

    @property
    def parameters(self) -> tuple[str, ...]:
        """None: nobody says what was done to the regions."""
        return ()

    @property
    def name(self) -> str:
        """The set's name."""
        return self.path.absolute().name

    @property
    def fingerprint(self) -> str:
        """The set's fingerprint."""
        return str(self.manifest["fingerprint"])

    @property
    def left_out(self) -> Mapping[int, str]:
        """Nothing: what could not be used was not imported, see ``skipped.csv``."""
        return {}

    @property
    def origin(self) -> dict[str, Any]:
        """The set's folder."""
        return {"path": str(self.path.absolute())}

    @property
    def facts(self) -> dict[str, Any]:
        """Notes, and what the list was."""
        return {"notes": self.manifest["notes"], **self.manifest["source"]}

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.rows)

    def __getitem__(self, index: int) -> Pair:
        """Return the pair of a number."""
        return read_pair(self, index)

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair in order."""
        return (self[index] for index in self.indices)

    def kind(self, index: int) -> str:
        """Return ``positive``, ``negative`` or ``unlabelled``."""
        return LISTED_KINDS[{1: 0, 0: 1}.get(self.label(index), 2)]

    def label(self, index: int) -> int:
        """Return a pair's label."""
        return int(self.rows["label"][self._place[index]])

    def known(self, index: int) -> tuple[bool, bool]:
        """Return whether the truth of each mask is known."""
        row = self.rows[self._place[index]]
        return bool(row["probe_known"]), bool(row["donor_known"])

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return what the list calls the pictures, and the areas of known masks."""
        place = self._place[index]
        found: dict[str, float | int | str] = {}
        for names, side, known in zip(self._names, MASKS, self.known(index), strict=True):
            found[side] = names[place].decode(errors="surrogateescape")
            if known:
                found[f"{side}_area_px"] = int(self.rows[f"{side}_area_px"][place])
        return found

    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with one pair; return its label; see ``records.Pairs``."""
        place = self._place[index]
        for picture, position in zip((probe, donor), self._pictures[place], strict=True):
            self.pictures.read_into(int(position), picture)
        row, at = self.rows[place], 0
        blob = self._blob(place)
        for name, mask in zip(MASKS, (probe_mask, donor_mask), strict=True):
            box = box_of(row, name)
            end = at + box.height * (-(-box.width // 8))
            mask[:] = 0
            mask[box.slices] = unpacked(blob[at:end], box) if end > at else 0
            at = end
        return int(row["label"])

    def _blob(self, place: int) -> Bytes:
        row = self.rows[place]
        shard, offset = self._shards[self._shard[place]]
        return self._files.read(shard, offset + int(row["start"]), int(_lengths(row)))

    def problem(self, place: int) -> str:
        """Return what is wrong with the content of the pair in a place; empty where it is sound."""
        row, where = self.rows[place], f"{self.path}: pair {self.rows[place]['index']}"
        for name in MASKS:
            box = box_of(row, name)
            if min(box) < 0 or max(box.top + box.height, box.left + box.width) > self.size:
                return f"{where}: its {name} box {tuple(box)} leaves the canvas"
        found = pair_digest(row, self.pictures.digests[self._pictures[place]], self._blob(place))
        if found != self.digests[place].tobytes():
            return f"{where}: its content does not fit its digest"
        return ""


def _check(table: npt.NDArray[Any], length: int, size: int, rows: int, path: Path) -> None:
    """Refuse a table of pairs that reading its shard could not follow."""
    check_boxes(table, MASKS, size, path)
    known = np.stack([table[f"{mask}_known"] for mask in MASKS])
    problems = (
        (len(table) == rows, f"{rows} pairs", len(table)),
        ((np.abs(table["label"]) <= 1).all(), "labels -1, 0 or 1", "others"),
        ((known <= 1).all(), "known 0 or 1", "another number"),
        ((table["start"] >= 0).all(), "contents inside it", "outside"),
        ((table["start"] + _lengths(table) <= length).all(), "contents inside it", "outside"),
    )
    for ok, what, got in problems:
        if not ok:
            raise StoreError.expected(path, what, got, IMPORT_AGAIN)


def _lengths(rows: Any) -> Any:
    """Return the bytes of both packed masks of a row, or of rows."""
    sides = ((rows[f"{m}_height"].astype(int), rows[f"{m}_width"].astype(int)) for m in MASKS)
    return sum(height * -(-width // 8) for height, width in sides)


def fingerprint_again(pairs: ImportedPairs) -> str:
    """Return the fingerprint of an imported set's digests."""
    return set_fingerprint([pairs.digests], (HOLDS,), pairs.size)
