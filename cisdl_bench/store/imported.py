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
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import joblib
import numpy as np
import numpy.typing as npt

from cisdl_bench.records import (
    LISTED_KINDS,
    Mask,
    Pair,
    Pairs,
    Pixels,
    Region,
    read_pair,
    region_of,
)
from cisdl_bench.store.atomic import flushed, write_shard
from cisdl_bench.store.flat import OpenFiles, open_shard
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.layout import (
    LAYOUT,
    SET_FORMAT,
    Bytes,
    box_of,
    h5_header,
    set_fingerprint,
    unpacked,
)
from cisdl_bench.store.pictures import PictureFolder, PictureReader
from cisdl_bench.store.sets import Manifest, SetFolder, read_manifest

HOLDS = "pairs"
_SIDES = ("top", "left", "height", "width")
_MASKS = ("probe", "donor")
_PER_SHARD = 2048
_TASK = 64  # pictures read in one go

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
        *[(f"{mask}_{side}", "<i2") for mask in _MASKS for side in _SIDES],
        ("start", "<i8"),
    ]
)


class Source(Pairs, Protocol):
    """Pairs whose pictures and masks can be read apart."""

    @property
    def pictures(self) -> Sequence[Any]:
        """Every picture once; its number is its place."""
        ...

    def picture(self, number: int) -> Pixels:
        """Return a picture on the canvas, uint8 (size, size, 3)."""
        ...

    def picture_numbers(self, index: int) -> tuple[int, int]:
        """Return the numbers of a pair's probe and donor."""
        ...

    def masks(self, index: int) -> tuple[Mask, Mask]:
        """Return a pair's masks on the canvas."""
        ...


class Progress(Protocol):
    """Hears how an import goes on."""

    def start(self, what: str, total: int, done: int = 0) -> None:
        """A stage begins."""
        ...

    def advance(self, n: int) -> None:
        """So many more are done."""
        ...

    def stop(self) -> None:
        """A stage is done."""
        ...


def import_pairs(
    pairs: Source, out: Path, progress: Progress, *, jobs: int = -1, overwrite: bool = False
) -> Manifest:
    """Write pairs as a set; return its manifest. What is there already is gone on from.

    Args:
        pairs: What is written.
        out: The folder of sets.
        progress: Hears how it goes on.
        jobs: Processes; -1 is all cores.
        overwrite: Replace a set of that name that holds something else.

    Raises:
        StoreError: The folder holds another set of that name, or cannot be written.
        CisdlError: A file cannot be read.
    """
    folder = DataFolder(out)
    with folder.lock():
        target = folder.set(pairs.name)
        request = {"holds": HOLDS, "fingerprint": pairs.fingerprint, "size": pairs.size}
        manifest = target.begin(request, overwrite=overwrite)
        if manifest["complete"]:
            return manifest
        name = f"{pairs.name}-{pairs.fingerprint[:12]}-{pairs.size}"
        store = folder.pictures(name, pairs.size)
        _write_pictures(pairs, store, progress, jobs)
        _write_pairs(pairs, target, manifest, store, progress, jobs)
        return _finish(pairs, target, manifest, store)


def _write_pictures(pairs: Source, store: PictureFolder, progress: Progress, jobs: int) -> None:
    used = dict.fromkeys(n for index in pairs.indices for n in pairs.picture_numbers(index))
    blocks = store.missing(np.fromiter(used, dtype=np.int64), pairs.fingerprint)
    progress.start("pictures", sum(len(ids) for _, ids in blocks))
    with joblib.Parallel(n_jobs=jobs, return_as="generator") as parallel:
        for name, ids in blocks:
            parts = [ids[k : k + _TASK] for k in range(0, len(ids), _TASK)]
            found = []
            for pixels in parallel(joblib.delayed(_read)(pairs, part) for part in parts):
                found.append(pixels)
                progress.advance(len(pixels))
            store.add(store.write(name, ids, np.concatenate(found)), {}, name)
    progress.stop()


