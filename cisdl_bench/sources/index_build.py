"""Building the array index of a COCO instances file in one streaming pass, and caching it."""

import hashlib
import json
import shutil
import tempfile
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from cisdl_bench.errors import SourceError
from cisdl_bench.sources.index import ARRAYS, LAYOUT, Index
from cisdl_bench.sources.json_stream import stream_lists

_BLOCK = 1 << 15

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


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
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError.expected(
            path, "COCO's instances file", error.strerror, "Check the folder given by --coco"
        ) from error
    folder = cache / f"{path.stem}-{path.stat().st_size}-{sha256[:16]}-v{LAYOUT}"
    if not (folder / "index.json").exists():
        _save(build_index(path), folder, {"file": path.name, "sha256": sha256})
    return folder


def _save(index: Index, folder: Path, record: dict[str, Any]) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=".index-", dir=folder.parent))
        try:
            for name in ARRAYS:
                np.save(partial / f"{name}.npy", getattr(index, name), allow_pickle=False)
            record = {**record, **index.info, "skipped": index.skipped}
            (partial / "index.json").write_text(json.dumps(record), "utf-8")
            if not folder.exists():
                partial.replace(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise SourceError.expected(
            folder.parent, "a folder to write to", error.strerror, "Choose another --out"
        ) from error


def build_index(path: Path) -> Index:
    """Return the index of a COCO instances file, read once as a stream.

    Annotations whose picture is not listed, whose outline has no area or lies outside its
    picture, or is no outline at all are skipped, counted by reason and listed.

    Raises:
        SourceError: The file cannot be read or is not in COCO's instances layout.
    """
    entries = _Entries(path)
    rest = stream_lists(path, {"images": entries.picture, "annotations": entries.annotation})
    ids = np.array(sorted(entries.pictures), dtype=np.int64)
    if not len(ids):
        raise SourceError.expected(path, "at least one picture", "none", "Use another file")
    rows = [entries.pictures[key] for key in ids.tolist()]
    size = np.array([row[:2] for row in rows], dtype=np.int32)
    names = [row[3].encode() for row in rows]

    owners = np.frombuffer(entries.owners, dtype=np.int64)
    position = np.minimum(np.searchsorted(ids, owners), len(ids) - 1)
    annotation_id = np.frombuffer(entries.ids, dtype=np.int64)
    is_rle = np.frombuffer(entries.is_rle, dtype=np.int8) != 0
    shapes = _Shapes(entries)
    area, low, high = shapes.measure()
    # A run-length mask's first two numbers are its width and height, and nothing of it is low.
    first = shapes.points[shapes.point_start[shapes.first_part[:-1]]]
    area[is_rle] = np.frombuffer(entries.rle_area, dtype=np.float64)
    reasons = np.select(
        [
            ids[position] != owners,
            is_rle & (first != size[position]).any(axis=1),
            ~(area > 0),
            ~is_rle & ((low >= size[position]) | (high <= 0)).any(axis=1),
        ],
        ["no such picture", "RLE of another size than its picture", "area 0", "outside picture"],
        default="",
    )
    for a in np.flatnonzero(reasons != "").tolist():
        entries.skipped.append(("annotation", int(annotation_id[a]), str(reasons[a])))
    keep = np.flatnonzero(reasons == "")
    keep = keep[np.argsort(position[keep], kind="stable")]
    per_picture = np.bincount(position[keep], minlength=len(ids))
    first_part, part_start, numbers = shapes.taken(keep)
    counts = Counter(f"{what}: {reason}" for what, _, reason in entries.skipped)
    counts["picture: no annotation (never a donor)"] = int((per_picture == 0).sum())
    return Index(
        picture_id=ids,
        picture_width=size[:, 0].copy(),
        picture_height=size[:, 1].copy(),
        picture_group=np.array([row[2] for row in rows], dtype=np.int64),
        name_start=_starts([len(name) for name in names]),
        name_bytes=np.frombuffer(b"".join(names), dtype=np.uint8),
        first_annotation=_starts(per_picture),
        annotation_id=annotation_id[keep],
        annotation_area=area[keep],
        annotation_is_rle=is_rle[keep],
        first_part=first_part,
        part_start=part_start,
        numbers=numbers,
        info={"counts": dict(sorted(counts.items())), "info": rest.get("info", {})},
        skipped=entries.skipped,
    )


class _Entries:
    """Collects the file's entries in flat arrays, a few bytes a number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures: dict[int, tuple[int, int, int, str]] = {}
        self.skipped: list[tuple[str, int, str]] = []
        self.ids, self.owners, self.is_rle = array("q"), array("q"), array("b")
        self.rle_area = array("d")
        self.part_counts, self.part_lengths, self.numbers = array("q"), array("q"), array("d")

    def picture(self, entry: Any) -> None:
        try:
            key, width, height = (int(entry[k]) for k in ("id", "width", "height"))
            name, group = str(entry["file_name"]), int(entry.get("group", key))
        except (TypeError, KeyError, ValueError) as error:
            raise self._unlike("images", "id, width, height and file_name", entry) from error
        if min(width, height) < 1:
            self.skipped.append(("picture", key, "no size"))
        elif key in self.pictures:
            self.skipped.append(("picture", key, "id occurs twice"))
        else:
            self.pictures[key] = (width, height, group, name)

    def annotation(self, entry: Any) -> None:
        try:
            key, owner, shape = int(entry["id"]), int(entry["image_id"]), entry["segmentation"]
        except (TypeError, KeyError, ValueError) as error:
            raise self._unlike("annotations", "id, image_id, segmentation", entry) from error
        is_rle = isinstance(shape, dict)
        before = len(self.numbers)
        try:
            parts, reason = _run_lengths(shape) if is_rle else _polygons(shape)
            for part in parts:
                self.numbers.extend(part)
        except (TypeError, ValueError, KeyError, OverflowError):
            del self.numbers[before:]
            parts, reason = [], "segmentation is neither polygons nor RLE"
        if reason:
            self.skipped.append(("annotation", key, reason))
            return
        self.ids.append(key)
        self.owners.append(owner)
        self.is_rle.append(is_rle)
        self.part_counts.append(len(parts))
        self.part_lengths.extend(map(len, parts))
        if is_rle:
            self.rle_area.append(sum(parts[0][3::2]))

    def _unlike(self, where: str, keys: str, entry: Any) -> SourceError:
        got = str(entry)[:80]
        then = "Use a file of COCO's instances layout, not captions or keypoints"
        return SourceError(f"{self.path}: {where}: expected {keys}, got {got}. {then}.")


def _polygons(shape: Any) -> tuple[list[list[float]], str]:
    parts = [part for part in shape if len(part) >= 6 and len(part) % 2 == 0]
    if parts:
        return parts, ""
    return [], "polygon of fewer than three points" if shape else "no outline"


def _run_lengths(shape: dict[str, Any]) -> tuple[list[list[float]], str]:
    """Return one part: width, height, then runs of outside and inside in columns."""
    height, width = (int(v) for v in shape["size"])
    counts = shape["counts"]
    if isinstance(counts, str):
        pixels = coco_mask.decode({"size": [height, width], "counts": counts.encode()})
        flat = pixels.ravel(order="F")
        edges = np.flatnonzero(np.diff(flat, prepend=0, append=1 - flat[-1]))
        counts = np.diff(edges, prepend=0).tolist()
    if sum(counts) != height * width or min(counts, default=0) < 0:
        return [], "RLE does not fill its picture"
    return [[width, height, *counts, *([0] * (len(counts) % 2))]], ""


def _starts(lengths: Any) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


class _Shapes:
    """All outlines at once, as points (x, y); run lengths lie among them two by two."""

    def __init__(self, entries: _Entries) -> None:
        self.points = np.frombuffer(entries.numbers, dtype=np.float64).reshape(-1, 2)
        self.part_counts = np.frombuffer(entries.part_counts, dtype=np.int64)
        self.point_counts = np.frombuffer(entries.part_lengths, dtype=np.int64) // 2
        self.point_start = _starts(self.point_counts)
        self.first_part = _starts(self.part_counts)

    def measure(self) -> tuple[Floats, Floats, Floats]:
        """Return each outline's area (shoelace, parts added), lowest and highest x, y."""
        n = len(self.part_counts)
        area, low, high = np.empty(n), np.empty((n, 2)), np.empty((n, 2))
        for a in range(0, n, _BLOCK):
            b = min(a + _BLOCK, n)
            part, part_end = self.first_part[a], self.first_part[b]
            point = self.point_start[part]
            points = self.points[point : self.point_start[part_end]]
            begin = self.point_start[part:part_end] - point
            following = np.arange(1, len(points) + 1)
            following[self.point_start[part + 1 : part_end + 1] - point - 1] = begin
            x, y = points.T
            cross = x * y[following] - x[following] * y
            first = self.first_part[a:b] - part
            area[a:b] = np.add.reduceat(np.abs(np.add.reduceat(cross, begin)) / 2, first)
            low[a:b] = np.minimum.reduceat(points, begin[first])
            high[a:b] = np.maximum.reduceat(points, begin[first])
        return area, low, high

    def taken(self, keep: Ints) -> tuple[Ints, Ints, Floats]:
        """Return first_part, part_start and numbers of the kept outlines in that order."""
        parts = _ranges(self.first_part[keep], self.part_counts[keep])
        start = _starts(self.point_counts[parts])
        points = np.empty((int(start[-1]), 2))
        for low in range(0, len(parts), _BLOCK):
            block = parts[low : low + _BLOCK]
            where = _ranges(self.point_start[block], self.point_counts[block])
            points[start[low] : start[low + len(block)]] = self.points[where]
        return _starts(self.part_counts[keep]), start * 2, points.ravel()


def _ranges(starts: Ints, lengths: Ints) -> Ints:
    """Concatenate ``range(start, start + length)`` of each."""
    offset = np.arange(int(lengths.sum())) - np.repeat(_starts(lengths)[:-1], lengths)
    return np.asarray(np.repeat(starts, lengths) + offset)
