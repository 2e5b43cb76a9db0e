"""The DMAC authors' released test sets, and what ``export --format release`` writes.

::

    val2014_combine_fore_diff.csv       image1,image2,label,gt1,gt2
    val2014resize_512/COCO_val2014_000000000074.jpg        image1: the donor, 512 px
    combine_6/..._combine_6.jpg                            image2: the composite
    gt_combine_6/....png                                   gt1, gt2: their masks, 255 is tampered

They are scored as the authors' ``test_coco.py`` does: pictures resized to 256 px bilinearly without
rounding or anti-aliasing, masks by nearest neighbour, 255 alone tampered. A list's name says which
of the 21 sets it is.
"""

import re
from pathlib import Path

from cisdl_bench.adapters.formats import format_spec
from cisdl_bench.adapters.listed import ListedPair, PairList, label_of
from cisdl_bench.adapters.table import read_table

COLUMNS = ("image1", "image2", "label", "gt1", "gt2")


def set_name(stem: str) -> str:
    """Return the set that a list is of, such as ``combination-difficult``; else its own name.

    >>> set_name("val2014_combine_fore_diff"), set_name("rotation-easy"), set_name("other")
    ('combination-difficult', 'rotation-easy', 'other')
    """
    words = re.findall("[a-z]+", stem.lower())
    found = [_first(words, table) for table in ("transformations", "difficulties")]
    return "-".join(found) if all(found) else stem


def _first(words: list[str], table: str) -> str:
    known: dict[str, list[str]] = format_spec("release")[table]
    fits = (
        name for word in words for name, begin in known.items() if word.startswith(tuple(begin))
    )
    return next(fits, "")


def read_release(path: Path, images: Path | None = None) -> PairList:
    """Return the pairs of one of the released lists.

    Args:
        path: The CSV.
        images: What its paths are relative to; None is the CSV's folder.

    Raises:
        SourceError: It cannot be read, or a row is wrong.
    """
    root = images or path.parent
    pairs = []
    for index, row in enumerate(read_table(path, COLUMNS)):
        label = label_of(row["label"], f"{path}: pair {index}")
        probe_mask, donor_mask = (root / row[n] if label == 1 else None for n in ("gt2", "gt1"))
        probe, donor = root / row["image2"], root / row["image1"]
        names = row["image2"], row["image1"]
        pairs.append(ListedPair(index, *names, probe, donor, label, probe_mask, donor_mask))
    return PairList(
        "release", set_name(path.stem), path, tuple(pairs), masks="255", canvas="release"
    )