def _read(pairs: Source, numbers: npt.NDArray[np.int64]) -> Pixels:
    return np.stack([pairs.picture(int(number)) for number in numbers])


def _write_pairs(
    pairs: Source,
    target: SetFolder,
    manifest: Manifest,
    store: PictureFolder,
    progress: Progress,
    jobs: int,
) -> None:
    done = {entry["name"] for entry in manifest["shards"]}
    reader = PictureReader(store.path)
    parts = {
        f"shard-{k:05d}.h5": pairs.indices[start : start + _PER_SHARD]
        for k, start in enumerate(range(0, len(pairs), _PER_SHARD))
    }
    todo = {name: part for name, part in parts.items() if name not in done}
    progress.start("pairs", len(pairs), len(pairs) - sum(map(len, todo.values())))
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)
    tasks = (
        joblib.delayed(_write_shard)(pairs, part, target.path / name, reader)
        for name, part in todo.items()
    )
    for entry in parallel(tasks):
        flushed(target.path / entry["name"])
        shards = [*manifest["shards"], entry]
        manifest["shards"] = sorted(shards, key=lambda shard: str(shard["name"]))
        target.save(manifest)
        progress.advance(entry["rows"])
    progress.stop()


def _write_shard(
    pairs: Source, indices: Sequence[int], path: Path, reader: PictureReader
) -> Manifest:
    rows, pieces, digests, start = [], [], [], 0
    for index in indices:
        numbers = pairs.picture_numbers(index)
        regions = [region_of(mask.astype(np.uint8)) for mask in pairs.masks(index)]
        packed = [np.packbits(region.bits, axis=1).reshape(-1) for region in regions]
        rows.append(_row(pairs, index, numbers, regions, start))
        of_pictures = reader.digests[reader.positions(np.array(numbers, dtype=np.int64))]
        pieces += packed
        start += sum(piece.size for piece in packed)
        digests.append((of_pictures, packed))
    table = np.array(rows, dtype=PAIR_ROW)
    hashed = [
        pair_digest(row, of_pictures, np.concatenate(packed))
        for row, (of_pictures, packed) in zip(table, digests, strict=True)
    ]
    flat = np.concatenate([*pieces, np.zeros(1, dtype=np.uint8)])  # HDF5 stores no empty piece
    names = [pairs.about(index) for index in indices]
    small = {
        "pairs": table,
        **{
            f"{side}_name": np.array([str(name.get(side, "")).encode() or b"-" for name in names])
            for side in _MASKS
        },
        "digest": np.frombuffer(b"".join(hashed), dtype=np.uint8).reshape(-1, 32),
    }
    attributes = {"format": SET_FORMAT, "layout": LAYOUT, "holds": HOLDS}
    header = h5_header(small, "bytes", (len(flat),), attributes)
    return {"name": path.name, "rows": len(table), **write_shard(path, header, flat.data)}


def _row(
    pairs: Source, index: int, numbers: tuple[int, int], regions: Sequence[Region], start: int
) -> tuple[Any, ...]:
    areas = (int(np.count_nonzero(region.bits)) for region in regions)
    sides = (value for region in regions for value in region.box)
    return (index, *numbers, pairs.label(index), *pairs.known(index), *areas, *sides, start)


def pair_digest(row: Any, of_pictures: Bytes, masks: Bytes) -> bytes:
    """Return the SHA-256 of what a pair is made of.

    Args:
        row: Of ``PAIR_ROW``: its label, what is known, and its boxes are taken.
        of_pictures: Digests of the probe's and the donor's pixels, uint8 (2, 32).
        masks: Both packed masks, one after the other.
    """
    total = hashlib.sha256(np.ascontiguousarray(of_pictures).tobytes())
    names = [f"{mask}_{side}" for mask in _MASKS for side in _SIDES]
    values = [int(row[name]) for name in ("label", "probe_known", "donor_known", *names)]
    total.update(np.array(values, dtype="<i2").tobytes())
    total.update(np.ascontiguousarray(masks).data)
    return total.digest()


