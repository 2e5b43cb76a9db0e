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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.records import LISTED_KINDS, SIDES, Box
from cisdl_bench.store.flat import Column
from cisdl_bench.store.layout import (
    Bytes,
    check_boxes,
    read_box,
    set_fingerprint,
    unpacked,
)
from cisdl_bench.store.sets import HOLDS_PAIRS
from cisdl_bench.store.shapes import ImportedSet
from cisdl_bench.store.stored import StoredPairs

HOLDS = HOLDS_PAIRS

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
        *[(f"{side}_{edge}", "<i2") for side in SIDES for edge in Box._fields],
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


def pair_digest(row: Any, picture_digests: Bytes, masks: Bytes) -> bytes:
    """Return the SHA-256 of what a pair is made of.

    Args:
        row: Row of ``PAIR_ROW``; its label, what is known, and its boxes are taken.
        picture_digests: Digests of the probe's and the donor's pixels, uint8 (2, 32).
        masks: Both packed masks, one after the other.
    """
    total = hashlib.sha256(np.ascontiguousarray(picture_digests).tobytes())
    names = [f"{side}_{edge}" for side in SIDES for edge in Box._fields]
    values = [int(row[name]) for name in ("label", "probe_known", "donor_known", *names)]
    total.update(np.array(values, dtype="<i2").tobytes())
    total.update(np.ascontiguousarray(masks).data)
    return total.digest()


class ImportedPairs(StoredPairs):
    """The pairs of an imported set; see ``pairs.Pairs``.

    ``rows`` and ``digests`` have one entry for each pair, ``rows`` with the fields of ``PAIR_ROW``.
    What could not be used was not imported, see the set's ``skipped.csv``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, ImportedSet)
        self.size = int(self.manifest["size"])
        shards = self._open_shards(PAIRS, _check)
        self.rows = np.concatenate([np.zeros(0, dtype=PAIR_ROW), *(s[0] for s in shards)])
        self._names = [[name for values in shards for name in values[k].tolist()] for k in (1, 2)]
        no_digests = np.zeros((0, 32), dtype=np.uint8)
        self.digests = np.concatenate([no_digests, *(values[3] for values in shards)])
        self.indices = tuple(self.rows["index"].tolist())
        self._place = {index: place for place, index in enumerate(self.indices)}
        if sorted(self._place) != list(self.indices):
            raise StoreError.expected(path, "rising numbers of pairs", "others", IMPORT_AGAIN)
        ids = [self.rows[f"{side}_picture"] for side in SIDES]
        self._pictures = np.stack([self.pictures.positions(side) for side in ids], axis=1)

    @property
    def facts(self) -> dict[str, Any]:
        """Notes, and what the list was."""
        return {"notes": self.manifest["notes"], **self.manifest["source"]}

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
        about: dict[str, float | int | str] = {}
        for names, side, known in zip(self._names, SIDES, self.known(index), strict=True):
            about[side] = names[place].decode(errors="surrogateescape")
            if known:
                about[f"{side}_area_px"] = int(self.rows[f"{side}_area_px"][place])
        return about

    def read_into(
        self, index: int, probe: Any, donor: Any, probe_mask: Any, donor_mask: Any
    ) -> int:
        """Fill arrays with one pair; return its label; see ``pairs.Pairs``."""
        place = self._place[index]
        for picture, position in zip((probe, donor), self._pictures[place], strict=True):
            self.pictures.read_into(int(position), picture)
        row, at = self.rows[place], 0
        blob = self._blob(place)
        for name, mask in zip(SIDES, (probe_mask, donor_mask), strict=True):
            box = read_box(row, name)
            end = at + box.height * (-(-box.width // 8))
            mask[:] = 0
            mask[box.slices] = unpacked(blob[at:end], box) if end > at else 0
            at = end
        return int(row["label"])

    def _blob(self, place: int) -> Bytes:
        row = self.rows[place]
        return self._read_bytes(place, int(_lengths(row)))

    def find_problems(self, advance: Callable[[int], None]) -> list[str]:
        """Return what is wrong with the content of the pairs, a line each."""
        problems = [line for k in range(len(self)) if (line := self._check_pair(k))]
        advance(len(self))
        return problems

    def hash_content(self) -> str:
        """Return the fingerprint that follows from ``digests``."""
        return set_fingerprint([self.digests], (HOLDS,), self.size)

    def _check_pair(self, place: int) -> str:
        """Return what is wrong with the content of the pair in a place; empty where it is sound."""
        row, where = self.rows[place], f"{self.path}: pair {self.rows[place]['index']}"
        for name in SIDES:
            box = read_box(row, name)
            if min(box) < 0 or max(box.top + box.height, box.left + box.width) > self.size:
                return f"{where}: its {name} box {tuple(box)} leaves the canvas"
        digest = pair_digest(row, self.pictures.digests[self._pictures[place]], self._blob(place))
        if digest != self.digests[place].tobytes():
            return f"{where}: its content does not fit its digest"
        return ""


def _check(table: npt.NDArray[Any], length: int, size: int, rows: int, path: Path) -> None:
    """Refuse a table of pairs that reading its shard could not follow."""
    check_boxes(table, SIDES, size, path)
    known = np.stack([table[f"{mask}_known"] for mask in SIDES])
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
    sides = ((rows[f"{m}_height"].astype(int), rows[f"{m}_width"].astype(int)) for m in SIDES)
    return sum(height * -(-width // 8) for height, width in sides)
