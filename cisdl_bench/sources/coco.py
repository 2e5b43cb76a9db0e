"""COCO's folder layout of any year: ``annotations/instances_*.json`` beside the pictures."""

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cisdl_bench.errors import SourceError
from cisdl_bench.records import Pixels, Region
from cisdl_bench.sources.index import Index, open_index
from cisdl_bench.sources.index_build import cached_index
from cisdl_bench.sources.instances import instance_region
from cisdl_bench.sources.picture import load_picture

PAPER_YEAR = "2014"


@dataclass(frozen=True)
class CocoSource:
    """One split of a data set in COCO's layout; small to pickle, its index is mapped.

    ::

        ROOT/annotations/instances_val2014.json
        ROOT/val2014/COCO_val2014_000000000042.jpg

    Attributes:
        pictures: Folder of the picture files.
        index_folder: Folder of the cached index.
        name: Name of the split and its year, such as ``val2014``.
        notes: Warnings for the user, also written into the manifest.
    """

    pictures: Path
    index_folder: Path
    name: str
    notes: tuple[str, ...] = ()

    @property
    def index(self) -> Index:
        """The array index, opened once a process."""
        return _open_once(self.index_folder)

    def load(self, picture: int, size: int, resize: str) -> Pixels:
        """Return a picture on the canvas; see ``load_picture``."""
        index = self.index
        expected = int(index.picture_width[picture]), int(index.picture_height[picture])
        return load_picture(self.pictures / index.file_name(picture), expected, size, resize)

    def region(self, annotation: int, picture: int, size: int) -> Region:
        """Return an instance's mask on the canvas; see ``instance_region``."""
        return instance_region(self.index, annotation, picture, size)

    @property
    def key(self) -> str:
        """The name of what it holds: its split and the hash of its annotations."""
        return f"{self.name}-{self.index.info['sha256'][:12]}"

    def as_dict(self) -> dict[str, Any]:
        """Return what a manifest says of it."""
        index = self.index
        return {
            "name": self.name,
            **describe(index.info),
            "annotations": index.info["file"],
            "sha256": index.info["sha256"],
            "pictures": len(index),
            "instances": len(index.annotation_id),
            "skipped": index.info["counts"],
            "notes": list(self.notes),
        }


def describe(info: dict[str, Any]) -> dict[str, str]:
    """Return what an annotation file says of its own data, empty where it says nothing.

    Args:
        info: Table ``info`` of an index.

    Returns:
        ``description``, ``version`` and ``licence``, a line each.
    """
    table = info["info"] if isinstance(info["info"], dict) else {}
    own = table.get("license", table.get("licence"))
    licences = [str(own)] if own else info["licences"]
    said = {name: table.get(name) for name in ("description", "version")}
    lines = {**said, "licence": "; ".join(dict.fromkeys(licences))}
    return {k: "" if v is None else " ".join(str(v).split())[:500] for k, v in lines.items()}


@lru_cache(maxsize=4)
def _open_once(folder: Path) -> Index:
    return open_index(folder)


def _is_coco(description: str) -> bool:
    return (
        re.fullmatch(r"COCO 20\d\d Dataset|This is .* 20\d\d MS COCO dataset.*", description)
        is not None
    )


def open_coco(root: Path, split: str, cache: Path) -> CocoSource:
    """Return a split of a COCO folder: of 2014 as in the paper, else of its only year.

    Args:
        root: Folder that holds ``annotations``.
        split: ``train`` or ``val``.
        cache: Folder of the array indexes.

    Raises:
        SourceError: The folder, the annotations or the pictures' folder is missing, there are
            several years and none is 2014, or the annotations cannot be used.
    """
    where = root / "annotations"
    if not where.is_dir():
        raise SourceError.expected(
            root,
            "a COCO folder with annotations/instances_*.json in it",
            "no annotations folder" if root.is_dir() else "no such folder",
            "Give its path by --coco, or download it by `cisdl-bench fetch coco2014`",
        )
    years = {
        match[1]: path
        for path in sorted(where.glob(f"instances_{split}*.json"))
        if (match := re.fullmatch(rf"instances_{split}(\w*)\.json", path.name))
    }
    year = PAPER_YEAR if PAPER_YEAR in years else next(iter(years), "")
    if not years or (len(years) > 1 and year != PAPER_YEAR):
        files = ", ".join(sorted(path.name for path in where.glob("*.json"))) or "none"
        raise SourceError.expected(
            where, f"instances_{split}2014.json (or one other year)", files, "Add the file"
        )
    pictures = root / f"{split}{year}"
    if not pictures.is_dir():
        raise SourceError.expected(
            pictures, "the folder of the pictures", "none", "Unpack the pictures there"
        )
    # Workers may have been started elsewhere: what they are sent holds no relative path.
    pictures = pictures.absolute()
    folder = cached_index(years[year], cache.absolute())
    info = _open_once(folder).info
    notes = []
    if year != PAPER_YEAR:
        notes.append(f"{split}{year} stands in for {split}{PAPER_YEAR}: not the paper's pictures")
    if isinstance(info["info"], dict) and "cisdl_note" in info["info"]:
        notes.append(str(info["info"]["cisdl_note"]))
    elif (said := describe(info)["description"]) and not _is_coco(said):
        notes.append(f"{split}{year}: {said}")
    if info["renumbered"]:
        notes.append(f"{years[year].name}: annotation ids occur twice; numbered by place from 1")
    return CocoSource(pictures, folder, f"{split}{year}", tuple(notes))
