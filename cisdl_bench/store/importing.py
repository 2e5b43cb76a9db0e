"""Writing other people's pairs as a set; ``imported`` has its layout and reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt

from cisdl_bench.engine import workers
from cisdl_bench.pairs import Pairs
from cisdl_bench.progress import Progress
from cisdl_bench.records import LISTED_KINDS, SIDES, Pixels, Region, cut_region
from cisdl_bench.store.atomic import flushed, write_shard
from cisdl_bench.store.folder import DataFolder
from cisdl_bench.store.imported import HOLDS, PAIR_ROW, pair_digest
from cisdl_bench.store.layout import LAYOUT, SET_FORMAT, h5_header
from cisdl_bench.store.pictures import PictureFolder, PictureReader
from cisdl_bench.store.sets import Manifest, SetFolder

_PER_SHARD = 2048
_TASK = 64  # pictures read in one go


def import_pairs(
    pairs: Pairs, out: Path, progress: Progress, *, jobs: int = -1, overwrite: bool = False
) -> Manifest:
    """Write pairs as a set; return its manifest. Resumes an interrupted import.

    Args:
        pairs: Pairs to be written.
        out: Folder of sets, in which the new one is made.
        progress: Receives progress updates and messages.
        jobs: Number of processes; -1 is all cores.
        overwrite: Whether a set of that name that holds something else is replaced.

    Raises:
        StoreError: The folder holds another set of that name, or cannot be written.
        CisdlError: A file cannot be read.
    """
    folder = DataFolder(out)
    with folder.lock():
        request = {"holds": HOLDS, "fingerprint": pairs.fingerprint, "size": pairs.size}
        target, manifest = folder.set(pairs.name).begin(request, overwrite=overwrite)
        name = f"{pairs.name}-{pairs.fingerprint[:12]}-{pairs.size}"
        store = folder.pictures(name, pairs.size)
        damaged = store.check(thorough=overwrite)
        for shard in damaged:
            progress.say(f"{store.path / shard}: damaged or missing, made again")
        if manifest["complete"] and not damaged and store.path.exists():
            return manifest
        _write_pictures(pairs, store, progress, jobs)
        if manifest["complete"]:
            return manifest
        _write_pairs(pairs, target, manifest, store, progress, jobs)
        return _finish(pairs, target, manifest, store)


def _write_pictures(pairs: Pairs, store: PictureFolder, progress: Progress, jobs: int) -> None:
    used = dict.fromkeys(n for index in pairs.indices for n in pairs.picture_numbers(index))
    blocks = store.missing(np.fromiter(used, dtype=np.int64), pairs.fingerprint)
    progress.start("pictures", sum(len(ids) for _, ids in blocks))
    with workers(jobs, return_as="generator") as parallel:
        for name, ids in blocks:
            parts = [ids[k : k + _TASK] for k in range(0, len(ids), _TASK)]
            blocks_read = []
            for pixels in parallel(joblib.delayed(_read)(pairs, part) for part in parts):
                blocks_read.append(pixels)
                progress.advance(len(pixels))
            store.add(store.write(name, ids, np.concatenate(blocks_read)), {}, name)
    progress.stop()


def _read(pairs: Pairs, numbers: npt.NDArray[np.int64]) -> Pixels:
    return np.stack([pairs.picture(int(number)) for number in numbers])


def _write_pairs(
    pairs: Pairs,
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
    parallel = workers(jobs, return_as="generator_unordered", batch_size=1)
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
    pairs: Pairs, indices: Sequence[int], path: Path, reader: PictureReader
) -> Manifest:
    rows, pieces, digests, start = [], [], [], 0
    for index in indices:
        numbers = pairs.picture_numbers(index)
        regions = [cut_region(mask.astype(np.uint8)) for mask in pairs.masks(index)]
        packed = [np.packbits(region.bits, axis=1).reshape(-1) for region in regions]
        rows.append(_row(pairs, index, numbers, regions, start))
        picture_digests = reader.digests[reader.positions(np.array(numbers, dtype=np.int64))]
        pieces += packed
        start += sum(piece.size for piece in packed)
        digests.append((picture_digests, packed))
    table = np.array(rows, dtype=PAIR_ROW)
    hashed = [
        pair_digest(row, picture_digests, np.concatenate(packed))
        for row, (picture_digests, packed) in zip(table, digests, strict=True)
    ]
    flat = np.concatenate([*pieces, np.zeros(1, dtype=np.uint8)])  # HDF5 stores no empty piece
    names = [pairs.about(index) for index in indices]
    small = {
        "pairs": table,
        **{
            f"{side}_name": np.array([_bytes(name.get(side, "")) for name in names])
            for side in SIDES
        },
        "digest": np.frombuffer(b"".join(hashed), dtype=np.uint8).reshape(-1, 32),
    }
    attributes = {"format": SET_FORMAT, "layout": LAYOUT, "holds": HOLDS}
    header = h5_header(small, "bytes", (len(flat),), attributes)
    return {"name": path.name, "rows": len(table), **write_shard(path, header, flat.data)}


def _row(
    pairs: Pairs, index: int, numbers: tuple[int, int], regions: Sequence[Region], start: int
) -> tuple[Any, ...]:
    areas = (int(np.count_nonzero(region.bits)) for region in regions)
    sides = (value for region in regions for value in region.box)
    return (index, *numbers, pairs.label(index), *pairs.known(index), *areas, *sides, start)


def _bytes(name: object) -> bytes:
    """Return a name as a list has it; HDF5 keeps no empty one, and stops at a NUL."""
    return str(name).replace("\0", "?").encode("utf-8", "surrogateescape") or b"-"


def _finish(pairs: Pairs, target: SetFolder, manifest: Manifest, store: PictureFolder) -> Manifest:
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


def _rounded(pairs: Pairs) -> list[str]:
    if pairs.dtype == np.uint8:
        return []
    return [f"{pairs.name}: resized pictures are rounded to 8 bits; scored directly they are not"]
