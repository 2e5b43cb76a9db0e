"""Building the array index of a COCO instances file in one streaming pass, and caching it."""

import shutil
from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import CisdlError, SourceError, cause, next_step
from cisdl_bench.hashing import hash_file
from cisdl_bench.scratch import scratch_folder
from cisdl_bench.sources.index import ARRAYS, LAYOUT, Index, open_index
from cisdl_bench.sources.json_stream import stream_lists
from cisdl_bench.strict_json import json_text

_BLOCK = 1 << 15
_MOST_PIXELS = 1 << 28  # of a picture: above, run lengths would be drawn into gigabytes
_NOT_FILLED = "RLE does not fill its picture"
_OTHER_SIZE = "RLE of another size than its picture"

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
    entries = _Entries(path)
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
    shapes = _Shapes(entries)
    area, low, high = shapes.measure()
    # A run-length mask's first two numbers are its width and height, and nothing of it is low.
    first = shapes.points[shapes.point_start[shapes.first_part[:-1]]]
    area[is_rle] = np.frombuffer(entries.rle_area, dtype=np.float64)
    own = size[position]
    chosen = {
        "its picture's id occurs twice": np.isin(owners, ambiguous),
        "no such picture": ids[position] != owners,
        _OTHER_SIZE: is_rle & (first != own).any(axis=1),
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
        info={
            "counts": dict(sorted(counts.items())),
            "info": rest.get("info", {}),
            "licences": _licences(rest.get("licenses")),
            "renumbered": entries.renumbered,
        },
        skipped=entries.skipped,
    )


class _Entries:
    """Collects the file's entries in flat arrays, a few bytes a number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pictures: dict[int, tuple[int, int, int, str]] = {}
        self.ambiguous: set[int] = set()
        self.renumbered = False
        self.unfilled: list[tuple[int, int, tuple[int, int]]] = []
        self.skipped: list[tuple[str, int, str]] = []
        self.ids, self.owners, self.is_rle = array("q"), array("q"), array("b")
        self.rle_area = array("d")
        self.part_counts, self.part_lengths, self.numbers = array("q"), array("q"), array("d")

    def picture(self, entry: Any) -> None:
        try:
            values = [entry[name] for name in ("id", "width", "height", "file_name")]
            values.insert(3, entry.get("group", values[0]))
        except (TypeError, KeyError, AttributeError) as error:
            raise self._unlike("images", "id, width, height and file_name", entry) from error
        key, width, height, group = (_whole(value) for value in values[:4])
        name = values[4]
        if key is None or group is None:
            self.skipped.append(("picture", -1 if key is None else key, "id is no whole number"))
        elif not width or not height or min(width, height) < 1:
            self.skipped.append(("picture", key, "no size"))
        elif width * height > _MOST_PIXELS:
            self.skipped.append(("picture", key, f"more than {_MOST_PIXELS:,} pixels"))
        elif not isinstance(name, str) or not _is_file_name(name):
            self.skipped.append(("picture", key, "file name cannot be used"))
        elif self.pictures.setdefault(key, (width, height, group, name)) != (
            width,
            height,
            group,
            name,
        ):
            self.skipped.append(("picture", key, "id occurs twice"))
            self.ambiguous.add(key)

    def annotation(self, entry: Any) -> None:
        try:
            values = entry["id"], entry["image_id"]
            shape = entry["segmentation"]
        except (TypeError, KeyError) as error:
            raise self._unlike("annotations", "id, image_id, segmentation", entry) from error
        key, owner = map(_whole, values)
        if key is None or owner is None:
            where = -1 if key is None else key
            self.skipped.append(("annotation", where, "id is no whole number"))
            return
        is_rle = isinstance(shape, dict)
        before = len(self.numbers)
        try:
            parts, reason = _run_lengths(shape) if is_rle else _polygons(shape)
            for part in parts:
                self.numbers.extend(part)
        except (TypeError, ValueError, KeyError, OverflowError):
            del self.numbers[before:]
            parts, reason = [], "segmentation is neither polygons nor RLE"
        if reason == _NOT_FILLED:
            width, height = map(_whole, reversed(shape["size"]))
            self.unfilled.append((len(self.skipped), owner, (width or 0, height or 0)))
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

    def settle(self) -> None:
        """Decide what could not be before the whole file was seen."""
        for at, owner, size in self.unfilled:
            picture = self.pictures.get(owner)
            if picture and picture[:2] != size:
                self.skipped[at] = (*self.skipped[at][:2], _OTHER_SIZE)
        for key in self.ambiguous:
            del self.pictures[key]
        if len(set(self.ids)) < len(self.ids):
            self.ids, self.renumbered = array("q", range(1, len(self.ids) + 1)), True

    def _unlike(self, where: str, keys: str, entry: Any) -> SourceError:
        got = str(entry)[:80]
        then = "Use a file of COCO's instances layout, not captions or keypoints"
        return SourceError(f"{self.path}: {where}: expected {keys}, got {got}. {then}.")


def _whole(value: Any) -> int | None:
    """Return a number that is whole and has 64 bits at most; None of anything else.

    >>> _whole(7.0), _whole(0.5), _whole(float("inf")), _whole(2**70), _whole(True)
    (7, None, None, None, None)
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**62
    return value if fits else None


def _is_file_name(name: str) -> bool:
    try:
        return bool(name) and "\0" not in name and bool(name.encode())
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def _licences(table: Any) -> list[str]:
    """Return the names of a file's licences, as far as it has any."""
    entries = table if isinstance(table, list) else []
    names = [each.get("name") for each in entries if isinstance(each, dict)]
    return [str(name) for name in names if name]


def _polygons(shape: Any) -> tuple[list[list[float]], str]:
    parts = [part for part in shape if len(part) >= 6 and len(part) % 2 == 0]
    if parts:
        return parts, ""
    return [], "polygon of fewer than three points" if shape else "no outline"


def _run_lengths(shape: dict[str, Any]) -> tuple[list[list[float]], str]:
    """Return one part: width, height, then runs of outside and inside in columns."""
    height, width = map(_whole, shape["size"])
    counts = shape["counts"]
    runs = _unpacked(counts) if isinstance(counts, str) else [_whole(run) for run in counts]
    if height is None or width is None or None in runs:
        raise ValueError("a size or a run is no whole number")
    whole: list[Any] = runs
    if min(height, width) < 1 or sum(whole) != height * width or min(whole, default=0) < 0:
        return [], _NOT_FILLED
    return [[width, height, *whole, *([0] * (len(whole) % 2))]], ""


def _unpacked(text: str) -> list[int]:
    """Return the run lengths of pycocotools' compressed form, without making room for a mask.

    Five bits a character from 48 on, the sixth says that more follow, the last one's fifth is the
    sign; from the fourth number on, each is a difference from the last but one.

    Raises:
        ValueError: A character is none of those, or the text ends within a number.

    >>> _unpacked("4:3")
    [4, 10, 3]
    """
    runs: list[int] = []
    value = bits = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64:
            raise ValueError(f"a run of {character!r}")
        value |= (code & 31) << bits
        bits += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << bits
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = bits = 0
    if bits:
        raise ValueError("a run that is cut short")
    return runs


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
            with np.errstate(all="ignore"):  # infinite areas are refused by name
                cross = x * y[following] - x[following] * y
            first = self.first_part[a:b] - part
            with np.errstate(all="ignore"):
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
