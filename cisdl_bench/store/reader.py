"""Reading a set back as pairs, exact to the bit."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import cv2
import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import StoreError
from cisdl_bench.records import (
    DIFFICULTIES,
    Mask,
    Pair,
    Pixels,
    label_of,
    pairs_of,
    read_pair,
)
from cisdl_bench.store.flat import AGAIN, OpenFiles, open_shard
from cisdl_bench.store.layout import (
    box_of,
    boxes_of,
    check_boxes,
    composite_columns,
    composite_digest,
    lengths_of,
    row_type,
    unpacked,
)
from cisdl_bench.store.pictures import PictureReader
from cisdl_bench.store.sets import Manifest, read_manifest
from cisdl_bench.store.shapes import GeneratedSet


class PairSet(Sequence[Pair]):
    """The pairs of one set; pair i is kind ``i % K`` of composite ``i // K``.

    Reading is safe after fork and in threads; pickled, it carries its path alone and opens
    again where it is read.
    """

    dtype = np.uint8

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path, shape=GeneratedSet)
        spec = self.manifest["spec"]
        self.kinds: tuple[str, ...] = tuple(spec["kinds"])
        self.size = int(spec["size"])
        self._files = OpenFiles()
        self._shards: list[tuple[Path, int]] = []
        #: Columns of the parameters of its transformations.
        self.parameters: tuple[str, ...] = tuple(self.manifest["parameters"])
        columns = composite_columns(self.parameters)
        tables = [np.zeros(0, dtype=row_type(self.parameters))]
        digests = [np.zeros((0, 32), dtype=np.uint8)]
        for entry in self.manifest["shards"]:
            shard = path / entry["name"]
            opened = open_shard(shard, "bytes", columns)
            table, digest = opened.values
            _check(table, opened.length, self.size, entry["rows"], shard)
            self._shards.append((shard, opened.offset))
            tables.append(table)
            digests.append(digest)
        #: The table of all composites, one row each, with the fields of ``layout.row_type``.
        self.rows: npt.NDArray[Any] = np.concatenate(tables)
        #: uint8, (n, 32): what each composite's content hashes to.
        self.digests: npt.NDArray[np.uint8] = np.concatenate(digests)
        counts = [len(table) for table in tables[1:]]
        self._shard = np.repeat(np.arange(len(counts)), counts)
        self._ends = np.cumsum(np.stack(lengths_of(self.rows), axis=1), axis=1)
        self._donor = self.pictures.positions(self.rows["donor_id"])
        self._background = self.pictures.positions(self.rows["background_id"])

    def __reduce__(self) -> tuple[Any, ...]:
        # Workers may have been started in another folder.
        return PairSet, (self.path.absolute(),)

    @cached_property
    def pictures(self) -> PictureReader:
        """The picture store that the set is built on."""
        return PictureReader((self.path / self.manifest["pictures"]).resolve())

    def __len__(self) -> int:
        """Return the number of pairs."""
        return pairs_of(len(self.rows), self.kinds)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        """Return one pair, or a list of them for a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return read_pair(self, range(len(self))[index])

    def __iter__(self) -> Iterator[Pair]:
        """Yield every pair in order."""
        return (self[i] for i in range(len(self)))

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
    def name(self) -> str:
        """The set's name, such as ``rotation-difficult``."""
        return self.path.absolute().name

    @property
    def indices(self) -> range:
        """The pairs' numbers, from 0 on."""
        return range(len(self))

    @property
    def left_out(self) -> dict[int, str]:
        """Nothing: a set has what could be generated."""
        return {}

    @property
    def fingerprint(self) -> str:
        """The set's fingerprint."""
        return str(self.manifest["fingerprint"])

    @property
    def origin(self) -> dict[str, Any]:
        """The set's folder."""
        return {"path": str(self.path.absolute())}

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
        return label_of(self.kind(index))

    def known(self, index: int) -> tuple[bool, bool]:
        """Return True twice: both masks of a generated pair are known."""
        return True, True

    def about(self, index: int) -> dict[str, float | int | str]:
        """Return the numbers of a pair's composite."""
        return self.numbers(index // len(self.kinds))

    def read_into(
        self, index: int, probe: Pixels, donor: Pixels, probe_mask: Mask, donor_mask: Mask
    ) -> int:
        """Fill arrays with one pair; return its label.

        Args:
            index: The pair, 0 or more.
            probe: uint8, (size, size, 3), contiguous.
            donor: The same.
            probe_mask: bool or uint8, (size, size), contiguous.
            donor_mask: The same.
        """
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
        box, patch_box = box_of(row, "probe"), box_of(row, "patch")
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
            donor_box = box_of(row, "donor")
            donor_mask[donor_box.slices] = unpacked(blob[probe_end:], donor_box)
        return 1

    def blob(self, composite: int) -> npt.NDArray[np.uint8]:
        """Return the bytes that a composite has in its shard."""
        shard, offset = self._shards[self._shard[composite]]
        start = offset + int(self.rows["start"][composite])
        return self._files.read(shard, start, int(self._ends[composite, 2]))

    def ends(self, composite: int) -> list[int]:
        """Return where the patch, the probe mask and the donor mask end in its ``blob``."""
        ends: list[int] = self._ends[composite].tolist()
        return ends

    def digest(self, composite: int) -> bytes:
        """Return the digest of a composite's content as it is on disk now."""
        boxes = boxes_of(self.rows[composite : composite + 1])[0]
        sources = (self._donor[composite], self._background[composite])
        donor, background = (self.pictures.digests[at].tobytes() for at in sources)
        return composite_digest(donor, background, self.blob(composite), boxes)


def _check(table: npt.NDArray[Any], length: int, size: int, rows: int, path: Path) -> None:
    """Refuse a table of composites that reading its shard could not follow."""
    check_boxes(table, ("patch", "probe", "donor"), size, path)
    ends = table["start"] + sum(lengths_of(table))
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
