"""Reading a set back as pairs, exact to the bit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import joblib
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.records import DIFFICULTIES, Mask, Pixels, count_pairs, kind_label
from cisdl_bench.store.flat import AGAIN
from cisdl_bench.store.layout import (
    check_boxes,
    composite_columns,
    composite_digest,
    pack_boxes,
    read_box,
    row_lengths,
    row_type,
    set_fingerprint,
    unpacked,
)
from cisdl_bench.store.shapes import GeneratedSet
from cisdl_bench.store.stored import StoredPairs

_BLOCK = 512  # composites checked in one go


class PairSet(StoredPairs):
    """The pairs of one generated set; pair i is kind ``i % K`` of composite ``i // K``.

    ``rows`` and ``digests`` have one entry for each composite, ``rows`` with the fields of
    ``layout.row_type``.

    Attributes:
        kinds: Kinds of pairs that each composite gives, of ``records.KINDS``.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, GeneratedSet)
        spec = self.manifest["spec"]
        self.kinds: tuple[str, ...] = tuple(spec["kinds"])
        self.size = int(spec["size"])
        self.parameters = tuple(self.manifest["parameters"])
        shards = self._open_shards(composite_columns(self.parameters), _check)
        no_rows = np.zeros(0, dtype=row_type(self.parameters))
        self.rows = np.concatenate([no_rows, *(table for table, _ in shards)])
        no_digests = np.zeros((0, 32), dtype=np.uint8)
        self.digests = np.concatenate([no_digests, *(digests for _, digests in shards)])
        self.indices = range(count_pairs(len(self.rows), self.kinds))
        self._ends = np.cumsum(np.stack(row_lengths(self.rows), axis=1), axis=1)
        self._donor = self.pictures.positions(self.rows["donor_id"])
        self._background = self.pictures.positions(self.rows["background_id"])

    def numbers(self, composite: int) -> dict[str, float | int | str]:
        """Return a composite's ids, class, areas and parameters by name."""
        row = self.rows[composite]
        names = [
            name for name in self.rows.dtype.names or () if not name.startswith(("patch_", "start"))
        ]
        values: dict[str, float | int | str] = {name: row[name].item() for name in names}
        values["difficulty"] = DIFFICULTIES[int(row["difficulty"])]
        return values

    @property
    def facts(self) -> dict[str, Any]:
        """Notes, which spec and seed the set is of, and what its annotations say of themselves."""
        request, source = self.manifest["request"], self.manifest["source"]
        said = ("name", "description", "version", "licence")
        return {
            "notes": self.manifest["notes"],
            **{key: request[key] for key in ("spec", "spec_sha256", "seed")},
            "source": {key: source[key] for key in said},
        }

    def kind(self, index: int) -> str:
        """Return a pair's kind."""
        return self.kinds[index % len(self.kinds)]

    def label(self, index: int) -> int:
        """Return the label of a pair without reading its pictures."""
        return kind_label(self.kind(index))

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return the numbers of a pair's composite."""
        return self.numbers(index // len(self.kinds))

    def read_into(
        self, index: int, probe: Pixels, donor: Pixels, probe_mask: Mask, donor_mask: Mask
    ) -> int:
        """Fill arrays with one pair; return its label; see ``pairs.Pairs``."""
        composite, number = divmod(index, len(self.kinds))
        kind = self.kinds[number]
        self.pictures.read_into(int(self._background[composite]), probe)
        if kind == "background":
            donor[:] = probe
        else:
            self.pictures.read_into(int(self._donor[composite]), donor)
        probe_mask[:] = 0
        donor_mask[:] = 0
        if kind == "negative":
            return 0
        row = self.rows[composite]
        blob = self.blob(composite)
        patch_end, probe_end, _ = self.ends(composite)
        box, patch_box = read_box(row, "probe"), read_box(row, "patch")
        inside = unpacked(blob[patch_end:probe_end], box)
        patch = blob[:patch_end].reshape(patch_box.height, patch_box.width, 3)
        target = probe[patch_box.slices]
        if row["opaque"]:
            target[:] = patch
        else:
            cv2.copyTo(patch, inside.view(np.uint8), target)
        probe_mask[box.slices] = inside
        if kind == "background":
            np.equal(probe_mask, 0, out=probe_mask)
            donor_mask[:] = probe_mask
        else:
            donor_box = read_box(row, "donor")
            donor_mask[donor_box.slices] = unpacked(blob[probe_end:], donor_box)
        return 1

    def blob(self, composite: int) -> npt.NDArray[np.uint8]:
        """Return the bytes that a composite has in its shard."""
        return self._read_bytes(composite, int(self._ends[composite, 2]))

    def ends(self, composite: int) -> list[int]:
        """Return where the patch, the probe mask and the donor mask end in its ``blob``."""
        ends: list[int] = self._ends[composite].tolist()
        return ends

    def find_problems(self, advance: Callable[[int], None]) -> list[str]:
        """Return what is wrong with the content of the composites, a line each."""
        starts = range(0, len(self.rows), _BLOCK)
        checks = (joblib.delayed(self._check_block)(start) for start in starts)
        parallel = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")
        problems: list[str] = []
        for start, lines in zip(starts, parallel(checks), strict=True):
            problems += lines
            advance(count_pairs(min(_BLOCK, len(self.rows) - start), self.kinds))
        return problems

    def _check_block(self, start: int) -> list[str]:
        stop = min(start + _BLOCK, len(self.rows))
        return [line for at in range(start, stop) if (line := self._check_composite(at))]

    def _check_composite(self, at: int) -> str:
        row, where = self.rows[at], f"{self.path}: composite {self.rows[at]['index']}"
        if self.digest(at) != self.digests[at].tobytes():
            return f"{where}: its content does not fit its digest"
        blob, ends = self.blob(at), self.ends(at)
        for name, low, high in (("probe", ends[0], ends[1]), ("donor", ends[1], ends[2])):
            area = int(np.count_nonzero(unpacked(blob[low:high], read_box(row, name))))
            if area != row[f"{name}_area_px"]:
                wanted = f"{row[f'{name}_area_px']} px in its {name} mask"
                return f"{where}: expected {wanted}, got {area}"
        return ""

    def hash_content(self) -> str:
        """Return the fingerprint that follows from ``digests``."""
        return set_fingerprint([self.digests], self.kinds, self.size)

    def digest(self, composite: int) -> bytes:
        """Return the digest of a composite's content as it is on disk now."""
        boxes = pack_boxes(self.rows[composite : composite + 1])[0]
        sources = (self._donor[composite], self._background[composite])
        donor, background = (self.pictures.digests[at].tobytes() for at in sources)
        return composite_digest(donor, background, self.blob(composite), boxes)


def _check(table: npt.NDArray[Any], length: int, size: int, rows: int, path: Path) -> None:
    """Refuse a table of composites that reading its shard could not follow."""
    check_boxes(table, ("patch", "probe", "donor"), size, path)
    ends = table["start"] + sum(row_lengths(table))
    sides = [(table[f"patch_{side}"] == table[f"probe_{side}"]) for side in ("height", "width")]
    problems = (
        (len(table) == rows, f"{rows} composites", len(table)),
        ((table["opaque"] <= 1).all(), "opaque 0 or 1", "another number"),
        ((table["difficulty"] < len(DIFFICULTIES)).all(), "classes 0 to 2", "another number"),
        ((table["start"] >= 0).all() and (ends <= length).all(), "contents inside it", "outside"),
        ((table["opaque"] | np.all(sides, axis=0)).all(), "patches as large as masks", "another"),
    )
    for ok, what, got in problems:
        if not ok:
            raise StoreError.expected(path, what, got, AGAIN)
