"""A compact array index of a COCO instances file, built once and mapped into every worker."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from cisdl_bench.errors import SourceError
from cisdl_bench.strict_json import decoded

LAYOUT = 3
ARRAYS = (
    "picture_id",
    "picture_width",
    "picture_height",
    "picture_group",
    "name_start",
    "name_bytes",
    "first_annotation",
    "annotation_id",
    "annotation_area",
    "annotation_category",
    "annotation_is_rle",
    "first_part",
    "part_start",
    "numbers",
)


class _Record(TypedDict):
    """What ``index.json`` holds beside the file's own ``info`` table."""

    file: str
    sha256: str
    counts: dict[str, int]
    licences: list[str]
    renumbered: bool
    skipped: list[tuple[str, int, str]]


@dataclass(frozen=True)
class Index:
    """Pictures in order of their id, each with its usable annotations in file order.

    A picture is known by its position p, an annotation by its position a; the annotations of p
    are ``range(first_annotation[p], first_annotation[p + 1])``. The parts of a are
    ``range(first_part[a], first_part[a + 1])`` and part q's numbers are
    ``numbers[part_start[q]:part_start[q + 1]]``: x, y of each vertex in px, or run lengths.

    Attributes:
        picture_id: Ids of the pictures, rising, int64, (P,).
        picture_width: Widths in px, int32, (P,).
        picture_height: Heights in px, int32, (P,).
        picture_group: int64, (P,): pictures of one group show the same scene and are never
            donor and background of each other; the picture's own id where the file has none.
        annotation_id: Ids of the annotations, int64, (A,).
        annotation_area: float64, (A,), px of the full picture, by the shoelace formula.
        annotation_category: Category ids of the annotations, -1 for none, int64, (A,).
        annotation_is_rle: Whether an annotation is run lengths, bool, (A,).
        info: The file's name and SHA-256, its ``info`` table and licences, counts by reason
            skipped, and whether annotations were renumbered.
        skipped: Skipped entries, as (``picture`` or ``annotation``, id, reason).
    """

    picture_id: npt.NDArray[np.int64]
    picture_width: npt.NDArray[np.int32]
    picture_height: npt.NDArray[np.int32]
    picture_group: npt.NDArray[np.int64]
    name_start: npt.NDArray[np.int64]
    name_bytes: npt.NDArray[np.uint8]
    first_annotation: npt.NDArray[np.int64]
    annotation_id: npt.NDArray[np.int64]
    annotation_area: npt.NDArray[np.float64]
    annotation_category: npt.NDArray[np.int64]
    annotation_is_rle: npt.NDArray[np.bool_]
    first_part: npt.NDArray[np.int64]
    part_start: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float64]
    info: dict[str, Any]
    skipped: list[tuple[str, int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.picture_id)

    def file_name(self, picture: int) -> str:
        """Return the file name of a picture by its position."""
        start, end = self.name_start[picture : picture + 2]
        return self.name_bytes[start:end].tobytes().decode()

    def area_frac(self) -> npt.NDArray[np.float64]:
        """Return each annotation's share of its picture, (A,), as the outline says it."""
        counts = np.diff(self.first_annotation)
        pixels = self.picture_width.astype(np.float64) * self.picture_height
        return self.annotation_area / np.repeat(pixels, counts)

    def parts(self, annotation: int) -> list[npt.NDArray[np.float64]]:
        """Return the polygons (x, y, x, y, ...) or the one run-length list of an annotation."""
        first, last = self.first_part[annotation : annotation + 2]
        bounds = self.part_start[first : last + 1]
        return [self.numbers[a:b] for a, b in itertools.pairwise(bounds)]

    def find_picture(self, annotation: int) -> int:
        """Return the position of the picture that an annotation lies in."""
        return int(np.searchsorted(self.first_annotation, annotation, side="right")) - 1


def open_index(folder: Path) -> Index:
    """Return a cached index; its arrays are mapped, not read, so workers share one copy.

    Raises:
        FileNotFoundError: There is none.
        SourceError: It is damaged; so may be an ``OSError``, ``ValueError`` or ``EOFError``.
    """
    path = folder / "index.json"
    record = decoded(path.read_bytes(), _Record, path, "Remove its folder", SourceError)
    skipped = [(what, key, reason) for what, key, reason in record.pop("skipped")]
    arrays = {name: _mapped(folder / f"{name}.npy") for name in ARRAYS}
    index = Index(**arrays, info=record, skipped=skipped)
    pictures, annotations = len(index), len(index.annotation_id)
    lengths = {
        pictures: ("picture_width", "picture_height", "picture_group"),
        pictures + 1: ("name_start", "first_annotation"),
        annotations: ("annotation_area", "annotation_category", "annotation_is_rle"),
        annotations + 1: ("first_part",),
        int(index.first_part[-1]) + 1: ("part_start",),
        int(index.part_start[-1]): ("numbers",),
        int(index.name_start[-1]): ("name_bytes",),
        int(index.first_annotation[-1]): ("annotation_id",),
    }
    for length, names in lengths.items():
        if any(len(arrays[name]) != length for name in names):
            raise SourceError.expected(path, f"{length} {names[0]}", "others", "Remove its folder")
    return index


def _mapped(path: Path) -> Any:
    # An empty array cannot be mapped.
    loaded = np.load(path, mmap_mode="r" if path.stat().st_size > 4096 else None)
    return np.asarray(loaded)
