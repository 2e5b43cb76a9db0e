"""Building the array index of a COCO instances file in one streaming pass, and caching it."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from cisdl_bench.errors import CisdlError, SourceError, cause, next_step
from cisdl_bench.hashing import hash_file
from cisdl_bench.scratch import scratch_folder
from cisdl_bench.sources.entries import OTHER_SIZE, Entries
from cisdl_bench.sources.index import ARRAYS, LAYOUT, Index, open_index
from cisdl_bench.sources.json_stream import stream_lists
from cisdl_bench.sources.shapes import Shapes, cumulate
from cisdl_bench.strict_json import json_text


def cached_index(path: Path, cache: Path) -> Path:
    """Return the folder of an instances file's index, built now unless it is already there.

    Args:
        path: The instances JSON.
        cache: Folder of indices; each is a folder of plain ``.npy`` files named by the JSON's
            name, size and SHA-256.

    Raises:
        SourceError: The file cannot be read, is not in COCO's instances layout, or the cache
            cannot be written.
    """
    try:
        sha256 = hash_file(path)
    except OSError as error:
        raise SourceError.expected(
            path,
            "COCO's instances file",
            cause(error),
            next_step(error, "Check the folder given by --coco"),
        ) from error
    folder = cache / f"{path.stem}-{path.stat().st_size}-{sha256[:16]}-v{LAYOUT}"
    try:
        open_index(folder)
    except FileNotFoundError:
        _save(build_index(path), folder, {"file": path.name, "sha256": sha256})
    except (OSError, ValueError, TypeError, KeyError, EOFError, CisdlError):
        shutil.rmtree(folder, ignore_errors=True)  # damaged; it is made again from the file
        _save(build_index(path), folder, {"file": path.name, "sha256": sha256})
    return folder


def _save(index: Index, folder: Path, record: dict[str, Any]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder) as partial:
            for name in ARRAYS:
                np.save(partial / f"{name}.npy", getattr(index, name), allow_pickle=False)
            record = {**record, **index.info, "skipped": index.skipped}
            (partial / "index.json").write_text(json_text(record), "utf-8")
            if not folder.exists():
                partial.replace(folder)
    except OSError as error:
        raise SourceError.expected(
            folder.parent,
            "a folder to write to",
            cause(error),
            next_step(error, "Choose another --out"),
        ) from error


def build_index(path: Path) -> Index:
    """Return the index of a COCO instances file, read once as a stream.

    Annotations whose picture is not listed or listed twice, whose outline has no area or lies
    outside its picture, or is no outline at all are skipped, counted by reason and listed. Where
    annotation ids occur twice, all are numbered by their place in the file instead.

    Raises:
        SourceError: The file cannot be read or is not in COCO's instances layout.
    """
    entries = Entries(path)
    rest = stream_lists(path, {"images": entries.picture, "annotations": entries.annotation})
    entries.settle()
    ids = np.array(sorted(entries.pictures), dtype=np.int64)
    if not len(ids):
        raise SourceError.expected(path, "at least one picture", "none", "Use another file")
    rows = [entries.pictures[key] for key in ids.tolist()]
    size = np.array([row[:2] for row in rows], dtype=np.int32)
    names = [row[3].encode() for row in rows]

    owners = np.frombuffer(entries.owners, dtype=np.int64)
    position = np.minimum(np.searchsorted(ids, owners), len(ids) - 1)
    annotation_id = np.frombuffer(entries.ids, dtype=np.int64)
    ambiguous = np.array(sorted(entries.ambiguous), dtype=np.int64)
    is_rle = np.frombuffer(entries.is_rle, dtype=np.int8) != 0
    shapes = Shapes(entries)
    area, low, high = shapes.measure()
    # A run-length mask's first two numbers are its width and height, and nothing of it is low.
    first = shapes.points[shapes.point_start[shapes.first_part[:-1]]]
    area[is_rle] = np.frombuffer(entries.rle_area, dtype=np.float64)
    own = size[position]
    chosen = {
        "its picture's id occurs twice": np.isin(owners, ambiguous),
        "no such picture": ids[position] != owners,
        OTHER_SIZE: is_rle & (first != own).any(axis=1),
        "a coordinate is no finite number": ~np.isfinite(area),
        "area 0": ~(area > 0),
        "outside picture": ~is_rle & ((low >= own) | (high <= 0)).any(axis=1),
        "a corner far outside its picture": ~is_rle & ((low < -own) | (high > 2 * own)).any(axis=1),
    }
    reasons = np.select(list(chosen.values()), list(chosen), default="")
    for a in np.flatnonzero(reasons != "").tolist():
        entries.skipped.append(("annotation", int(annotation_id[a]), str(reasons[a])))
    keep = np.flatnonzero(reasons == "")
    keep = keep[np.argsort(position[keep], kind="stable")]
    per_picture = np.bincount(position[keep], minlength=len(ids))
    first_part, part_start, numbers = shapes.take(keep)
    counts = Counter(f"{what}: {reason}" for what, _, reason in entries.skipped)
    counts["picture: no annotation (never a donor)"] = int((per_picture == 0).sum())
    return Index(
        picture_id=ids,
        picture_width=size[:, 0].copy(),
        picture_height=size[:, 1].copy(),
        picture_group=np.array([row[2] for row in rows], dtype=np.int64),
        name_start=cumulate([len(name) for name in names]),
        name_bytes=np.frombuffer(b"".join(names), dtype=np.uint8),
        first_annotation=cumulate(per_picture),
        annotation_id=annotation_id[keep],
        annotation_area=area[keep],
        annotation_category=np.frombuffer(entries.categories, dtype=np.int64)[keep],
        annotation_is_rle=is_rle[keep],
        first_part=first_part,
        part_start=part_start,
        numbers=numbers,
        info={
            "counts": dict(sorted(counts.items())),
            "info": rest.get("info", {}),
            "licences": _licences(rest.get("licenses")),
            "renumbered": entries.renumbered,
        },
        skipped=entries.skipped,
    )


def _licences(table: Any) -> list[str]:
    """Return the names of a file's licences, as far as it has any."""
    entries = table if isinstance(table, list) else []
    names = [each.get("name") for each in entries if isinstance(each, dict)]
    return [str(name) for name in names if name]
