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

from cisdl_bench.adapters.formats import ListFormat, format_spec
from cisdl_bench.adapters.listed import ListedPair, PairList, parse_label
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_table


def set_name(stem: str) -> str:
    """Return the set that a list is of, such as ``combination-difficult``; else its own name.

    >>> set_name("val2014_combine_fore_diff"), set_name("rotation-easy"), set_name("other")
    ('combination-difficult', 'rotation-easy', 'other')
    """
    words = re.findall("[a-z]+", stem.lower())
    transformation = _first_known(words, "transformations")
    difficulty = _first_known(words, "difficulties")
    return f"{transformation}-{difficulty}" if transformation and difficulty else stem


def _first_known(words: list[str], table: str) -> str:
    """Return the name of the first word that begins as a table of the format says; else ''."""
    known: dict[str, list[str]] = format_spec("release")[table]
    for word in words:
        for name, beginnings in known.items():
            if word.startswith(tuple(beginnings)):
                return name
    return ""


def read_release(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pairs of one of the released lists.

    Raises:
        SourceError: It cannot be read, or a row is wrong.
    """
    root = options.images or path.parent
    pairs = []
    for index, row in enumerate(read_table(path, form.columns)):
        label = parse_label(row["label"], f"{path}: pair {index}")
        probe_mask, donor_mask = (root / row[n] if label == 1 else None for n in ("gt2", "gt1"))
        probe, donor = root / row["image2"], root / row["image1"]
        names = row["image2"], row["image1"]
        pairs.append(ListedPair(index, *names, probe, donor, label, probe_mask, donor_mask))
    return PairList(
        form.name, set_name(path.stem), path, tuple(pairs), masks=form.masks, canvas=form.canvas
    )
