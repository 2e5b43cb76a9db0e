"""DEFACTO's splicing: forgeries made from COCO, with the masks of both pictures.

::

    splicing_1_img/img/0_000000195755.tif                         the forgery, seven such parts
    splicing_1_annotations/probe_mask/0_000000195755.jpg          where it was forged
    splicing_1_annotations/donor_mask/0_000000195755.tif          where that comes from
    splicing_1_annotations/graph/0_000000195755.json              which names the donor
    COCO_train2014_000000348782.jpg                               COCO's pictures: --images

The keys of the graphs are not documented: any string in one that names a picture of COCO counts,
but for the picture that the forgery is named after. Pairs whose donor is not there are left out,
listed and counted. Some masks are not of their picture's size: --skip-unusable leaves those out.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.picture import read_bytes
from cisdl_bench.errors import SourceError
from cisdl_bench.strict_json import decoded

_NUMBER = re.compile(r"(?<!\d)\d{12}(?!\d)")
_PICTURE = re.compile(r"(?:COCO_\w+_)?(\d{12})\.(?:jpe?g|png|tif)", re.IGNORECASE)


def read_defacto(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the forgeries with their donors; the donor is None where no picture was found.

    Raises:
        SourceError: A graph cannot be read or names no donor, or the folder has none of the donors.
    """
    pictures = _find_coco(options.images or path)
    pairs: list[ListedPair] = []
    for folder in sorted(path.glob("splicing_*_img")):
        part = folder.name.removesuffix("_img")
        about = path / f"{part}_annotations"
        for forgery in sorted((folder / "img").glob("*.tif"), key=_number):
            donor = find_donor(about / "graph" / f"{forgery.stem}.json")
            pairs.append(
                ListedPair(
                    len(pairs),
                    f"{part}/{forgery.stem}",
                    donor,
                    forgery,
                    pictures.get(donor),
                    1,
                    about / "probe_mask" / f"{forgery.stem}.jpg",
                    about / "donor_mask" / f"{forgery.stem}.tif",
                )
            )
    if options.pictures and pairs and not any(pair.donor for pair in pairs):
        raise SourceError.expected(
            options.images or path,
            f"pictures of COCO, such as {pairs[0].donor_name}.jpg",
            "none of the donors",
            "Give the folder of COCO 2014 by --images",
        )
    return PairList(form.name, form.name, path, tuple(pairs), partial=True, masks=form.masks)


def find_donor(graph: Path) -> str:
    """Return the number of the COCO picture that a graph names as the donor, such as 000000348782.

    Raises:
        SourceError: The graph cannot be read, or names no such picture, or several.
    """
    value = decoded(read_bytes(graph), Any, graph, "Get the file again", SourceError)
    own = graph.stem.rpartition("_")[2]
    named: list[tuple[str, str]] = [
        (key, number) for key, text in _strings(value) for number in _NUMBER.findall(text)
    ]
    numbers = list(dict.fromkeys(number for _, number in named))
    others = [number for number in numbers if number != own] or numbers
    if len(others) > 1:
        donors = {number for key, number in named if "donor" in key.lower()}
        others = [number for number in others if number in donors] or others
    if len(others) != 1:
        raise SourceError.expected(
            graph,
            "the name of one COCO picture, the donor",
            ", ".join(others) or "none",
            "Correct the graph, or take the forgery out",
        )
    return others[0]


def _strings(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every string of a JSON value with the key that it stands under."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _strings(inner, f"{key}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, key)


def _find_coco(root: Path) -> dict[str, Path]:
    """Return the pictures of COCO below a folder by their number of twelve digits."""
    pictures: dict[str, Path] = {}
    for folder, below, names in os.walk(root):
        below[:] = [name for name in sorted(below) if not name.startswith("splicing_")]
        for name in sorted(names):
            if match := _PICTURE.fullmatch(name):
                pictures.setdefault(match[1], Path(folder, name))
    return pictures


def _number(forgery: Path) -> tuple[int, str]:
    first = forgery.stem.partition("_")[0]
    return (int(first) if first.isdecimal() else 1 << 62), forgery.name
