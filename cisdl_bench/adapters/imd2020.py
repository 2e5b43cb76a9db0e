"""IMD2020's real-life manipulations: each with its original, and a mask of the manipulated one.

::

    00001/00001_orig.jpg            the original: the donor
    00001/c8tf5mq_0.png             a manipulated picture, of which there may be several
    00001/c8tf5mq_0_mask.png        what was changed in it

The masks mark what was changed. Where that lies in the original is not known, so the donor's mask
is unknown, not empty; the rest of both pictures is the same.
"""

import re
from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.errors import SourceError

_ORIGINAL = "_orig"
_ENDINGS = (".jpg", ".jpeg", ".png")


def read_imd2020(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return a pair of each manipulated picture with its original.

    Raises:
        SourceError: A folder has several originals.
    """
    pairs: list[ListedPair] = []
    for folder in sorted(item for item in path.iterdir() if item.is_dir()):
        pictures = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in _ENDINGS]
        originals = [file for file in pictures if file.stem.endswith(_ORIGINAL)]
        manipulated = [file for file in pictures if re.search(r"_\d+$", file.stem)]
        if manipulated and len(originals) > 1:
            raise SourceError.expected(
                folder,
                f"one original, {folder.name}{_ORIGINAL}.jpg",
                ", ".join(file.name for file in originals),
                "Remove the others",
            )
        # A file that is missing is a fault of its pairs, which can be left out.
        originals = originals or [folder / f"{folder.name}{_ORIGINAL}.jpg"]
        for file in manipulated:
            names = f"{folder.name}/{file.name}", f"{folder.name}/{originals[0].name}"
            mask = folder / f"{file.stem}_mask.png"
            pairs.append(ListedPair(len(pairs), *names, file, originals[0], 1, mask))
    return PairList(
        form.name, form.name, path, tuple(pairs), masks=form.masks, notes=(changed_note(form),)
    )


def changed_note(form: ListFormat) -> str:
    """Return what a reader of results on masks of changes must know."""
    return (
        f"{form.name}: masks mark what was changed in the probe; the rest of both pictures is the "
        "same, and the donor's masks are not known"
    )