def _finish(pairs: Source, target: SetFolder, manifest: Manifest, store: PictureFolder) -> Manifest:
    labels = [pairs.kind(index) for index in pairs.indices]
    final = {
        **manifest,
        "holds": HOLDS,
        "size": pairs.size,
        "pictures": f"../pictures/{store.path.name}",
        "notes": [*pairs.facts["notes"], *_rounded(pairs)],
        "source": {key: value for key, value in pairs.facts.items() if key != "notes"},
        "counts": {
            "pairs": len(pairs),
            "kinds": {kind: labels.count(kind) for kind in LISTED_KINDS},
            "left_out": len(pairs.left_out),
        },
    }
    left_out = [("pair", number, reason) for number, reason in sorted(pairs.left_out.items())]
    return target.finish(final, (HOLDS,), pairs.size, left_out)


def _rounded(pairs: Source) -> list[str]:
    if pairs.dtype == np.uint8:
        return []
    return [f"{pairs.name}: resized pictures are rounded to 8 bits; scored directly they are not"]


class ImportedPairs:
    """The pairs of an imported set; see ``records.Pairs``."""

    dtype: Any = np.uint8

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest: Manifest = read_manifest(path)
        self.size = int(self.manifest["size"])
        self._files = OpenFiles()
        self._shards: list[tuple[Path, int]] = []
        columns: list[tuple[Any, ...]] = []
        for entry in self.manifest["shards"]:
            small = ("pairs", "probe_name", "donor_name", "digest")
            offset, values = open_shard(path / entry["name"], "bytes", small)
            self._shards.append((path / entry["name"], offset))
            columns.append(values)
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
        sides = [self.rows[f"{side}_picture"] for side in _MASKS]
        self._pictures = np.stack([self.pictures.positions(ids) for ids in sides], axis=1)

    def __reduce__(self) -> tuple[Any, ...]:
        return ImportedPairs, (self.path.absolute(),)

    @cached_property
    def pictures(self) -> PictureReader:
        """The picture store that the set is built on."""
        return PictureReader((self.path / self.manifest["pictures"]).resolve())

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
        for names, side, known in zip(self._names, _MASKS, self.known(index), strict=True):
            found[side] = names[place].decode()
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
        for name, mask in zip(_MASKS, (probe_mask, donor_mask), strict=True):
            box = box_of(row, name)
            end = at + box.height * (-(-box.width // 8))
            mask[:] = 0
            mask[box.slices] = unpacked(blob[at:end], box) if end > at else 0
            at = end
        return int(row["label"])

    def _blob(self, place: int) -> Bytes:
        row = self.rows[place]
        length = sum(int(row[f"{m}_height"]) * (-(-int(row[f"{m}_width"]) // 8)) for m in _MASKS)
        shard, offset = self._shards[self._shard[place]]
        return self._files.read(shard, offset + int(row["start"]), length)

    def problem(self, place: int) -> str:
        """Return what is wrong with the content of the pair in a place; empty where it is sound."""
        row, where = self.rows[place], f"{self.path}: pair {self.rows[place]['index']}"
        for name in _MASKS:
            box = box_of(row, name)
            if min(box) < 0 or max(box.top + box.height, box.left + box.width) > self.size:
                return f"{where}: its {name} box {tuple(box)} leaves the canvas"
        found = pair_digest(row, self.pictures.digests[self._pictures[place]], self._blob(place))
        if found != self.digests[place].tobytes():
            return f"{where}: its content does not fit its digest"
        return ""


def fingerprint_again(pairs: ImportedPairs) -> str:
    """Return the fingerprint of an imported set's digests."""
    return set_fingerprint([pairs.digests], (HOLDS,), pairs.size)
