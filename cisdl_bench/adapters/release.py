"""The DMAC authors' released test sets, and what ``export --format release`` writes.

::

    val2014_combine_fore_diff.csv       image1,image2,label,gt1,gt2
    val2014resize_512/COCO_val2014_000000000074.jpg        image1: the donor, 512 px
    combine_6/..._combine_6.jpg                            image2: the composite
    gt_combine_6/....png                                   gt1, gt2: their masks, 255 is tampered

A training tree, as ``export --format dmac-train`` writes it, has such lists below its pictures::

    DMAC-COCO/train2014/labelfiles/train2014_combine_neg_medi.csv      label 0, masks ``null``

They are scored as the authors' ``test_coco.py`` does: pictures resized to 256 px bilinearly without
rounding or anti-aliasing, masks by nearest neighbour, 255 alone tampered. A list's name says which
of the 21 sets it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat, format_spec
from cisdl_bench.adapters.listed import ListedPair, PairList, parse_label
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_table
from cisdl_bench.records import DIFFICULTIES, DIFFICULTY_WORDS

#: Folder of the lists of a training tree, beside the folders of its pictures.
LABEL_FILES = "labelfiles"


def set_name(stem: str) -> str:
    """Return the set that a list is of, such as ``combination-difficult``; else its own name.

    >>> set_name("val2014_combine_fore_diff"), set_name("rotation-easy"), set_name("other")
    ('combination-difficult', 'rotation-easy', 'other')
    >>> set_name("train2014_combine_neg_medi")
    'combination-normal-negative'
    """
    words = re.findall("[a-z]+", stem.lower())
    facts = format_spec("release")
    transformation = _first_known(words, facts["transformations"])
    known = {word: [word] for word in DIFFICULTIES}
    for word, meant in DIFFICULTY_WORDS.items():
        known[meant].append(word)
    difficulty = _first_known(words, known)
    if not (transformation and difficulty):
        return stem
    kind = _first_known(words, facts["kinds"])
    return "-".join(filter(None, (transformation, difficulty, kind)))


def _first_known(words: list[str], known: Mapping[str, list[str]]) -> str:
    """Return the name whose beginnings the first word that is known has; else ''."""
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
    below = path.parent.name == LABEL_FILES  # of a training tree
    root = options.images or (path.parent.parent if below else path.parent)
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
