"""The built-in pictures: photographs that packages carry, cut and mirrored, in COCO's layout."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import Image

from cisdl_bench.errors import SourceError, cause, next_step
from cisdl_bench.packaged import packaged_path, packaged_text
from cisdl_bench.records import Pixels
from cisdl_bench.scratch import scratch_folder
from cisdl_bench.seeding import stream

VERSION = 2
CUTS = 50  # of every photograph
NOTE = "built-in pictures: results on them are not the paper's; give COCO by --coco"
_LICENCES = ("public domain", "CC0", "CC BY 2.0")  # see data_specs/demo/README.md
_SMALLEST_CUT = 0.5  # of a photograph's width and height
_LEAST_SHOWN = 0.85  # of an object's pixels, in a cut that counts it
_LONGEST_SIDE = 400  # px of a cut
_QUALITY = 95  # of the JPEG files, colours at full resolution


def photograph(name: str) -> Pixels:
    """Return a built-in photograph by its file's stem, uint8 RGB, (H, W, 3).

    Ours lie in ``data_specs``, the others in scikit-image and matplotlib.
    """
    for folder in _photograph_folders():
        for path in sorted(folder.glob(f"{name}.*")):
            with Image.open(path) as picture:
                return np.asarray(picture.convert("RGB"))
    raise SourceError.expected(
        name,
        "that photograph in scikit-image or matplotlib",
        "none",
        "Reinstall both from their wheels",
    )


def _photograph_folders() -> list[Path]:
    places = {"skimage": "data", "matplotlib": "mpl-data/sample_data"}
    folders = [packaged_path("demo/photographs")]
    for package, place in places.items():
        spec = find_spec(package)  # finds a package without importing it
        if spec is not None and spec.origin is not None:
            folders.append(Path(spec.origin).parent / place)
    return folders


def write_demo(folder: Path) -> Path:
    """Write the built-in data set in COCO's layout unless it is there; return its root.

    ``train2014`` and ``val2014`` hold cuts of different photographs. Cuts of one photograph, and
    of the two views of one scene, are one group: never donor and background of each other.
    Positions, sizes and flips come from a keyed stream, so the pixels are the same everywhere.

    Raises:
        SourceError: A photograph is missing, or the folder cannot be written.
    """
    root = folder / f"demo-v{VERSION}"
    if (root / "annotations").is_dir():
        return root
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with scratch_folder(root) as partial:
            for split in ("train", "val"):
                _write_split(partial, split)
            if not root.exists():
                partial.replace(root)
    except OSError as error:
        raise SourceError.expected(
            folder, "a folder to write to", cause(error), next_step(error, "Choose another --out")
        ) from error
    return root


def _write_split(root: Path, split: str) -> None:
    table = json.loads(packaged_text("demo/outlines.json"))
    pictures = root / f"{split}2014"
    pictures.mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for entry in (image for image in table["images"] if image["split"] == split):
        photo = photograph(entry["file_name"])
        outlines = [o for o in table["annotations"] if o["image_id"] == entry["id"]]
        masks = [_filled(outline["segmentation"], photo.shape) for outline in outlines]
        for k in range(CUTS):
            cut = _draw_cut(entry["file_name"], k, photo.shape, masks[k % len(masks)])
            picture = cut.picture(photo)
            key, name = entry["id"] * 1000 + k, f"{entry['file_name']}_{k:03d}.jpg"
            picture.save(pictures / name, quality=_QUALITY, subsampling=0)
            image = {"id": key, "file_name": name, "group": entry["group"]}
            images.append({**image, "width": picture.width, "height": picture.height})
            for outline, mask in zip(outlines, masks, strict=True):
                if parts := cut.outline(mask):
                    category = outline["category_id"]
                    annotations.append(
                        {
                            "id": len(annotations) + 1,
                            "image_id": key,
                            "category_id": category,
                            "segmentation": parts,
                            "iscrowd": 0,
                        }
                    )
    record = {
        "info": {"description": "cisdl-bench demo", "version": VERSION, "cisdl_note": NOTE},
        "licenses": [{"id": k, "name": name} for k, name in enumerate(_LICENCES, start=1)],
        "images": images,
        "annotations": annotations,
        "categories": table["categories"],
    }
    (root / "annotations").mkdir(exist_ok=True)
    path = root / "annotations" / f"instances_{split}2014.json"
    path.write_text(json.dumps(record), "utf-8")


def _filled(polygons: list[list[float]], shape: tuple[int, ...]) -> Pixels:
    mask = np.zeros(shape[:2], dtype=np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.rint(np.reshape(polygon, (-1, 2))).astype(np.int32)], 1)
    return mask


class _Cut(NamedTuple):
    """A window of a photograph, perhaps mirrored, and the factor it is shrunk by."""

    window: tuple[slice, slice]
    mirrored: bool
    factor: float

    def of(self, pixels: Pixels) -> Pixels:
        part = pixels[self.window]
        return np.ascontiguousarray(part[:, ::-1] if self.mirrored else part)

    def picture(self, photo: Pixels) -> Image.Image:
        picture = Image.fromarray(self.of(photo))
        if self.factor == 1:
            return picture
        size = (round(picture.width * self.factor), round(picture.height * self.factor))
        return picture.resize(size, Image.Resampling.BICUBIC)

    def outline(self, mask: Pixels) -> list[list[float]]:
        """Return the object's polygons in the cut, none where too much of it is cut away."""
        inside = self.of(mask)
        if cv2.countNonZero(inside) < _LEAST_SHOWN * cv2.countNonZero(mask):
            return []
        contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        lines = [cv2.approxPolyDP(line, 1.0, closed=True) for line in contours]
        # A contour runs through pixel centres; COCO's outlines count from the pixel's corner.
        return [
            ((line.ravel() + 0.5) * self.factor).round(2).tolist()
            for line in lines
            if len(line) > 2
        ]


def _draw_cut(name: str, k: int, shape: tuple[int, ...], mask: Pixels) -> _Cut:
    """Return a window that holds one object whole."""
    draws = stream(VERSION, "demo", name, index=k).random(5)
    left, top, width, height = cv2.boundingRect(mask)
    columns = _draw_side(shape[1], left, width, draws[0], draws[2])
    rows = _draw_side(shape[0], top, height, draws[1], draws[3])
    longest = max(rows.stop - rows.start, columns.stop - columns.start)
    return _Cut((rows, columns), bool(draws[4] < 0.5), min(1.0, _LONGEST_SIDE / longest))


def _draw_side(whole: int, begin: int, length: int, size: float, place: float) -> slice:
    """Return a window's extent along one side, from two draws in 0 to 1."""
    least = max(_SMALLEST_CUT * whole, length)
    window = int(least + (whole - least) * size)
    first, last = max(0, begin + length - window), min(begin, whole - window)
    start = first + int(place * (last - first + 1))
    return slice(start, start + window)
