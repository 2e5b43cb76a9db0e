"""Paired CASIA: a list of pairs over the pictures of CASIA 2.0.

::

    paired_CASIA_ids.csv                ProbeID,DonorID,Label: names without their endings
    CASIA2/                             given by --images; any folders below it
      Au/Au_ani_00001.jpg
      Tp/Tp_D_NRN_S_N_ani10171_ani00001_12458.jpg     .jpg, .tif or .bmp

Names are matched with case aside. There are no masks: pairs are detected, not localized. Pairs
whose pictures are not there are left out, listed and counted.
"""

import os
import re
from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat, format_spec
from cisdl_bench.adapters.listed import ListedPair, PairList, parse_label
from cisdl_bench.adapters.options import ListOptions
from cisdl_bench.adapters.table import read_table
from cisdl_bench.errors import SourceError


def is_casia_name(name: str) -> bool:
    """Return whether a name, without its ending, is of CASIA 2.0's pattern, case aside.

    >>> is_casia_name("tp_d_NNN_S_B_cha00100_cha00020_00420-0"), is_casia_name("IMG_001")
    (True, False)
    """
    return any(re.fullmatch(p, name, re.IGNORECASE) for p in format_spec("casia")["names"])


def read_casia(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return the pairs of the list; ``probe`` or ``donor`` is None where no picture was found.

    Raises:
        SourceError: The list cannot be read, has a name of another data set, or the folder has
            none of its pictures.
    """
    root = options.images or path.parent
    files = _find_pictures(root)
    pairs = []
    for index, row in enumerate(read_table(path, form.columns)):
        names = row["ProbeID"], row["DonorID"]
        for name in names:
            if not is_casia_name(name):
                raise SourceError.expected(
                    f"{path}: pair {index}",
                    "names of CASIA 2.0, such as Au_ani_00001",
                    name,
                    "Write a CSV with the columns probe,donor,label for other pictures",
                )
        probe, donor = (files.get(name.lower()) for name in names)
        pairs.append(
            ListedPair(
                index, *names, probe, donor, parse_label(row["Label"], f"{path}: pair {index}")
            )
        )
    if options.pictures and not any(pair.probe and pair.donor for pair in pairs):
        raise SourceError.expected(
            root,
            f"pictures of {path.name}, such as {pairs[0].probe_name}.jpg" if pairs else "pairs",
            "none of its pairs",
            "Give CASIA 2.0's folder by --images",
        )
    published = int(form.facts["pairs"])
    notes = (f"{path.stem}: no masks, so nothing is localized",)
    return PairList(form.name, path.stem, path, tuple(pairs), published, partial=True, notes=notes)


def _find_pictures(root: Path) -> dict[str, Path]:
    """Return the pictures below a folder by their name in lower case, without ending."""
    endings: list[str] = format_spec("casia")["endings"]
    pictures: dict[str, Path] = {}
    for folder, _, names in os.walk(root):
        for file in names:
            path = Path(folder, file)
            if path.suffix.lower() not in endings:
                continue
            before = pictures.setdefault(path.stem.lower(), path)
            if _rank(path, endings) < _rank(before, endings):
                pictures[path.stem.lower()] = path
    return pictures


def _rank(path: Path, endings: list[str]) -> tuple[int, str]:
    return endings.index(path.suffix.lower()), str(path)
