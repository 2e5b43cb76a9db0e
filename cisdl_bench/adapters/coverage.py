"""COVERAGE: copy-move within one picture, each forgery with its original.

::

    image/1.tif            the original: the donor
    image/1t.tif           the forgery: the probe
    mask/1forged.tif       the forged region of 1t.tif
    mask/1copy.tif         the region of 1.tif that was duplicated
    mask/1paste.tif        a similar but genuine object; not read

As a pair, the forged region of the forgery is the duplicated region of the original; the rest of
both pictures is the same too.
"""

from pathlib import Path

from cisdl_bench.adapters.formats import ListFormat
from cisdl_bench.adapters.listed import ListedPair, PairList
from cisdl_bench.adapters.options import ListOptions


def read_coverage(path: Path, options: ListOptions, form: ListFormat) -> PairList:
    """Return a pair of each forgery with its original."""
    numbers = sorted(
        int(stem)
        for file in (path / "image").glob("*t.tif")
        if (stem := file.stem[:-1]).isdecimal()
    )
    pairs = []
    for index, number in enumerate(numbers):
        names = f"{number}t", f"{number}"
        probe, donor = (path / "image" / f"{name}.tif" for name in names)
        probe_mask, donor_mask = (path / "mask" / f"{number}{w}.tif" for w in ("forged", "copy"))
        pairs.append(ListedPair(index, *names, probe, donor, 1, probe_mask, donor_mask))
    note = (
        f"{form.name}: copied within one picture; beside the marked region the rest is shared too"
    )
    return PairList(form.name, form.name, path, tuple(pairs), masks=form.masks, notes=(note,))
